"""Published numbers with their sources: the entries of ``gluon-resnet reproduce``.

Six editions of the book published one recipe, ResNet-18 on Fashion-MNIST (96x96, batch size 256, SGD 0.05, 10 epochs,
last epoch), with six different results. The paper's tables need data that this suite cannot get, so they are listed but
not run.
"""

from dataclasses import dataclass
from typing import Optional

from ..errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Entry:
    """One published row; accuracies are from 0 to 1, and what the source does not say is None."""

    name: str
    what: str
    source: str
    test_acc: float
    loss: Optional[float] = None
    train_acc: Optional[float] = None
    examples_per_sec: Optional[float] = None  # measured as the book does
    experiment: Optional[str] = None  # the name of the experiment that runs the recipe
    missing: Optional[str] = None  # why it cannot be run here


def _d2l(name: str, source: str, loss: float, train_acc: float, test_acc: float, examples_per_sec: float) -> Entry:
    return Entry(
        name,
        "ResNet-18, Fashion-MNIST 96x96, 10 epochs",
        source,
        test_acc,
        loss,
        train_acc,
        examples_per_sec,
        "fashion_mnist_resnet18",
    )


def _paper(name: str, what: str, table: str, error: float, data: str) -> Entry:
    """A row of the paper; ``error`` is in percent."""
    return Entry(
        f"he2015-{name}",
        what,
        f"He et al., arXiv 1512.03385, {table}",
        round(1 - error / 100, 4),
        missing=f"{data} is not available here",
    )


_CIFAR = ((20, 8.75), (32, 7.51), (44, 7.17), (56, 6.97), (110, 6.43), (1202, 7.93))
_IMAGENET = (("plain-18", 27.94), ("resnet-18", 27.88), ("plain-34", 28.54), ("resnet-34", 25.03))

ENTRIES = (
    _d2l("d2l-resnet18-fashion-mnist", "article 001, MXNet 1.6, cu101, on gpu(0)", 0.010, 0.998, 0.907, 4886.6),
    _d2l("d2l-1day-2019", "d2l 1-day notebooks, MXNet, 2019", 0.011, 0.997, 0.894, 12520.9),
    _d2l("d2l-numpy", "d2l-numpy copy, MXNet", 0.013, 0.997, 0.922, 4943.7),
    _d2l("d2l-tensorflow-2021", "d2l TensorFlow copy, 2021", 0.004, 1.000, 0.925, 5006.5),
    _d2l("d2l-pytorch-2022", "d2l PyTorch slides, 2022", 0.011, 0.997, 0.865, 4713.2),
    _d2l("d2l-pytorch-2023", "d2l PyTorch slides, 2023", 0.012, 0.997, 0.893, 5032.7),
    Entry(
        "fashion-mnist-readme-resnet18",
        "ResNet-18, Fashion-MNIST, augmented",
        "Fashion-MNIST's README",
        0.949,
        missing="its recipe is not published with it",
    ),
    Entry(
        "fashion-mnist-readme-wrn28-10",
        "WRN-28-10, Fashion-MNIST",
        "Fashion-MNIST's README",
        0.959,
        missing="WRN-28-10, a wide network for CIFAR, is not in the suite",
    ),
    *(
        _paper(f"cifar10-resnet{depth}", f"ResNet-{depth}, CIFAR-10", "Table 6", error, "CIFAR-10")
        for depth, error in _CIFAR
    ),
    *(
        _paper(f"imagenet-{name}", f"{name}, ImageNet, 10-crop top-1", "Table 2", error, "ImageNet")
        for name, error in _IMAGENET
    ),
)


def find(name: str) -> Entry:
    """The Entry called ``name``; raises ConfigError, which suggests the nearest name, if there is none."""
    known = {entry.name: entry for entry in ENTRIES}
    if name not in known:
        raise ConfigError(f"unknown entry '{name}': {did_you_mean(name, known)}gluon-resnet reproduce lists all")
    return known[name]
