"""ResNet by hand in NumPy alone: every operator both ways, every network of the table, and a fast folded one.

    from gluon_resnet import byhand
    net = byhand.ResNet(parse_model("resnet50@torchvision"))
    loss, gradients = net.loss_and_gradients(X, y)
    logits = net.folded()(X)

Nothing here imports mxnet. Article 004 writes ResNet-50's algorithms by hand in the same way.
"""

from .conv import (
    col2im,
    conv2d_im2col,
    conv2d_im2col_backward,
    conv2d_loops,
    conv2d_loops_backward,
    conv2d_vectorised,
    conv2d_vectorised_backward,
    grouped,
    grouped_backward,
    im2col,
)
from .folded import Folded
from .heads import (
    cross_entropy,
    cross_entropy_backward,
    linear,
    linear_backward,
    relu,
    relu_backward,
    softmax,
    softmax_backward,
)
from .norm import (
    batch_norm_inference,
    batch_norm_inference_backward,
    batch_norm_training,
    batch_norm_training_backward,
    updated_running,
)
from .params import is_trainable, random_params, trainable_names
from .pooling import (
    avg_pool,
    avg_pool_backward,
    global_avg_pool,
    global_avg_pool_backward,
    max_pool,
    max_pool_backward,
)
from .resnet import ResNet
from .shortcuts import mean_shortcut, mean_shortcut_backward, pad_shortcut, pad_shortcut_backward

__all__ = [
    "ResNet",
    "Folded",
    "random_params",
    "is_trainable",
    "trainable_names",
    "im2col",
    "col2im",
    "conv2d_loops",
    "conv2d_loops_backward",
    "conv2d_vectorised",
    "conv2d_vectorised_backward",
    "conv2d_im2col",
    "conv2d_im2col_backward",
    "grouped",
    "grouped_backward",
    "batch_norm_training",
    "batch_norm_training_backward",
    "batch_norm_inference",
    "batch_norm_inference_backward",
    "updated_running",
    "relu",
    "relu_backward",
    "linear",
    "linear_backward",
    "softmax",
    "softmax_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "max_pool",
    "max_pool_backward",
    "avg_pool",
    "avg_pool_backward",
    "global_avg_pool",
    "global_avg_pool_backward",
    "pad_shortcut",
    "pad_shortcut_backward",
    "mean_shortcut",
    "mean_shortcut_backward",
]
