"""Article 001's network and recipe on Fashion-MNIST as it is, 28x28 instead of 96x96: eight times cheaper.

For example:

    gluon-resnet run fashion_mnist_resnet18_28px --seeds 3
"""

CONFIG = {
    "kind": "fashion-mnist",
    "shared": {"resize": None, "norm_batches": 0},
    "arms": {"resnet18": {}},
}

CLAIM = {
    "statement": "without enlarging the pictures, article 001's recipe still ends in the band of its published "
    "editions",
    "source": "article 001 and five editions of d2l, 96x96, last epoch: .865 to .925",
    "checks": [{"metric": "test_acc", "arm": "resnet18", "low": 0.865, "high": 0.925}],
}
