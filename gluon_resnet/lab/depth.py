"""How training reaches the layers of a network: gradient norms by depth, and the size of each block's residual.

    table = depth.probe(net, X, y)
    depth.draw({"plain-20": depth.probe(plain, X, y), "ResNet-20": depth.probe(residual, X, y)})

A listener does this for a whole training run, at initialization and after each epoch, and writes depth.csv into the run
folder:

    listeners.append(depth.DepthLog(net, X, y, folder))

A residual block computes relu(X + F(X)) (He et al., arXiv 1512.03385, equation 1). The paper argues that vanishing
gradients are not what degrades plain networks (section 4.1), and that residuals are small (figure 7). This module
measures both.
"""

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple, Union

import numpy
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mxnet import autograd, gluon
from mxnet.gluon import nn

from ..devices import array
from ..errors import ModelError, RunError
from ..figures import new_figure
from ..files import writing
from ..networks.blocks import blocks_by_name
from ..networks.layout import Block, Conv, Layout, layout
from ..networks.shapes import watched
from ..training.progress import Record

COLUMNS = ["kind", "name", "stage", "position", "gradient_norm", "input_norm", "residual_norm", "ratio", "measured"]
LAYER, PROJECTION, BLOCK = "layer", "projection", "block"
NAME = "depth.csv"


def probe(net: Any, X: Any, y: Any) -> pd.DataFrame:
    """Gradient norms and residuals of a network on one batch.

    The network is run in training mode, with the batch's statistics and without dropout. Parameters, their gradients
    and running statistics are left unchanged.

    Args:
        net: an initialized network of this suite, such as ``gr.resnet18()``.
        X: the batch, float32 (N, C, H, W).
        y: its labels (N,).

    Returns:
        A table with the columns :data:`COLUMNS` and a row for each layer, in the order they run. ``kind`` is "layer"
        (a convolution on the way from input to output, or the classifier), "projection" (a convolution of a shortcut)
        or "block" (a residual block). ``stage`` is 0 for the stem and counts from 1; the classifier comes after the
        last stage. ``position`` counts from 1 within a kind. ``gradient_norm`` is the L2 norm of the gradient of the
        mean cross-entropy with respect to the trained parameters of the row; NaN if all are frozen.

        Only blocks have the other columns. ``input_norm`` is |X| and ``residual_norm`` |F(X)|, root mean squares over
        all entries of the batch; ``ratio`` is |F(X)| / |X|, and ``measured`` is "residual". A plain block has no
        residual; its output is used instead, and ``measured`` is "output".

    Raises:
        ModelError: the network has no spec, or is not initialized.
    """
    plan = _plan(net)
    device = next(iter(net.collect_params().values())).list_ctx()[0]
    X, y = (_array(value, device) for value in (X, y))
    _finish_initialization(net, X)
    with _undisturbed(net):
        outputs, gradients = _passes(net, plan, X, y, device)
    rows: List[Dict[str, Any]] = []
    counts = {LAYER: 0, PROJECTION: 0, BLOCK: 0}
    for kind, name, stage, block in _parts(plan):
        counts[kind] += 1
        row: Dict[str, Any] = {
            "kind": kind,
            "name": name,
            "stage": stage,
            "position": counts[kind],
            "gradient_norm": _norm(gradients, name),
        }
        if block is not None:
            before, after = (_root_mean_square(value) for value in outputs[name])
            row.update(
                input_norm=before,
                residual_norm=after,
                ratio=after / before if before > 0 else numpy.nan,
                measured="residual" if block.adds else "output",
            )
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _plan(net: Any) -> Layout:
    """The layout of ``net``; raises ModelError if it has none, or no parameters yet."""
    if not hasattr(net, "spec"):
        raise ModelError(f"depth.probe: {net.name} has no spec: expected one of this suite, such as gr.resnet18()")
    for param in net.collect_params().values():
        if param._data is None and not param._deferred_init:
            raise ModelError(f"depth.probe: {param.name} has no values: call net.initialize() first")
    return layout(net.spec)


