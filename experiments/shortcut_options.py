"""Shortcuts that change shape by zero padding (A), by a projection (B), or all of them projections (C), at 20 layers.

For example:

    gluon-resnet run shortcut_options
"""

CONFIG = {
    "kind": "fashion-mnist",
    "shared": {
        "resize": None,
        "batch_size": 128,
        "lr": 0.1,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "epochs": 3,
        "schedule": "cosine",
        "limit": 16000,
        "norm_batches": 0,
    },
    "arms": {
        "A": {"model": "cifar_resnet20:A"},
        "B": {"model": "cifar_resnet20:B"},
        "C": {"model": "cifar_resnet20:C"},
    },
}

CLAIM = {
    "statement": "the options differ little: B and C end within two points of A",
    "source": "He et al., arXiv 1512.03385, section 4.1 and Table 3 (ResNet-34, ImageNet): small differences, "
    "projections not essential; the two points are this suite's",
    "checks": [
        {"metric": "test_acc", "arm": "B", "minus": "A", "low": -0.02, "high": 0.02, "near": 0.01},
        {"metric": "test_acc", "arm": "C", "minus": "A", "low": -0.02, "high": 0.02, "near": 0.01},
    ],
}
