"""A bfloat16 convolution and its gradients against float64, in a process that may not survive: amx.py runs it.

    DNNL_MAX_CPU_ISA=AVX512_CORE_AMX python -m gluon_resnet.training.amx_proof

The last line is JSON: the largest error of each pass, relative to its largest value. The float64 side is NumPy's
(byhand/conv.py).
"""

import json
import sys
from typing import Dict

import numpy

from ..byhand.conv import conv2d_im2col, conv2d_im2col_backward
from . import amx


def rounded(values: numpy.ndarray) -> numpy.ndarray:
    """float32 ``values`` rounded to numbers that bfloat16 has, to the nearest, ties to even."""
    bits = values.astype(numpy.float32).view(numpy.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(numpy.uint32).view(numpy.float32)


def errors(seed: int = 0) -> Dict[str, float]:
    """{pass: its largest error} of one 3x3 convolution of 64 channels on images of 14x14."""
    import mxnet as mx

    from ..networks.layers import Conv2D

    random = numpy.random.RandomState(seed)
    X, weight, dY = (rounded(random.normal(size=shape)) for shape in ((8, 64, 14, 14), (64, 64, 3, 3), (8, 64, 14, 14)))
    conv = Conv2D(64, kernel_size=3, padding=1, in_channels=64, use_bias=False)
    conv.initialize()
    conv.precision = "bfloat16"
    conv.hybridize()
    conv.weight.set_data(mx.nd.array(weight))
    images = mx.nd.array(X)
    images.attach_grad()
    with mx.autograd.record():
        Y = mx.nd.amp_cast(conv(images), dtype="float32")
    Y.backward(mx.nd.array(dY))
    wide = X.astype("float64"), weight.astype("float64")
    dX, dweight, _ = conv2d_im2col_backward(dY.astype("float64"), *wide, stride=1, padding=1)
    expected = conv2d_im2col(*wide, None, stride=1, padding=1), dX, dweight
    found = Y.asnumpy(), images.grad.asnumpy(), conv.weight.grad().asnumpy()
    return {
        name: float(abs(ours - exact).max() / abs(exact).max())
        for name, ours, exact in zip(amx.PASSES, found, expected)
    }


if __name__ == "__main__":
    if amx.unsuitable() or amx.ask_kernel():
        sys.exit(1)
    print(json.dumps(errors()))