def _parts(plan: Layout) -> Iterator[Tuple[str, str, int, Optional[Block]]]:
    """(kind, name, stage, Block or None) of every row, in the order they run; a block comes after its layers."""
    yield from ((LAYER, conv.name, 0, None) for conv, _ in plan.stem)
    for stage, blocks in enumerate(plan.stages, 1):
        for block in blocks:
            body = {conv.name for conv, _ in block.body}
            for layer in block.layers():
                if isinstance(layer, Conv):
                    yield LAYER if layer.name in body else PROJECTION, layer.name, stage, None
            yield BLOCK, block.name, stage, block
    yield LAYER, plan.classifier.name, len(plan.stages) + 1, None


def _last_layer(block: Block) -> str:
    """Name of the layer whose output is F(X) of a residual block."""
    conv, norm = block.body[-1]
    return conv.name if norm is None or block.preactivation else norm.name


@contextmanager
def _undisturbed(net: Any) -> Iterator[None]:
    """Context without dropout, which would draw random numbers; running statistics are restored at its end."""
    saved = [
        (param, [array.copy() for array in param.list_data()])
        for param in net.collect_params().values()
        if param.grad_req == "null"
    ]
    dropouts: List[Tuple[Any, float]] = []
    net.apply(lambda block: dropouts.append((block, block._rate)) if isinstance(block, nn.Dropout) else None)
    for block, _ in dropouts:
        block._rate = 0
    try:
        yield
    finally:
        for block, rate in dropouts:
            block._rate = rate
        for param, before in saved:
            for array, values in zip(param.list_data(), before):
                array[:] = values


def _passes(
    net: Any, plan: Layout, X: Any, y: Any, device: Any
) -> Tuple[Dict[str, Tuple[Any, Any]], Dict[str, numpy.ndarray]]:
    """Run the batch forward and backward.

    Returns ({block's name: (X, F(X) or output)} as MXNet arrays, {parameter's name: gradient}).
    """
    by_name = blocks_by_name(net)
    blocks = [block for stage in plan.stages for block in stage]
    names = {id(by_name[name]): name for block in blocks for name in (block.name, _last_layer(block))}
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    with watched(net, [by_name[name] for name in names.values()]) as calls:
        with autograd.record(train_mode=True):
            mean_loss = loss(net(X), y).mean()
        trained = {name: param for name, param in net._collect_params_with_prefix().items() if param.grad_req != "null"}
        # not backward(), which would overwrite gradients that training may be accumulating
        gradients = autograd.grad([mean_loss], [param.data(device) for param in trained.values()])
    by_layer = {names[id(layer)]: (before, after) for layer, before, after in calls}
    outputs = {
        block.name: (by_layer[block.name][0], by_layer[_last_layer(block) if block.adds else block.name][1])
        for block in blocks
    }
    return outputs, {name: gradient.asnumpy() for name, gradient in zip(trained, gradients)}


def _array(values: Any, device: Any) -> Any:
    """``values`` as a float32 MXNet array on ``device``."""
    values = values.asnumpy() if hasattr(values, "asnumpy") else numpy.asarray(values)
    return array(values, device)


def _norm(gradients: Mapping[str, numpy.ndarray], name: str) -> float:
    squares = [
        numpy.square(values, dtype=numpy.float64).sum()
        for key, values in gradients.items()
        if key.startswith(f"{name}.")
    ]
    return float(numpy.sqrt(sum(squares))) if squares else numpy.nan


def _root_mean_square(array: Any) -> float:
    return float(numpy.sqrt(numpy.square(array.astype("float32").asnumpy(), dtype=numpy.float64).mean()))


