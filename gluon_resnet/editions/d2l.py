"""A drop-in for ``from d2l import mxnet as d2l``: d2l 1.0.3, and what other MXNet editions since d2l 0.10 had.

    from gluon_resnet import d2l
    train_iter, test_iter = d2l.load_data_fashion_mnist(256, resize=96)
    d2l.train_ch6(net, train_iter, test_iter, num_epochs=10, lr=0.05)

Names come from :data:`REPLACED`, then from d2l 1.0.3, then from :data:`RESTORED`. docs/d2l.md is made from these.
"""

from typing import Any, Dict, List

from . import loaders, loops, notes, plots, releases
from .base import *  # noqa: F403
from .base import d2l as base


class Trainer(base.Trainer):
    """d2l 1.0's Trainer; ``gluon-resnet play`` may limit its epochs."""

    max_epochs: Any

    def fit(self, model: Any, data: Any) -> None:
        """Train ``model``, a d2l.Module, on ``data``, a d2l.DataModule."""
        self.max_epochs = loops.limits.epochs(self.max_epochs)
        super().fit(model, data)


class LowerCaseBenchmark:
    """Time the lines of a ``with`` block; ``description`` has a place for the seconds. Source: d2l 0.11 to 0.13."""

    def __init__(self, description: str = "Done in %.4f sec") -> None:
        self.description = description

    def __enter__(self) -> "LowerCaseBenchmark":
        self.timer = base.Timer()
        return self

    def __exit__(self, *_: Any) -> None:
        print(self.description % self.timer.stop())


#: Names that d2l 1.0.3 has, too, and why its own do not serve.
REPLACED: Dict[str, Any] = {
    "Animator": plots.Animator,
    "FashionMNIST": loaders.FashionMNIST,
    "Trainer": Trainer,
    "download": loaders.download,
    "download_extract": loaders.download_extract,
    "get_dataloader_workers": loaders.get_dataloader_workers,
    "load_data_bananas": loaders.load_data_bananas,
    "load_data_fashion_mnist": loaders.load_data_fashion_mnist,
    "plot": plots.plot,
    "read_voc_images": loaders.read_voc_images,
    "train_ch6": loops.train_ch6,
    "train_ch13": loops.train_ch13,
    "try_all_gpus": loaders.try_all_gpus,
    "try_gpu": loaders.try_gpu,
}

#: Names that d2l 1.0.3 lacks.
RESTORED: Dict[str, Any] = {
    "benchmark": LowerCaseBenchmark,
    "build_colormap2label": loaders.build_colormap2label,
    "download_all": loaders.download_all,
    "download_pikachu": loaders.download_pikachu,
    "download_voc_pascal": loaders.download_voc_pascal,
    "get_data_ch10": base.get_data_ch11,
    "load_data_pikachu": loaders.load_data_pikachu,
    "mkdir_if_not_exist": loaders.mkdir_if_not_exist,
    "predict_ch3": loops.predict_ch3,
    "semilogy": plots.semilogy,
    "show_fashion_mnist": plots.show_fashion_mnist,
    "train_batch_ch12": base.train_batch_ch13,
    "train_ch3": loops.train_ch3,
    "train_ch5": loops.train_ch5,
    "train_ch10": base.train_ch11,
    "train_ch12": loops.train_ch13,
    "train_epoch_ch3": loops.train_epoch_ch3,
    "train_gluon_ch10": base.train_concise_ch11,
    "train_gluon_ch11": base.train_concise_ch11,
}

for _name, _value in REPLACED.items():
    setattr(base, _name, _value)  # d2l 1.0.3's own functions call them, too
globals().update(REPLACED)


def __getattr__(name: str) -> Any:
    if name in RESTORED:
        notes.say("restored", f"d2l.{name}: in {releases.of(name)}")
        return RESTORED[name]
    raise releases.missing("d2l", name, __dir__())


def __dir__() -> List[str]:
    return sorted({name for name in globals() if not name.startswith("_")} | set(RESTORED))
