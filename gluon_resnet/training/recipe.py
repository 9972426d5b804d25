"""How a network is trained: article 001's plain SGD, and a field for each addition to it.

For example:

    recipe = Recipe(lr=0.1, epochs=10, momentum=0.9, schedule="cosine", mixup=0.2)
    gr.fit(net, train_iter, test_iter, recipe, device)
    gluon-resnet train fashion-mnist --set momentum=0.9 --set schedule=cosine
"""

import math
from dataclasses import dataclass
from typing import Tuple

from ..errors import ConfigError, whole
from .schedules import SCHEDULES, rate

OPTIMIZERS = ("sgd", "nag", "adam", "adamw", "lamb", "muon")
HAVE_MOMENTUM = ("sgd", "nag", "muon")
#: what patience and keep_best go by, and its name in a sentence
PATIENCE_METRICS = {"test_acc": "higher test accuracy", "test_loss": "lower test loss"}


@dataclass(frozen=True)
class Recipe:
    """A way to train. The defaults are the book's: SGD, a constant rate, nothing else."""

    lr: float = 0.05  # learning rate
    epochs: int = 10  # passes over the training data
    optimizer: str = "sgd"  # sgd, nag, adam, adamw, lamb, muon
    momentum: float = 0.0  # of sgd, nag and muon
    muon_lr: float = 1.0  # optimizer muon: factor on the rate of 3x3 weights; all others have nag's updates
    bias_lr: float = 1.0  # factor on the rate of batch norm's biases (beta)
    weight_decay: float = 0.0  # of weights alone
    decay_all: bool = False  # weight decay of batch norm's parameters and of biases, too
    schedule: str = "constant"  # constant, step, cosine, poly, onecycle
    warmup_epochs: float = 0.0  # epochs in which the rate rises in a straight line to lr
    step_epochs: Tuple[float, ...] = ()  # schedule step: the rate falls after each of these
    step_factor: float = 0.1  # schedule step: by this factor
    power: float = 2.0  # schedule poly: the exponent
    label_smoothing: float = 0.0  # share of a label that is spread over all classes
    mixup: float = 0.0  # alpha of the Beta distribution that images are mixed by
    cutmix: float = 0.0  # the same for pasted rectangles; of mixup, cutmix and fmix each batch has one
    fmix: float = 0.0  # the same for pasted patches of any shape
    erase: float = 0.0  # probability that a rectangle of an image becomes noise (random erasing)
    cutout: int = 0  # side in pixels of a square that becomes 0 in every image
    ema: float = 0.0  # decay, for each batch, of the moving average of the parameters that is tested and kept
    lookahead: int = 0  # updates after which all parameters go back part of the way (averages.py); 0 is never
    lookahead_share: float = 0.5  # the part of the way that is kept
    accumulate: int = 1  # batches whose gradients are summed for one update
    clip: float = 0.0  # largest norm of the gradient of the mean loss, over all parameters; 0 is no limit
    patience: int = 0  # epochs without a better test result after which training stops; 0 is never
    patience_metric: str = "test_acc"  # what patience and keep_best go by: test_acc, or test_loss (less is better)
    dirac: bool = False  # 3x3 convolutions begin with filters that hand their channel on (initial.py)
    zero_gamma: bool = False  # a block begins as its shortcut: the scale of its last batch norm is 0 (initial.py)
    # Training batches of whose patches the stem's filters are made, so that they whiten them; they are not trained
    # (initial.py).
    whiten_batches: int = 0
    freeze_stages: int = 0  # 1: the stem is not trained; 2: nor is the first stage; and so on
    freeze_norm: bool = False  # batch norm keeps its parameters and running statistics
    head_lr: float = 1.0  # factor on the classifier's rate
    # Training batches from which batch-norm statistics are re-estimated before each test (norm_statistics.py). Without
    # effect with ema, whose averages include the statistics, and with freeze_norm.
    norm_batches: int = 0
    test_views: int = 1  # 2: after the last epoch also test with each image and its mirror image (views_acc)
    winograd: bool = True  # on a CPU, faster 3x3 convolutions if available (winograd.py); the one thing that is on
    seed: int = 0  # of the initial values, the order of the images, and every random change to them

    def check(self) -> None:
        """Raise ConfigError for a value outside its range."""
        ranges = {
            "momentum": (0, 1),
            "label_smoothing": (0, 1),
            "ema": (0, 1),
            "weight_decay": (0, math.inf),
            "warmup_epochs": (0, math.inf),
            "mixup": (0, math.inf),
            "cutmix": (0, math.inf),
            "fmix": (0, math.inf),
            "cutout": (0, math.inf),
            "clip": (0, math.inf),
            "patience": (0, math.inf),
            "freeze_stages": (0, math.inf),
            "head_lr": (0, math.inf),
            "bias_lr": (0, math.inf),
            "muon_lr": (0, math.inf),
            "lookahead": (0, math.inf),
            "norm_batches": (0, math.inf),
            "whiten_batches": (0, math.inf),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value < high:
                raise ConfigError(
                    f"{name} is {value}: expected at least {low}"
                    + (f" and less than {high}" if high < math.inf else "")
                )
        if not 0 <= self.erase <= 1:
            raise ConfigError(f"erase is {self.erase}: expected a probability from 0 to 1")
        if not 0 < self.lookahead_share <= 1:
            raise ConfigError(f"lookahead_share is {self.lookahead_share}: expected above 0 and up to 1")
        whole("epochs", self.epochs)
        whole("accumulate", self.accumulate)
        if self.test_views not in (1, 2):
            raise ConfigError(f"test_views is {self.test_views}: expected 1, or 2 for a mirror image")
        if not self.lr > 0 or not math.isfinite(self.lr):
            raise ConfigError(f"lr is {self.lr!r}: expected a learning rate above 0")
        if self.optimizer not in OPTIMIZERS:
            raise ConfigError(f"optimizer is {self.optimizer!r}: expected one of {', '.join(OPTIMIZERS)}")
        if self.momentum and self.optimizer not in HAVE_MOMENTUM:
            raise ConfigError(f"momentum is {self.momentum}: {self.optimizer} has none of that name; leave it at 0")
        if self.patience_metric not in PATIENCE_METRICS:
            raise ConfigError(
                f"patience_metric is {self.patience_metric!r}: expected one of {', '.join(PATIENCE_METRICS)}"
            )
        if self.schedule not in SCHEDULES:
            raise ConfigError(f"schedule is {self.schedule!r}: expected one of {', '.join(SCHEDULES)}")

    def learning_rate(self, position: float) -> float:
        """The learning rate after ``position`` epochs; 2.5 is the middle of the third."""
        return rate(
            self.schedule,
            self.lr,
            position,
            self.epochs,
            self.warmup_epochs,
            self.step_epochs,
            self.step_factor,
            self.power,
        )

    @property
    def unrenewed(self) -> str:
        """Why batch-norm statistics are not re-estimated before testing; an empty string if they are."""
        return (
            "ema averages batch norm's statistics, too"
            if self.ema
            else "freeze_norm keeps batch norm's statistics"
            if self.freeze_norm
            else ""
        )

    @property
    def renewing(self) -> int:
        """Training batches from which batch-norm statistics are re-estimated before each test; 0 if they are not."""
        return 0 if self.unrenewed else self.norm_batches

    @property
    def softens(self) -> bool:
        """Whether labels are distributions over the classes instead of numbers."""
        return bool(self.label_smoothing or self.mixup or self.cutmix or self.fmix)

    @property
    def begins(self) -> str:
        """The field of the initial values that the recipe asks for, if any."""
        return next((name for name in ("dirac", "zero_gamma", "whiten_batches") if getattr(self, name)), "")

    @property
    def erases(self) -> bool:
        """Whether parts of images are erased."""
        return bool(self.erase or self.cutout)
