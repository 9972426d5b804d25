"""The speed run with blocks that compute in bfloat16, for processors that multiply it themselves (AVX512-BF16).

For example:

    gluon-resnet run speedrun_bfloat16 --seeds 5
"""

CONFIG = {
    "kind": "fashion-mnist",
    "shared": {
        "model": "resnet8@narrow",
        "resize": None,
        "batch_size": 128,
        "epochs": 2,
        "lr": 0.4,
        "optimizer": "nag",
        "norm_batches": 0,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "schedule": "onecycle",
        "label_smoothing": 0.1,
        "limit": 50000,
        "precision": "bfloat16",
    },
    "arms": {"speedrun": {}},
    "seeds": 5,
}

CLAIM = {
    "statement": "article 001's test accuracy in half its GPU time, on two CPU cores, mean over five seeds",
    "source": "article 001: 0.907; 600,000 examples at 4,886.6 a second are 123 s",
    "checks": [
        {"metric": "test_acc", "arm": "speedrun", "low": 0.907, "high": 1.0, "near": 0.005},
        {"metric": "train_seconds", "arm": "speedrun", "high": 60.0, "near": 30.0},
    ],
}