class DepthLog:
    """A listener of ``gr.fit`` that probes a network on a fixed batch, and writes depth.csv.

    It probes at initialization, which is before the first forward pass in training mode, and after each epoch. Training
    gives the same parameters as without it. ``log.table`` has the columns of :func:`probe` after ``epoch``, which is 0
    at initialization. When a run is resumed, the rows of the epochs that were done are kept.

    Args:
        net: the network, before training.
        X: the batch, float32 (N, C, H, W).
        y: its labels (N,).
        folder: path of the run folder, which may be made later.

    Raises:
        RunError: depth.csv cannot be read or written.
    """

    def __init__(self, net: Any, X: Any, y: Any, folder: Union[str, Path]) -> None:
        self.net, self.batch, self.path = net, (X, y), Path(folder) / NAME
        self.table = read(self.path) if self.path.exists() else pd.DataFrame(columns=["epoch", *COLUMNS])
        if not len(self.table):
            self._probe_before_the_first_batch()

    def __call__(self, record: Record) -> None:
        if record.test_acc is not None:
            self._add(record.epoch)

    def _probe_before_the_first_batch(self) -> None:
        # not a hook: Gluon warns that hooks of a hybridized block may not be called, though those of the net are
        net, forward = self.net, self.net.forward

        def first(*inputs: Any) -> Any:
            if autograd.is_training():
                del net.forward
                with autograd.pause():
                    self._add(0)
            return forward(*inputs)

        net.forward = first

    def _add(self, epoch: int) -> None:
        before = self.table[self.table["epoch"] < epoch]
        now = probe(self.net, *self.batch)
        now.insert(0, "epoch", epoch)
        self.table = pd.concat([before, now], ignore_index=True) if len(before) else now
        with writing(self.path) as temporary:
            self.table.to_csv(temporary, index=False, float_format="%.6g")


def _finish_initialization(net: Any, X: Any) -> None:
    """Do what the first pass would do, in the same order; in another order the same seed would give other weights."""
    params = net.collect_params().values()
    if any(param._deferred_init for param in params):
        net.infer_shape(X)
        for param in params:
            param._finish_deferred_init()


def read(path: Union[str, Path]) -> pd.DataFrame:
    """The table of a depth.csv, with a column ``epoch``; raises RunError if it cannot be read or is something else."""
    try:
        table = pd.read_csv(path, dtype={"name": str})
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    if list(table) != ["epoch", *COLUMNS]:
        raise RunError(f"{path}: not a table of depth.py: expected the columns epoch, {', '.join(COLUMNS)}")
    return table


def _moments(tables: Dict[str, pd.DataFrame]) -> List[Tuple[str, Dict[str, pd.DataFrame]]]:
    """[(title, {arm: rows})] of the first and of the last epoch; tables without epochs are used whole."""
    if not all("epoch" in table for table in tables.values()):
        return [("", tables)]
    ends: List[Any] = [min, max]
    if all(table["epoch"].nunique() == 1 for table in tables.values()):
        ends = [min]
    moments = []
    for end in ends:
        epochs = {arm: end(table["epoch"]) for arm, table in tables.items()}
        after = ", ".join(str(epoch) for epoch in sorted(set(epochs.values())))
        title = "at initialization" if set(epochs.values()) == {0} else f"after epoch {after}"
        moments.append((title, {arm: table[table["epoch"] == epochs[arm]] for arm, table in tables.items()}))
    return moments


def draw(tables: Dict[str, pd.DataFrame]) -> Figure:
    """Gradient norms over layers and ratios over blocks, a line for each arm, as a matplotlib Figure.

    ``tables`` is {arm: table of :func:`probe` or of DepthLog}. If the tables have epochs, the first and the last one
    are drawn, one below the other.
    """
    moments = _moments(tables)
    figure = new_figure(11, 0.5 + 3.6 * len(moments))
    for (left, right), (title, rows) in zip(figure.subplots(len(moments), 2, squeeze=False), moments):
        for i, (arm, table) in enumerate(rows.items()):
            layers, blocks = (table[table["kind"] == kind] for kind in (LAYER, BLOCK))
            plain = (blocks["measured"] == "output").any()
            style: Dict[str, Any] = dict(color=f"C{i % 10}", marker="os^Dv"[i % 5], markersize=4, linewidth=1)
            left.plot(layers["position"], layers["gradient_norm"], label=arm, **style)
            right.plot(
                blocks["position"],
                blocks["ratio"],
                "--" if plain else "-",
                label=f"{arm}: {'|output|' if plain else '|F(X)|'} / |X|",
                **style,
            )
        left.set(
            xlabel="layer, from input (1) to output",
            ylabel="L2 norm of the gradient",
            yscale="log",
            title=f"gradients of each layer's parameters {title}".strip(),
        )
        right.set(
            xlabel="block, from input (1) to output",
            ylabel="ratio of root mean squares (1)",
            title=f"blocks {title}".strip(),
        )
        right.set_ylim(bottom=0)
        for axes in (left, right):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
            axes.legend(fontsize=8)
    return figure
