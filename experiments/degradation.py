"""Plain networks of 20 and 56 layers against residual ones: does more depth train worse, and do shortcuts mend it?

    gluon-resnet run degradation

He et al. (arXiv 1512.03385, figure 6) train for 64,000 steps on CIFAR-10. Here it is 250 steps on the first 16,000
pictures of Fashion-MNIST at 28x28, so it is the first part of that figure's curves that is looked at, and the training
accuracy, in which degradation shows, rather than the test accuracy. The bands are this suite's own.
"""

CONFIG = {
    "kind": "fashion-mnist",
    "shared": {
        "resize": None,
        "batch_size": 128,
        "lr": 0.1,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "epochs": 2,
        "norm_batches": 0,
        "limit": 16000,
    },
    "arms": {
        "plain-20": {"model": "cifar_plain20"},
        "plain-56": {"model": "cifar_plain56"},
        "ResNet-20": {"model": "cifar_resnet20"},
        "ResNet-56": {"model": "cifar_resnet56"},
    },
    "depth_probe": True,
}

CLAIM = {
    "statement": "without shortcuts 56 layers train worse than 20 by two points or more, with shortcuts they do not",
    "source": "He et al., arXiv 1512.03385, figures 1 and 6, in direction; the two points are this suite's",
    "checks": [
        {"metric": "train_acc", "arm": "plain-56", "minus": "plain-20", "high": -0.02, "near": 0.01},
        {"metric": "train_acc", "arm": "ResNet-56", "minus": "ResNet-20", "low": -0.02, "near": 0.01},
    ],
}
