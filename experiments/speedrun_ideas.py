"""What each idea brings to a run of two epochs: some recipes' parts taken away from it, others added to it, one by one.

For example:

    gluon-resnet run speedrun_ideas --seeds 2

The sources of the ideas are named in gluon_resnet/training: mixing.py, initial.py, averages.py and muon.py.
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
        "test_views": 2,
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
        "whitening stem": {"whiten_batches": 20},
        "identities": {"dirac": True},
        "zero gamma": {"zero_gamma": True},
        "faster biases": {"bias_lr": 8.0},
        "Muon": {"optimizer": "muon", "muon_lr": 0.2},
        "lookahead": {"lookahead": 5},
        "alternating flips": {"alternate": True},
        "growing images": {"grow_from": 20},
        "earlier stride": {"model": "resnet8@early"},
        "random erasing": {"erase": 0.25},
        "cutout": {"cutout": 8},
        "mixup": {"mixup": 0.2},
        "cutmix": {"cutmix": 1.0},
        "fmix": {"fmix": 1.0},
    },
    "seeds": 20,
}

CLAIM = {
    "statement": "the one-cycle schedule, its high rate, momentum, label smoothing, flips and the shortcuts each bring "
    "accuracy, and so do a whitening stem, zero gamma, Muon and alternating flips; Winograd's convolutions, growing "
    "images and an earlier stride bring time; what erases or mixes images costs accuracy in so short a run",
    "source": "nobody: this suite's own guess, written down before it was measured",
    "checks": [
        {"metric": "test_acc", "arm": "constant rate", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "lr 0.1", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "no momentum", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "no label smoothing", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "no flips", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "plain network", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "whitening stem", "minus": "all ideas", "low": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "zero gamma", "minus": "all ideas", "low": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "Muon", "minus": "all ideas", "low": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "alternating flips", "minus": "all ideas", "low": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "random erasing", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "cutout", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "cutmix", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "test_acc", "arm": "fmix", "minus": "all ideas", "high": 0.0, "near": 0.001},
        {"metric": "train_seconds", "arm": "direct convolutions", "over": "all ideas", "low": 1.1, "near": 0.1},
        {"metric": "train_seconds", "arm": "growing images", "over": "all ideas", "high": 0.85, "near": 0.1},
        {"metric": "train_seconds", "arm": "earlier stride", "over": "all ideas", "high": 0.6, "near": 0.1},
    ],
}
