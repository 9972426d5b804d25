"""Where a network looked: Grad-CAM, the gradient of a class's score at the last feature maps.

    engine = make_engine("gluon", run.spec, run.params)
    seen = grad_cam(engine, X)                              # X (N, C, H, W) float32; or grad_cam(net, X)
    seen.maps[0], seen.classes[0]                           # (H / 32, W / 32) from 0 up, the class predicted
    heat = enlarge(seen.maps[0], 224, 224)                  # (224, 224) from 0 to 1

Selvaraju et al., arXiv 1610.02391, equations 1 and 2. After these maps the networks have only the mean over the image
and one linear layer, so the map is that of CAM (Zhou et al., arXiv 1512.04150), divided by the number of places.
"""

from dataclasses import dataclass
from typing import Any, Callable, List, Optional, Sequence, Tuple

import cv2
import numpy

from ..errors import ConfigError
from ..networks.layout import children


@dataclass(frozen=True)
class ClassMaps:
    """``maps`` float32 (N, h, w), at least 0: the evidence for the class at each place.

    ``classes`` int (N,) are the classes that they are for, ``logits`` (N, num_classes) the scores.
    """

    maps: numpy.ndarray
    classes: numpy.ndarray
    logits: numpy.ndarray


def grad_cam(network: Any, X: numpy.ndarray, classes: Optional[Sequence[int]] = None) -> ClassMaps:
    """The :class:`ClassMaps` of images X (N, C, H, W) float32 for ``classes`` (N,), by default those predicted.

    ``network`` is an engine "gluon" or "gluon-plain", which computes the feature maps in its own way, or a Gluon
    network of this suite with its parameters. The gradient is taken at the feature maps, after which there is no batch
    norm, so it is the gradient of inference. Raises ConfigError for a class that the network lacks.
    """
    import mxnet as mx  # here, as a report reads kept maps without it

    array = mx.np.array if mx.util.is_np_array() else mx.nd.array
    net = getattr(network, "net", network)
    device = next(iter(net.collect_params().values())).list_ctx()[0]
    body, head = _halves(net)
    if net is not network:
        A = array(network.features(X), ctx=device)
    else:
        A = array(X, ctx=device)  # (N, C, H, W)
        for layer in body:
            A = layer(A)
    A = A.detach()  # (N, K, h, w), K feature maps
    logits = head(A).asnumpy()  # (N, num_classes)
    chosen = _chosen(classes, logits)
    A.attach_grad()
    with mx.autograd.record(train_mode=False):
        score = (head(A) * array(numpy.eye(logits.shape[1], dtype="float32")[chosen], ctx=device)).sum()
    score.backward()
    alpha = A.grad.asnumpy().mean(axis=(2, 3))  # (N, K), equation 1
    maps = numpy.maximum(numpy.einsum("nk,nkhw->nhw", alpha, A.asnumpy()), 0)  # (N, h, w), equation 2
    return ClassMaps(maps, chosen, logits)


def _halves(net: Any) -> Tuple[List[Any], Callable[[Any], Any]]:
    """(the layers up to the last feature maps, the function from there to the classes' scores (N, num_classes))."""
    kinds = children(net.spec)
    split = kinds.index("average_pool")
    # article 003's head has a ReLU after the scores, through which those below 0 would have no gradient
    layers = [layer for kind, layer in zip(kinds, net) if kind not in ("head_relu", "dropout")]

    def head(A: Any) -> Any:
        for layer in layers[split:]:
            A = layer(A)
        return A

    return layers[:split], head


def _chosen(classes: Optional[Sequence[int]], logits: numpy.ndarray) -> numpy.ndarray:
    if classes is None:
        return logits.argmax(axis=1)
    chosen, last = numpy.asarray(classes), logits.shape[1] - 1
    if chosen.shape != (len(logits),) or chosen.dtype.kind not in "iu" or not 0 <= chosen.min() <= chosen.max() <= last:
        raise ConfigError(f"classes is {classes!r}: expected {len(logits)} whole numbers from 0 to {last}")
    return chosen


def enlarge(class_map: numpy.ndarray, height: int, width: int) -> numpy.ndarray:
    """A map (h, w) at ``height`` x ``width``, bilinear, divided by its largest value: from 0 to 1, or all 0."""
    heat = cv2.resize(numpy.float32(class_map), (width, height), interpolation=cv2.INTER_LINEAR)  # (height, width)
    return heat / heat.max() if heat.max() > 0 else heat
