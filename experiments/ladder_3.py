"""The accuracy ladder's third rung: 0.945 on two CPU cores in 25 minutes of training.

    gluon-resnet run ladder_3

The accuracy is measured as in ladder_1.py. The network has two blocks in each stage, and the first stage keeps all
28x28 pixels, to which the images grow in five epochs.
"""

CONFIG = {
    "kind": "fashion-mnist",
    "shared": {
        "model": "resnet14@fine",
        "resize": None,
        "batch_size": 128,
        "epochs": 9,
        "lr": 0.2,
        "optimizer": "nag",
        "norm_batches": 0,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "schedule": "onecycle",
        "label_smoothing": 0.1,
        "flip": True,
        "alternate": True,
        "shift": 1,
        "zero_gamma": True,
        "grow_from": 20,
        "grow_epochs": 6,
        "test_views": 2,
    },
    "arms": {"ladder_3": {}},
    "seeds": 5,
}

CLAIM = {
    "statement": "0.945 in 25 minutes of training on two CPU cores, mean over 5 seeds",
    "source": "nobody: a goal of this suite, written down before it was measured",
    "checks": [
        {"metric": "views_acc", "arm": "ladder_3", "low": 0.945, "high": 1.0, "near": 0.002},
        {"metric": "train_seconds", "arm": "ladder_3", "high": 1500.0, "near": 300.0},
    ],
}
