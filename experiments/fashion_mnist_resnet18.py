"""Article 001: ResNet-18 on Fashion-MNIST at 96x96, batch size 256, SGD 0.05, 10 epochs.

    gluon-resnet run fashion_mnist_resnet18 --seeds 1
    gluon-resnet reproduce d2l-resnet18-fashion-mnist --seeds 1

Hours a seed on two cores.
"""

CONFIG = {
    "kind": "fashion-mnist",
    "shared": {"norm_batches": 0},  # tested as the article tests
    "arms": {"article001": {}},
}

CLAIM = {
    "statement": "the last epoch's test accuracy lies in the band of the six published editions of this one recipe",
    "source": "article 001 (0.907) and five editions of d2l (0.865 to 0.925)",
    "checks": [{"metric": "test_acc", "arm": "article001", "low": 0.865, "high": 0.925}],
}
