"""What other libraries call the parameters of our networks: a row for each naming, every transpose listed.

    >>> from gluon_resnet.networks.layout import layout
    >>> names("torchvision", layout(get_spec(50, "torchvision")))["4.0.conv1.weight"]
    ('layer1.0.conv1.weight', None)

Keras keys are written ``layer/variable``, as its HDF5 files nest them.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from ..networks.families import CIFAR, ROWS, family_depths
from ..networks.layout import AnyLayer, Conv, Layout, Norm
from ..networks.specs import ResNetSpec, get_spec

LETTERS = "abcdefghijklmnopqrstuvwxyz"

#: The order of the file's axes that gives ours; None if it is the same.
Axes = Optional[Tuple[int, ...]]
#: (stage, block, i, kind) -> a layer's name: see Naming.
LayerName = Callable[..., str]

#: axes of the file's array in the order that gives ours: (H, W, in, out) to (out, in, H, W), (in, out) to (out, in)
HWIO, IO = (3, 2, 0, 1), (1, 0)


@dataclass(frozen=True)
class Naming:
    """How one library writes a network down.

    ``layer(stage, block, i, kind)`` is its name for a layer (None: our own names): ``kind`` is "conv" or "norm".
    Outside the stages ``stage`` is None and ``i`` is "input", "stem" or "final"; in a block ``i`` counts the
    convolutions from 0, and is None for the shortcut, or "pooled" in networks that pool before it. ``block`` is None
    outside the stages, but counts the convolutions of a stem of several, of which all but the last have the ``i``
    "deep". The classifier has its own name. ``parts`` are the ends of the names of weight, bias, gamma, beta, running
    mean and variance.
    """

    families: Tuple[str, ...]  # families that are written so, the likeliest first
    layer: Optional[LayerName]
    classifier: str
    parts: Tuple[str, ...]
    keras: bool = False  # kernels and matrices are transposed
    counted: bool = False  # names end in a number, counted up for each name in the order the layers are made
    shortcuts: Tuple[str, ...] = ("B",)  # the shortcuts of networks that are written so


def _pytorch(shortcut: str) -> LayerName:
    """torchvision's names, and those of CIFAR's networks that follow it; ``shortcut`` is what the projection is called.

    The norms before the stem and after the last stage, which torchvision does not have, are bn0 and bn_final. A stem
    of several convolutions is ResNet-D's in timm and gluoncv, one sequence with the norms and ReLUs between them.
    """

    def layer(stage: Any, block: Any, i: Any, kind: str) -> str:
        if stage is None:
            if block is not None and (kind == "conv" or i == "deep"):
                return f"conv1.{3 * block + (kind == 'norm')}"
            return "conv1" if kind == "conv" else {"input": "bn0", "stem": "bn1", "final": "bn_final"}[i]
        if i in (None, "pooled"):  # the pooling counts, even where there is none
            return f"layer{stage + 1}.{block}.{shortcut}.{(i == 'pooled') + (kind == 'norm')}"
        return f"layer{stage + 1}.{block}.{'conv' if kind == 'conv' else 'bn'}{i + 1}"

    return layer


def _zoo_v2(stage: Any, block: Any, i: Any, kind: str) -> str:
    if stage is None:
        return f"features.{1 if kind == 'conv' else {'input': 0, 'stem': 2, 'final': 9}[i]}"
    where = f"features.{stage + 5}.{block}"
    return f"{where}.downsample" if i is None else f"{where}.{'conv' if kind == 'conv' else 'bn'}{i + 1}"


def _zoo(stage: Any, block: Any, i: Any, kind: str) -> str:
    if stage is None:
        return f"features.{0 if kind == 'conv' else 1}"
    if i is None:
        return f"features.{stage + 4}.{block}.downsample.{0 if kind == 'conv' else 1}"
    return f"features.{stage + 4}.{block}.body.{3 * i + (kind == 'norm')}"


def _children(stage: Any, block: Any, i: Any, kind: str) -> str:
    """torchvision's layers by the number of the child, in ``Sequential(*resnet.children())``."""
    if stage is None:
        return "0" if kind == "conv" else "1"
    return f"{stage + 4}.{_pytorch('downsample')(stage, block, i, kind).partition('.')[2]}"


