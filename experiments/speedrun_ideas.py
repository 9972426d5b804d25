"""What each idea of the speed run brings: the whole, and the whole without one of them.

For example:

    gluon-resnet run speedrun_ideas --seeds 2
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
        "flip": True,
    },
    "arms": {
        "all ideas": {},
        "constant rate": {"schedule": "constant", "lr": 0.1},
        "lr 0.1": {"lr": 0.1},
        "no momentum": {"optimizer": "sgd", "momentum": 0.0},
        "no label smoothing": {"label_smoothing": 0.0},
        "no flips": {"flip": False},
        "no weight decay": {"weight_decay": 0.0},
        "batch size 256": {"batch_size": 256, "lr": 0.8},
        "plain network": {"model": "plain8@narrow"},
        "direct convolutions": {"winograd": False},
        "shifted by 2 pixels": {"shift": 2},
        "averaged parameters": {"ema": 0.99},
    },
    "seeds": 2,
}

CLAIM = {
    "statement": "the one-cycle schedule, its high rate, momentum, label smoothing, flips and the shortcuts each bring "
    "accuracy, and Winograd's convolutions time",
    "source": "nobody: this suite's own guess, written down before it was measured",
    "checks": [
        {"metric": "test_acc", "arm": "constant rate", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "lr 0.1", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "no momentum", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "no label smoothing", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "no flips", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "plain network", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "train_seconds", "arm": "direct convolutions", "over": "all ideas", "low": 1.1, "near": 0.1},
    ],
}
