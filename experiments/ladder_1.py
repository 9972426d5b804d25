"""The accuracy ladder's first rung: article 001's 0.907 on two CPU cores in 20 seconds of training.

    gluon-resnet run ladder_1

The accuracy is that of each test image and its mirror image. What the mirror images take is testing, not training,
and has a clock of its own (views_seconds). The network halves its maps in every stage, for less than half of the work
of speedrun's, its stem whitens patches, and its 3x3 weights have Muon's updates.
"""

CONFIG = {
    "kind": "fashion-mnist",
    "shared": {
        "model": "resnet8@early",
        "resize": None,
        "epochs": 2,
        "lr": 0.6,
        "optimizer": "muon",
        "norm_batches": 0,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "schedule": "onecycle",
        "label_smoothing": 0.1,
        "muon_lr": 0.2,
        "whiten_batches": 10,
        "flip": True,
        "alternate": True,
        "limit": 40000,
        "test_views": 2,
    },
    "arms": {"ladder_1": {}},
    "seeds": 20,
}

CLAIM = {
    "statement": "article 001's test accuracy in 20 seconds of training on two CPU cores, mean over 20 seeds",
    "source": "nobody: a goal of this suite, written down before it was measured",
    "checks": [
        {"metric": "views_acc", "arm": "ladder_1", "low": 0.907, "high": 1.0, "near": 0.002},
        {"metric": "train_seconds", "arm": "ladder_1", "high": 20.0, "near": 5.0},
    ],
}