def _exported(stage_name: str, shortcut_name: str) -> LayerName:
    """Names in what ``net.export`` writes, after the network's own prefix (which files.py takes off)."""

    def layer(stage: Any, block: Any, i: Any, kind: str) -> str:
        end = "conv" if kind == "conv" else "batchnorm"
        if stage is None:
            return end
        return f"{(shortcut_name if i is None else stage_name).format(stage + 1)}_{end}"

    return layer


def _keras(stage: Any, block: Any, i: Any, kind: str) -> str:
    end = "conv" if kind == "conv" else "bn"
    if stage is None:
        return f"conv1_{end}"
    return f"conv{stage + 2}_block{block + 1}_{0 if i is None else i + 1}_{end}"


def _letter(block: int) -> str:
    return LETTERS[block] if block < len(LETTERS) else f"block{block}"


def _keras2016(stage: Any, block: Any, i: Any, kind: str) -> str:
    if stage is None:
        return "conv1" if kind == "conv" else "bn_conv1"
    branch = "branch1" if i is None else f"branch2{LETTERS[i]}"
    return f"{'res' if kind == 'conv' else 'bn'}{stage + 2}{_letter(block)}_{branch}"


def _article000(stage: Any, block: Any, i: Any, kind: str) -> str:
    if stage is None:
        return "conv1" if kind == "conv" else "bn_conv1"
    end = "conv" if kind == "conv" else "bn"
    if i is None:
        return f"{stage + 2}{_letter(block)}_conv_block_res_{end}"
    return f"{stage + 2}{_letter(block)}_{'conv' if block == 0 else 'identity'}_block_{end}{i + 1}"


TORCH_PARTS = ("weight", "bias", "weight", "bias", "running_mean", "running_var")
GLUON_PARTS = ("weight", "bias", "gamma", "beta", "running_mean", "running_var")
KERAS_PARTS = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")

PREFERRED = ("torchvision", "mxnet")  # if a file's names fit several families
ALL_FAMILIES = (*PREFERRED, *(family for family in ROWS if family not in PREFERRED))
ALL_SHORTCUTS = ("B", "A", "C", "none")

#: naming -> its row; a network exported under torchvision's names may be of any family
NAMINGS: Dict[str, Naming] = {
    "gluon-resnet": Naming(ALL_FAMILIES, None, "", GLUON_PARTS, shortcuts=ALL_SHORTCUTS),
    "torchvision": Naming(ALL_FAMILIES, _pytorch("downsample"), "fc", TORCH_PARTS, shortcuts=ALL_SHORTCUTS),
    # the CIFAR-10 checkpoints in wide use, and a variant of them
    "cifar": Naming((CIFAR,), _pytorch("shortcut"), "linear", TORCH_PARTS, shortcuts=ALL_SHORTCUTS),
    "cifar-downsample": Naming((CIFAR,), _pytorch("downsample"), "linear", TORCH_PARTS, shortcuts=ALL_SHORTCUTS),
    "gluoncv-v1b": Naming(("torchvision", "resnet_d"), _pytorch("downsample"), "fc", GLUON_PARTS),
    "mxnet-zoo": Naming(("mxnet",), _zoo, "output", GLUON_PARTS),
    "mxnet-zoo-exported": Naming(("mxnet",), _exported("stage{}", "stage{}"), "dense", GLUON_PARTS, counted=True),
    "mxnet-zoo-v2": Naming(("v2",), _zoo_v2, "output", GLUON_PARTS),
    "mxnet-zoo-v2-exported": Naming(("v2",), _exported("stage{}", "stage{}"), "dense", GLUON_PARTS, counted=True),
    "gluoncv-v1b-exported": Naming(
        ("torchvision",), _exported("layers{}", "down{}"), "dense", GLUON_PARTS, counted=True
    ),
    # whoever saves a Sequential of a network's children, often without the last
    "torchvision-children": Naming(("torchvision",), _children, "9", TORCH_PARTS),
    "keras": Naming(("keras",), _keras, "predictions", KERAS_PARTS, keras=True),
    # the files that keras.applications itself downloads: their classifier has an older name
    "keras-published": Naming(("keras",), _keras, "probs", KERAS_PARTS, keras=True),
    "keras-2016": Naming(("keras2016",), _keras2016, "fc1000", KERAS_PARTS, keras=True),
    "article-000": Naming(("keras2016",), _article000, "fc1000", KERAS_PARTS, keras=True),
}


