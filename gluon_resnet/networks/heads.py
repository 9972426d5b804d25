"""Article 003's fully connected head, ``cnn_to_fc``: a dense layer, a ReLU, dropout in training, an L2 penalty.

    net = gr.slim_resnet(gr.RESNET_DEMO["layer_50"], 3, head="dense_dropout")
    with autograd.record():
        loss = softmax_cross_entropy(net(X), y).mean() + gr.head_penalty(net, 1e-4)

The ReLU is applied to the logits, as in the article: a class whose logit is negative for every image learns nothing
more. The article puts the penalty into a collection of losses that its training loop is to add. Here it is up to the
caller, too: no training of this suite adds it by itself. For plain SGD a weight decay on this one weight is the same
thing; the recipe's ``weight_decay`` decays it like every other weight.
"""

from typing import Any, List

import mxnet as mx
import numpy
from mxnet.gluon import nn

from ..errors import ModelError
from .layout import children


@mx.init.register
class TruncatedNormal(mx.init.Initializer):
    """Normal numbers of standard deviation ``sigma``, drawn again beyond two of them, from NumPy's generator."""

    def __init__(self, sigma: float = 0.1) -> None:
        super().__init__(sigma=sigma)
        self.sigma = sigma

    def _init_weight(self, name: str, array: Any) -> None:
        values = numpy.random.normal(size=array.shape)
        while (abs(values) > 2).any():
            far = abs(values) > 2
            values[far] = numpy.random.normal(size=int(far.sum()))
        array[:] = (self.sigma * values).astype("float32")


def dense_dropout(num_classes: int) -> List[nn.Block]:
    """The head's layers, (N, C, 1, 1) to (N, num_classes): dense with the article's first values, ReLU, dropout 0.5."""
    return [
        nn.Dense(num_classes, weight_initializer=TruncatedNormal(0.1), bias_initializer=mx.init.Constant(0.1)),
        nn.Activation("relu"),
        nn.Dropout(0.5),
    ]


def head_penalty(net: nn.HybridSequential, scale: float) -> Any:
    """scale / 2 times the sum of the squares of the classifier's weight, an array of one number to add to the loss.

    ``net`` is a network of :func:`build`, with any head; ModelError for another. The penalty's gradient is scale times
    the weight. Source: article 003, whose regularizer is TensorFlow's ``l2_regularizer(scale)``.
    """
    spec = getattr(net, "spec", None)
    if spec is None:
        raise ModelError(f"{net.name} is not a network of this suite: head_penalty needs one")
    weight = net[children(spec).index("classifier")].weight.data()
    return scale / 2 * (weight * weight).sum()
