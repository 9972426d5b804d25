"""The accuracy ladder's second rung: 0.930 on two CPU cores in 4 minutes of training.

    gluon-resnet run ladder_2

The accuracy is measured as in ladder_1.py. The network's first stage keeps all 28x28 pixels; its images grow to that
from 20x20, a size for each epoch.
"""

CONFIG = {
    "kind": "fashion-mnist",
    "shared": {
        "model": "resnet8@fine",
        "resize": None,
        "batch_size": 128,
        "epochs": 4,
        "lr": 0.3,
        "optimizer": "nag",
        "norm_batches": 0,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "schedule": "onecycle",
        "label_smoothing": 0.1,
        "flip": True,
        "alternate": True,
        "zero_gamma": True,
        "grow_from": 20,
        "test_views": 2,
    },
    "arms": {"ladder_2": {}},
    "seeds": 10,
}

CLAIM = {
    "statement": "0.930 in 4 minutes of training on two CPU cores, mean over 10 seeds",
    "source": "nobody: a goal of this suite, written down before it was measured",
    "checks": [
        {"metric": "views_acc", "arm": "ladder_2", "low": 0.93, "high": 1.0, "near": 0.002},
        {"metric": "train_seconds", "arm": "ladder_2", "high": 240.0, "near": 60.0},
    ],
}
