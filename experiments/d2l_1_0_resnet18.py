"""d2l 1.0's chapter 8.6: ResNet-18 on Fashion-MNIST at 96x96 with its recipe, batch size 128, SGD 0.01, 10 epochs.

    gluon-resnet run d2l_1_0_resnet18 --seeds 1

Hours a seed on two cores. The edition prints no accuracy, only a plot; its text says what the plot shows.
"""

CONFIG = {
    "kind": "fashion-mnist",
    "shared": {"batch_size": 128, "lr": 0.01, "norm_batches": 0},  # tested as the book tests
    "arms": {"d2l_1_0": {}},
}

CLAIM = {
    "statement": "after ten epochs the training loss is considerably lower than the test loss: at most 0.1, against at "
    "least 0.2",
    "source": "d2l 1.0, chapter 8.6.4, which states the gap in words and without a number; the two bounds are this "
    "file's, written down before anything was measured",
    "checks": [
        {"metric": "loss", "arm": "d2l_1_0", "high": 0.1},
        {"metric": "test_loss", "arm": "d2l_1_0", "low": 0.2},
    ],
}
