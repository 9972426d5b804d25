"""Article 001's 0.907 on two CPU cores, from the first training batch to the last, as short as this suite makes it.

    gluon-resnet run speedrun --seeds 5

The article got there in about 123 s of GPU time (600,000 examples at 4,886.6 a second). Here it is a network of 0.31
million parameters on pictures as they are, 28x28, and two epochs of 50,000. What each idea brings: speedrun_ideas.py;
after it, the flips that the first version had went, and a sixth of the data (README.md has the log).
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