def may_hold(naming: str, spec: ResNetSpec) -> bool:
    """Is ``spec`` among the networks that are written under ``naming``?"""
    return spec.family in NAMINGS[naming].families and spec.shortcut in NAMINGS[naming].shortcuts


def specs_of(naming: str) -> Iterator[ResNetSpec]:
    """The specs of the table that may be written under ``naming``, the likeliest first."""
    row = NAMINGS[naming]
    for family in row.families:
        depths = family_depths(family)
        own = get_spec(depths[0], family).shortcut
        for shortcut in sorted(row.shortcuts, key=lambda option: option != own):
            yield from (get_spec(depth, family, shortcut=shortcut) for depth in depths)


def _counted(name: str, made: Dict[str, int]) -> str:
    made[name] += 1
    return f"{name}{made[name] - 1}"


def _places(layout: Layout) -> Iterator[Tuple[AnyLayer, tuple]]:
    """(layer, arguments of Naming.layer) of all layers but the classifier, in the order they are made."""

    def present(pair: tuple, *where: Any) -> Iterator[Tuple[AnyLayer, tuple]]:
        for layer, kind in zip(pair, ("conv", "norm")):
            if layer is not None:
                yield layer, (*where, kind)

    yield from present((None, layout.input_norm), None, None, "input")
    last = len(layout.stem) - 1
    for number, pair in enumerate(layout.stem):
        yield from present(pair, None, number if last else None, "stem" if number == last else "deep")
    for s, stage in enumerate(layout.stages):
        for b, block in enumerate(stage):
            for i, pair in enumerate(block.body):
                yield from present(pair, s, b, i)
            yield from present(block.shortcut or (), s, b, "pooled" if layout.spec.shortcut_pool else None)
    yield from present((None, layout.final_norm), None, None, "final")


def named_layers(naming: str, layout: Layout) -> Iterator[Tuple[AnyLayer, str]]:
    """(layer of the layout, its name in the file) for every layer with parameters, in the order they are made."""
    row = NAMINGS[naming]
    made: Dict[str, int] = Counter()
    assert row.layer is not None, naming  # our own names are those of the layout
    for layer, where in _places(layout):
        name = row.layer(*where)
        yield layer, _counted(name, made) if row.counted else name
    yield layout.classifier, _counted(row.classifier, made) if row.counted else row.classifier


def names(naming: str, layout: Layout) -> Dict[str, Tuple[str, Axes]]:
    """{our parameter name: (the file's key, axes to transpose it by or None)} for every parameter of ``layout``."""
    row = NAMINGS[naming]
    if row.layer is None:
        return {ours: (ours, None) for ours in layout.params()}
    parts = dict(zip(GLUON_PARTS[:2], row.parts[:2])), dict(zip(GLUON_PARTS[2:], row.parts[2:]))
    keys = {}
    for layer, name in named_layers(naming, layout):
        for ours in layer.params:
            part = ours.rpartition(".")[2]
            axes: Axes = None
            if row.keras and part == "weight":
                axes = HWIO if isinstance(layer, Conv) else IO
            key = f"{name}{'/' if row.keras else '_' if row.counted else '.'}{parts[isinstance(layer, Norm)][part]}"
            keys[ours] = key, axes
    return {ours: keys[ours] for ours in layout.params()}


def keras_order(naming: str, layout: Layout) -> Dict[str, List[Tuple[Any, str]]]:
    """{class of layer: [(layer, its name)]} in the order Keras numbers the layers of one class: by depth in the graph.

    A projection's convolution is as deep as the block's last one. The one that is added first comes first:
    keras.applications adds the shortcut first, the networks of 2016 the body.
    """
    named = dict(named_layers(naming, layout))
    pairs = [*layout.stem]
    for block in (block for stage in layout.stages for block in stage):
        ends = [block.body[-1]] + ([block.shortcut] if block.shortcut else [])
        pairs += block.body[:-1]
        pairs += reversed(ends) if naming == "keras" else ends
    return {
        "conv2d": [(conv, named[conv]) for conv, _ in pairs],
        "batch_normalization": [(norm, named[norm]) for _, norm in pairs if norm is not None],
        "dense": [(layout.classifier, named[layout.classifier])],
    }
