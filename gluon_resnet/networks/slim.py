"""Article 003's ResNet-50, 101 and 152: built from a dictionary, with padded shortcuts and no projections.

    net = gr.slim_resnet(gr.RESNET_DEMO["layer_50"], num_classes=3)
    gluon-resnet shapes resnet50@slim --input 1,3,224,224

The article's text shows two networks: a ``bottleneck(input, depth)`` that subsamples where the channels change, and an
``inference`` that passes a stride to the last unit of a stage, as TensorFlow's slim does. Decided here, and why:

- the last unit of a stage halves height and width, the last stage keeps them: ``inference`` is what the article runs;
- its stride is that of the 3x3 convolution, and of the shortcut's 1x1 max pooling: slim's own unit, which the
  signature ``bottleneck(data, depth, stride, is_train)`` of ``inference`` follows. Where the channels change, zeros go
  on both sides;
- convolutions of stride 2 are padded alike on both sides (the article's ``conv2d_same``; TensorFlow's "SAME" is not),
  and slim's max pooling is "VALID": 224, 112, 55, 28, 14, 7, 7;
- the first two convolutions of a unit have a batch norm and a ReLU and no bias, the last has a bias and neither (the
  article sets its ``activation_fn`` and ``normalizer_fn`` to None, so the others' are not None); so does the stem;
- those batch norms have no gamma and eps 1e-3, the defaults of ``slim.batch_norm``, as the article sets neither; the
  final one (``tf.layers.batch_normalization``) has a gamma;
- the head is a 1x1 convolution on the pooled features, or the article's ``cnn_to_fc`` on them (heads.py).
"""

from dataclasses import replace
from typing import Any, Dict, List, Optional, Tuple, Union

from ..errors import ModelError
from .families import DEPTHS, ROWS, family_depths
from .specs import ResNetSpec, check_classes, get_spec

#: One stage of article 003's dictionary: {"depth": its channels, "num_class": its number of units}.
Entry = Dict[str, int]

#: Article 003's dictionary, as printed there but for line breaks: made from the table.
RESNET_DEMO: Dict[str, List[Entry]] = {
    f"layer_{depth}": [{"depth": 256 * 2**stage, "num_class": size} for stage, size in enumerate(DEPTHS[depth][1])]
    for depth in family_depths("slim")
}

HEADS = {"conv": "slim", "dense_dropout": "slim_fc"}


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _stage(entry: Any, where: str) -> Tuple[int, int]:
    """(channels, units) of one entry of the dictionary; ModelError says what is wrong with it."""
    example = 'such as {"depth": 256, "num_class": 3}'
    if not isinstance(entry, dict) or set(entry) != {"depth", "num_class"}:
        raise ModelError(f"{where} is {entry!r}: expected a dictionary of depth and num_class, {example}")
    if not _whole(entry["depth"], 4) or entry["depth"] % 4:
        raise ModelError(f"{where}: depth is {entry['depth']!r}: expected a positive multiple of 4, {example}")
    if not _whole(entry["num_class"], 1):
        raise ModelError(
            f"{where}: num_class is {entry['num_class']!r}: expected a number of units of at least 1, {example}"
        )
    return entry["depth"], entry["num_class"]


def slim_spec(
    demo: Union[Dict[str, List[Entry]], List[Entry]],
    num_classes: int = 1000,
    head: str = "conv",
    layer: Optional[str] = None,
) -> ResNetSpec:
    """The spec of article 003's dictionary, or of one of its lists.

    Args:
        demo: {"layer_50": [stages], ...} as :data:`RESNET_DEMO`, or one such list. A stage is
            {"depth": its channels, "num_class": its number of units}.
        num_classes: at least 1.
        head: "conv" or "dense_dropout".
        layer: which list of the dictionary; may be left out if there is only one.

    Raises:
        ModelError: something is not as above; the message names the entry.
    """
    where = "demo"
    if head not in HEADS:
        raise ModelError(f"head is {head!r}: expected {' or '.join(HEADS)}")
    if isinstance(demo, dict):
        if layer is None and len(demo) != 1:
            held = ", ".join(map(repr, demo)) or "nothing"
            raise ModelError(f"demo holds {held}: expected one list; give layer=, or demo[...]")
        layer = next(iter(demo)) if layer is None else layer
        if layer not in demo:
            raise ModelError(f"demo has no {layer!r}: it holds {', '.join(map(repr, demo))}")
        demo, where = demo[layer], f"demo[{layer!r}]"
    if not isinstance(demo, (list, tuple)) or not demo:
        raise ModelError(f"{where} is {demo!r}: expected a list of stages, such as {{'depth': 256, 'num_class': 3}}")
    stages = [_stage(entry, f"{where}[{i}]") for i, entry in enumerate(demo)]
    for i in range(1, len(stages)):
        if stages[i][0] < stages[i - 1][0]:
            raise ModelError(
                f"{where}[{i}]: depth {stages[i][0]} is less than {stages[i - 1][0]} before it: zeros can "
                f"only add channels"
            )
    return _spec(tuple(width for width, _ in stages), tuple(size for _, size in stages), num_classes, HEADS[head])


def _spec(widths: Tuple[int, ...], sizes: Tuple[int, ...], num_classes: int, family: str) -> ResNetSpec:
    num_classes = check_classes(num_classes)
    for depth in family_depths(family):
        spec = get_spec(depth, family, num_classes)
        if (spec.stage_channels, spec.stage_sizes) == (widths, sizes):
            return spec
    if widths[0] < ROWS[family].get("stem_channels", 64):
        raise ModelError(f"demo: the first depth is {widths[0]}: expected at least 64, the channels after the stem")
    return replace(get_spec(50, family, num_classes), depth=3 * sum(sizes) + 2, stage_sizes=sizes, widths=widths)


def slim_resnet(
    demo: Union[Dict[str, List[Entry]], List[Entry]],
    num_classes: int = 1000,
    head: str = "conv",
    layer: Optional[str] = None,
) -> Any:
    """Article 003's network, not initialized: (N, C, H, W) float32 to (N, num_classes); as :func:`slim_spec`."""
    from .models import build  # with mxnet, which a spec does without

    return build(slim_spec(demo, num_classes, head, layer))
