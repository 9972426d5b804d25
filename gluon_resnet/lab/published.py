"""Published numbers with their sources: the entries of ``gluon-resnet reproduce``.

Six editions of the book published one recipe, ResNet-18 on Fashion-MNIST (96x96, batch size 256, SGD 0.05, 10 epochs,
last epoch), with six different results. What cannot be run here is listed with the reason: the paper's tables need data
that this suite cannot get, and other results on Fashion-MNIST are of its first files. In those, 10 test images were in
the training part, too (zalandoresearch/fashion-mnist #44); since 2017-08-31 they are replaced (#45).
"""

from dataclasses import dataclass
from typing import Optional, Tuple

from ..errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Entry:
    """One published row; accuracies are from 0 to 1, and what the source does not say in numbers is None.

    d2l 1.0 draws a plot and prints no number: the claim of its experiment is what its text says.
    """

    name: str
    what: str
    source: str
    test_acc: Optional[float]
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
        _accuracy(error),
        missing=f"{data} is not available here",
    )


def _random_erasing(depth: str, error: float, erasing: float) -> Tuple[Entry, Entry]:
    """Two rows of random erasing's table, without it and with it; the errors are in percent."""
    missing = "300 epochs, on the first files by all accounts (datasets/fashion.py of FMix's authors)"
    source = "Zhong et al., arXiv 1708.04896, in the README of zhunzhong07/Random-Erasing"
    name = depth.lower()
    return (
        Entry(f"random-erasing-{name}-base", f"{depth}, Fashion-MNIST", source, _accuracy(error), missing=missing),
        Entry(
            f"random-erasing-{name}",
            f"{depth} + random erasing, Fashion-MNIST",
            source,
            _accuracy(erasing),
            missing=missing,
        ),
    )


def _accuracy(error: float) -> float:
    """An accuracy from 0 to 1 of an error in percent."""
    return round(1 - error / 100, 4)


#: (network, error without and with random erasing, in percent)
_ERASING = (
    ("ResNet-20", 4.39, 4.02),
    ("ResNet-32", 4.16, 3.80),
    ("ResNet-44", 4.41, 4.01),
    ("ResNet-56", 4.39, 4.13),
    ("ResNet-110", 4.40, 4.01),
    ("WRN-28-10", 4.01, 3.65),
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
        "d2l-1.0-resnet18",
        "ResNet-18, Fashion-MNIST 96x96, batch 128, lr 0.01, 10 epochs",
        "d2l 1.0, section 8.6 (d2l-en, chapter_convolutional-modern/resnet.md)",
        None,
        experiment="d2l_1_0_resnet18",
    ),
    Entry(
        "fashion-mnist-readme-resnet18",
        "ResNet-18, Fashion-MNIST, flips both ways, moved, rotated",
        "Fashion-MNIST's README",
        0.949,
        missing="the repository that it links to has no ResNet-18 any more, and a README of it says 0.920",
    ),
    Entry(
        "fashion-mnist-readme-wrn28-10",
        "WRN-28-10, Fashion-MNIST, random crops and flips",
        "Fashion-MNIST's README",
        0.959,
        missing="wide networks of 28 layers are not in the suite; the source is random erasing's authors",
    ),
    Entry(
        "fashion-mnist-readme-wrn40-4",
        "WRN-40-4, Fashion-MNIST, random crops and flips",
        "Fashion-MNIST's README",
        0.967,
        missing="wide networks of 40 layers are not in the suite",
    ),
    *(entry for row in _ERASING for entry in _random_erasing(*row)),
    Entry(
        "fmix-resnet18-baseline",
        "pre-activated ResNet-18, Fashion-MNIST, batch 128, lr 0.1, 200 epochs, no mixing",
        "Harris et al., arXiv 2002.12047; recipe: experiments/fashion_experiments.sh of ecs-vlc/FMix",
        None,
        missing="on the first files, as its authors say (ecs-vlc/FMix, datasets/fashion.py)",
    ),
    Entry(
        "mukhamediev2024-cnn-3-128",
        "three convolutional layers, Fashion-MNIST, augmented",
        "Mukhamediev, Mathematics 2024, 12(20), 3174",
        0.9965,
        missing="35 errors in 10,000 are fewer than the test labels that networks doubt (docs/audit.md)",
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
