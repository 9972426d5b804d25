"""A drop-in for ``d2lzh``, the library of the Chinese first edition, and for ``d2l`` 0.8 and 0.9: mxnet.nd arrays.

    from gluon_resnet import d2lzh as d2l
    train_iter, test_iter = d2l.load_data_fashion_mnist(256)
    d2l.train_ch5(net, train_iter, test_iter, batch_size, trainer, d2l.try_gpu(), num_epochs)

It has the names that the chapters up to computer vision call; those of the chapters on text are not here.
"""

import time
from typing import Any, Dict, List, Tuple

import mxnet as mx
from matplotlib import pyplot as plt
from mxnet import gluon, image
from mxnet.gluon import nn

from ..networks.blocks import Residual, resnet_block
from . import loaders, loops, plots, regression, releases
from .base import d2l as base

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of red, green and blue


class Benchmark:
    """Print the seconds that the lines of a ``with`` block take. Source: gluonbook 0.8, d2lzh, d2l 0.8 and 0.9."""

    def __init__(self, prefix: Any = None) -> None:
        self.prefix = f"{prefix} " if prefix else ""

    def __enter__(self) -> None:
        self.start = time.time()

    def __exit__(self, *_: Any) -> None:
        print(f"{self.prefix}time: {time.time() - self.start:.4f} sec")


class VOCSegDataset(gluon.data.Dataset):
    """Images (3, H, W) and class numbers (H, W) of VOC2012's segmentation part, cropped at random.

    Args:
        is_train: the training part or the validation part; gluonbook 0.6 calls it ``train``.
        crop_size: (height, width) of a crop, in pixels; smaller images are left out.
        voc_dir: the folder of VOC2012.
        colormap2label: array (256 ** 3,) from an RGB colour as one number to a class.

    Source: gluonbook, d2lzh, d2l 0.8 and 0.9.
    """

    def __init__(
        self, is_train: Any = None, crop_size: Any = None, voc_dir: Any = None, colormap2label: Any = None, **old: Any
    ) -> None:
        is_train = old.get("train", is_train)
        self.crop_size, self.colormap2label = crop_size, colormap2label
        features, labels = loaders.read_voc_images(voc_dir, is_train)
        self.features = [self.normalize_image(feature) for feature in self.filter(features)]
        self.labels = self.filter(labels)
        print(f"read {len(self.labels)} examples")

    def normalize_image(self, image: Any) -> Any:
        """An image uint8 (H, W, 3) as float32 with ImageNet's mean and deviation taken out; fcn.md calls it."""
        return (image.astype("float32") / 255 - mx.nd.array(MEAN)) / mx.nd.array(DEVIATION)

    def filter(self, images: List[Any]) -> List[Any]:
        """Those of ``images`` that a crop fits into."""
        return [one for one in images if all(a >= b for a, b in zip(one.shape, self.crop_size))]

    def __getitem__(self, index: int) -> Tuple[Any, Any]:
        feature, label = voc_rand_crop(self.features[index], self.labels[index], *self.crop_size)
        return feature.transpose((2, 0, 1)), voc_label_indices(label, self.colormap2label)

    def __len__(self) -> int:
        return len(self.features)


def voc_label_indices(colormap: Any, colormap2label: Any) -> Any:
    """Class numbers (H, W) of a label image (H, W, 3), by the table of colours."""
    colormap = colormap.astype("int32")
    return colormap2label[(colormap[:, :, 0] * 256 + colormap[:, :, 1]) * 256 + colormap[:, :, 2]]


def voc_rand_crop(feature: Any, label: Any, height: int, width: int) -> Tuple[Any, Any]:
    """The same random part of an image and of its label image, ``height`` by ``width`` pixels."""
    feature, rectangle = image.random_crop(feature, (width, height))
    return feature, image.fixed_crop(label, *rectangle)


def corr2d(X: Any, K: Any) -> Any:
    """Two-dimensional cross-correlation of X (H, W) with the kernel K (h, w), without padding."""
    height, width = K.shape
    Y = mx.nd.zeros((X.shape[0] - height + 1, X.shape[1] - width + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = (X[i : i + height, j : j + width] * K).sum()
    return Y


def resnet18(num_classes: int) -> Any:
    """ResNet-18 with a 3x3 first convolution of stride 1 and no pooling after it, for small images."""
    net = nn.HybridSequential()
    net.add(nn.Conv2D(64, kernel_size=3, strides=1, padding=1), nn.BatchNorm(), nn.Activation("relu"))
    net.add(resnet_block(64, 2, first_block=True))
    for num_channels in (128, 256, 512):
        net.add(resnet_block(num_channels, 2))
    net.add(nn.GlobalAvgPool2D(), nn.Dense(num_classes))
    return net


def accuracy(y_hat: Any, y: Any) -> float:
    """Share of ``y_hat`` (N, classes) that agrees with the labels ``y`` (N,). Source: gluonbook 0.6, d2l 0.8."""
    return loops.accuracy(y_hat, y) / len(y)


#: name -> what it is here
NAMES: Dict[str, Any] = {
    "Benchmark": Benchmark,
    "Residual": Residual,
    "VOCSegDataset": VOCSegDataset,
    "VOC_CLASSES": base.VOC_CLASSES,
    "VOC_COLORMAP": base.VOC_COLORMAP,
    "accuracy": accuracy,
    "bbox_to_rect": base.bbox_to_rect,
    "corr2d": corr2d,
    "data_iter": regression.data_iter,
    "download_voc_pascal": loaders.download_voc_pascal,
    "evaluate_accuracy": loops.evaluate_accuracy_classic,
    "get_data_ch7": regression.get_data_ch7,
    "get_fashion_mnist_labels": base.get_fashion_mnist_labels,
    "linreg": regression.linreg,
    "load_data_fashion_mnist": loaders.load_data_fashion_mnist,
    "load_data_pikachu": loaders.load_data_pikachu,
    "mkdir_if_not_exist": loaders.mkdir_if_not_exist,
    "optimize": regression.optimize,
    "plt": plt,
    "read_voc_images": loaders.read_voc_images,
    "resnet18": resnet18,
    "semilogy": plots.semilogy,
    "set_figsize": base.set_figsize,
    "sgd": regression.sgd,
    "show_bboxes": base.show_bboxes,
    "show_fashion_mnist": plots.show_fashion_mnist,
    "show_images": plots.show_images,
    "show_trace_2d": plots.show_trace_2d,
    "squared_loss": regression.squared_loss,
    "train": loops.train_classic,
    "train_2d": regression.train_2d,
    "train_ch3": loops.train_ch3_classic,
    "train_ch5": loops.train_ch5_classic,
    "train_ch7": regression.train_ch7,
    "train_ch9": regression.train_ch7,
    "train_gluon_ch7": regression.train_gluon_ch7,
    "train_gluon_ch9": regression.train_gluon_ch7,
    "try_all_gpus": loaders.try_all_gpus,
    "try_gpu": loaders.try_gpu,
    "use_svg_display": base.use_svg_display,
    "voc_classes": base.VOC_CLASSES,
    "voc_colormap": base.VOC_COLORMAP,
    "voc_label_indices": voc_label_indices,
    "voc_rand_crop": voc_rand_crop,
}

globals().update(NAMES)


def __getattr__(name: str) -> Any:
    raise releases.missing("d2lzh", name, NAMES)


def __dir__() -> List[str]:
    return sorted(NAMES)
