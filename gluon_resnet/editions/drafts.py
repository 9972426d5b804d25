"""A drop-in for ``utils``, a file that the drafts of the Chinese first edition (0.1 to 0.6) came with.

    from gluon_resnet.editions import drafts as utils
    train_data, test_data = utils.load_data_fashion_mnist(batch_size=64, resize=96)
    utils.train(train_data, test_data, net, loss, trainer, utils.try_gpu(), num_epochs=1)

``gluon-resnet play`` gives it to a chapter that imports ``utils`` if there is no such file. Arrays are mxnet.nd, labels
float32.
"""

from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import mxnet as mx
import numpy
from mxnet import gluon
from mxnet.gluon import nn
from mxnet.gluon.data import vision

from . import limits, loaders, loops, plots, releases

EPOCH = "Epoch {before}. Loss: {loss:.3f}, Train acc {train:.2f}, Test acc {test:.2f}, Time {seconds:.1f} sec"


class FloatLabels:
    """The batches of another iterator with labels of float32, as the drafts' cells compare them with predictions."""

    def __init__(self, batches: Any) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Tuple[Any, Any]]:
        for X, y in self.batches:
            yield X, y.astype("float32")

    def __len__(self) -> int:
        return len(self.batches)


class DataLoader:
    """Whole batches of a Gluon data set that is held in memory; what is left over is dropped.

    Args:
        dataset: its ``[:]`` gives images (N, H, W, C) and labels (N,).
        batch_size: images in a batch.
        shuffle: whether each pass has its own order.
        transform: a function of (images, labels) of a batch.
    """

    def __init__(self, dataset: Any, batch_size: int, shuffle: bool, transform: Any = None) -> None:
        self.dataset, self.shuffle, self.transform = dataset, shuffle, transform
        self.batch_size = limits.batch_size(batch_size)

    def __iter__(self) -> Iterator[Tuple[Any, Any]]:
        images, labels = self.dataset[:]
        images, labels = (
            numpy.asarray(getattr(part, "asnumpy", lambda part=part: part)()) for part in (images, labels)
        )
        order = numpy.random.permutation(len(images)) if self.shuffle else numpy.arange(len(images))
        for number in range(len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            X, y = mx.nd.array(images[chosen], dtype=images.dtype), mx.nd.array(labels[chosen])
            yield self.transform(X, y) if self.transform else (X, y)

    def __len__(self) -> int:
        return len(self.dataset) // self.batch_size


class Residual(nn.HybridBlock):
    """Two 3x3 convolutions and a shortcut, with a 1x1 convolution of stride 2 in it if the shape changes."""

    def __init__(self, channels: int, same_shape: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.same_shape, strides = same_shape, 1 if same_shape else 2
        with self.name_scope():
            self.conv1 = nn.Conv2D(channels, kernel_size=3, padding=1, strides=strides)
            self.bn1 = nn.BatchNorm()
            self.conv2 = nn.Conv2D(channels, kernel_size=3, padding=1)
            self.bn2 = nn.BatchNorm()
            if not same_shape:
                self.conv3 = nn.Conv2D(channels, kernel_size=1, strides=strides)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The block's output for x (N, C, H, W)."""
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + (x if self.same_shape else self.conv3(x)))


def resnet18(num_classes: int) -> Any:
    """The drafts' ResNet for small images, of six residual blocks."""
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(nn.BatchNorm(), nn.Conv2D(64, kernel_size=3, strides=1), nn.MaxPool2D(pool_size=3, strides=2))
        for channels, same_shape in ((64, True), (64, True), (128, False), (128, True), (256, False), (256, True)):
            net.add(Residual(channels, same_shape))
        net.add(nn.GlobalAvgPool2D(), nn.Dense(num_classes))
    return net


def transform_mnist(data: Any, label: Any) -> Tuple[Any, Any]:
    """An image (H, W, C) as float32 (C, H, W) between 0 and 1, and its label as float32."""
    return data.astype("float32").transpose((2, 0, 1)) / 255, numpy.float32(label)


def load_data_fashion_mnist(
    batch_size: int, resize: Any = None, root: Optional[str] = None, transform: Optional[Callable[..., Any]] = None
) -> Tuple[Any, Any]:
    """Iterators over the training part (shuffled) and the test part of Fashion-MNIST.

    Args:
        batch_size: images in a batch.
        resize: side of the images in pixels; None leaves them at 28x28.
        root: the folder of mxnet's own downloads; not used.
        transform: a function of (image, label) instead of ``resize``, as draft 0.3 takes it.
    """
    if transform is None and not callable(resize):
        train_iter, test_iter = loaders.load_data_fashion_mnist(batch_size, resize)
        return FloatLabels(train_iter), FloatLabels(test_iter)
    sets = [vision.FashionMNIST(train=train, transform=transform or resize) for train in (True, False)]
    batch_size = limits.batch_size(batch_size)
    return gluon.data.DataLoader(sets[0], batch_size, shuffle=True), gluon.data.DataLoader(sets[1], batch_size)


def sgd(params: Sequence[Any], lr: float) -> None:
    """A step of stochastic gradient descent on arrays with gradients."""
    for param in params:
        param[:] = param - lr * param.grad


def accuracy(output: Any, label: Any) -> float:
    """Share of ``output`` (N, classes) that agrees with the labels (N,)."""
    return loops.accuracy(output, label) / len(label)


def train(
    train_data: Any,
    test_data: Iterable[Any],
    net: Any,
    loss: Any,
    trainer: Any,
    ctx: Any,
    num_epochs: int,
    print_batches: Optional[int] = None,
) -> None:
    """Train a network on one context or several, and print the drafts' line after each epoch.

    Args:
        train_data: batches (X, y) to train on.
        test_data: batches (X, y) to test on.
        net: a Gluon network whose parameters are on all contexts.
        loss: a function of (y_hat, y) with a value for each example.
        trainer: a ``gluon.Trainer``.
        ctx: an mxnet context or a list of them.
        num_epochs: passes over ``train_data``.
        print_batches: no chapter gives it; not used.
    """
    print("Start training on ", ctx)
    contexts = loops.as_contexts(ctx)
    graph = loops.quick(net, train_data, contexts[0], loss) if len(contexts) == 1 else net
    loops.train_on(contexts, train_data, test_data, graph, loss, trainer, num_epochs, EPOCH)


def show_images(imgs: Any, nrows: int, ncols: int, figsize: Optional[Sequence[float]] = None) -> None:
    """Show images (H, W) or (H, W, C) in rows and columns; ``figsize`` is the width and height in inches."""
    plots.show_images(imgs, nrows, ncols, scale=figsize[0] / ncols if figsize else 1)


#: name -> what it is here
NAMES: Dict[str, Any] = {
    "DataLoader": DataLoader,
    "Residual": Residual,
    "SGD": sgd,
    "accuracy": accuracy,
    "evaluate_accuracy": loops.evaluate_accuracy_classic,
    "load_data_fashion_mnist": load_data_fashion_mnist,
    "resnet18": resnet18,
    "show_images": show_images,
    "train": train,
    "transform_mnist": transform_mnist,
    "try_all_gpus": loaders.try_all_gpus,
    "try_gpu": loaders.try_gpu,
}

globals().update(NAMES)


def __getattr__(name: str) -> Any:
    raise releases.missing("utils", name, NAMES)


def __dir__() -> List[str]:
    return sorted(NAMES)
