"""How training reaches the layers of a network: gradient norms by depth, and each block's residual against its input.

    table = depth.probe(net, X, y)
    depth.draw({"plain-20": depth.probe(plain, X, y), "ResNet-20": depth.probe(residual, X, y)})

or along a whole training run, at initialization and after each epoch, into the run folder's depth.csv:

    listeners.append(depth.DepthLog(net, X, y, folder))

A residual block gives relu(X + F(X)) (He et al., arXiv 1512.03385, equation 1). The paper argues that vanishing
gradients are not what degrades plain networks (section 4.1), and that residuals are small (figure 7). Here one can
look.
"""

from contextlib import contextmanager
from pathlib import Path

import numpy
import pandas as pd
from matplotlib.ticker import MaxNLocator
from mxnet import autograd, gluon
from mxnet.gluon import nn

from ..devices import array
from ..errors import ModelError, RunError
from ..figures import new_figure
from ..files import writing
from ..networks.blocks import blocks_by_name
from ..networks.layout import Conv, layout
from ..networks.shapes import watched

COLUMNS = ["kind", "name", "stage", "position", "gradient_norm", "input_norm", "residual_norm", "ratio", "measured"]
LAYER, PROJECTION, BLOCK = "layer", "projection", "block"
NAME = "depth.csv"


def probe(net, X, y):
    """A DataFrame of :data:`COLUMNS` for one batch X (N, C, H, W) float32, y (N,) class numbers; nothing is changed.

    ``net`` is a network of models.build, initialized. Rows of kind "layer" are the convolutions from the input to the
    output and the classifier, of kind "projection" the convolutions of shortcuts, of kind "block" the residual blocks,
    in running order; ``position`` counts from 1 within a kind, ``stage`` from 1, 0 for the stem, stages + 1 for the
    classifier. ``gradient_norm`` is the L2 norm of the mean cross-entropy's gradient with respect to the row's trained
    parameters, in training mode (batch norm by the batch's statistics, dropout left out); NaN where all are frozen. For
    blocks ``input_norm`` is |X| and ``residual_norm`` |F(X)|, root mean squares over the batch and all entries,
    ``ratio`` |F(X)| / |X|, and ``measured`` "residual"; a plain block has no residual: its output is taken for it and
    ``measured`` is "output". Running statistics, parameters and their gradients are as before afterwards. Raises
    ModelError for a network without a spec, or one that is not initialized.
    """
    plan = _plan(net)
    device = next(iter(net.collect_params().values())).list_ctx()[0]
    X, y = (_array(value, device) for value in (X, y))
    _finish_initialization(net, X)
    with _undisturbed(net):
        seen, gradients = _passes(net, plan, X, y, device)
    rows, counts = [], {LAYER: 0, PROJECTION: 0, BLOCK: 0}
    for kind, name, stage, block in _parts(plan):
        counts[kind] += 1
        row = {
            "kind": kind,
            "name": name,
            "stage": stage,
            "position": counts[kind],
            "gradient_norm": _norm(gradients, name),
        }
        if block is not None:
            before, after = (_root_mean_square(value) for value in seen[name])
            row.update(
                input_norm=before,
                residual_norm=after,
                ratio=after / before if before > 0 else numpy.nan,
                measured="residual" if block.adds else "output",
            )
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _plan(net):
    """The layout of ``net``; ModelError if it has none or no parameters yet."""
    if not hasattr(net, "spec"):
        raise ModelError(f"depth.probe: {net.name} has no spec: expected one of this suite, such as gr.resnet18()")
    for param in net.collect_params().values():
        if param._data is None and not param._deferred_init:
            raise ModelError(f"depth.probe: {param.name} has no values: call net.initialize() first")
    return layout(net.spec)


def _parts(plan):
    """(kind, name, stage, Block or None) of every row, in running order; a block comes after its layers."""
    yield LAYER, plan.stem[0].name, 0, None
    for stage, blocks in enumerate(plan.stages, 1):
        for block in blocks:
            body = {conv.name for conv, _ in block.body}
            for layer in block.layers():
                if isinstance(layer, Conv):
                    yield LAYER if layer.name in body else PROJECTION, layer.name, stage, None
            yield BLOCK, block.name, stage, block
    yield LAYER, plan.classifier.name, len(plan.stages) + 1, None


def _last_layer(block):
    """Name of the layer whose output is F(X) of a residual block."""
    conv, norm = block.body[-1]
    return conv.name if norm is None or block.preactivation else norm.name


@contextmanager
def _undisturbed(net):
    """Context in which dropout, which would draw random numbers, is off; then running statistics are as before."""
    kept = [
        (param, [array.copy() for array in param.list_data()])
        for param in net.collect_params().values()
        if param.grad_req == "null"
    ]
    dropouts = []
    net.apply(lambda block: dropouts.append((block, block._rate)) if isinstance(block, nn.Dropout) else None)
    for block, _ in dropouts:
        block._rate = 0
    try:
        yield
    finally:
        for block, rate in dropouts:
            block._rate = rate
        for param, before in kept:
            for array, values in zip(param.list_data(), before):
                array[:] = values


def _passes(net, plan, X, y, device):
    """({block: (X, F(X) or output)} as arrays, {parameter: gradient (NumPy)}) of a pass forward and back."""
    by_name = blocks_by_name(net)
    blocks = [block for stage in plan.stages for block in stage]
    names = {id(by_name[name]): name for block in blocks for name in (block.name, _last_layer(block))}
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    with watched(net, [by_name[name] for name in names.values()]) as calls:
        with autograd.record(train_mode=True):
            mean_loss = loss(net(X), y).mean()
        trained = {name: param for name, param in net._collect_params_with_prefix().items() if param.grad_req != "null"}
        # not backward(), which would write over the gradients that training may be gathering
        gradients = autograd.grad([mean_loss], [param.data(device) for param in trained.values()])
    of_call = {names[id(layer)]: (before, after) for layer, before, after in calls}
    seen = {
        block.name: (of_call[block.name][0], of_call[_last_layer(block) if block.adds else block.name][1])
        for block in blocks
    }
    return seen, {name: gradient.asnumpy() for name, gradient in zip(trained, gradients)}


def _array(values, device):
    """``values`` as an array of the type in force on ``device``, float32."""
    values = values.asnumpy() if hasattr(values, "asnumpy") else numpy.asarray(values)
    return array(values, device)


def _norm(gradients, name):
    squares = [
        numpy.square(values, dtype=numpy.float64).sum()
        for key, values in gradients.items()
        if key.startswith(f"{name}.")
    ]
    return float(numpy.sqrt(sum(squares))) if squares else numpy.nan


def _root_mean_square(array):
    return float(numpy.sqrt(numpy.square(array.astype("float32").asnumpy(), dtype=numpy.float64).mean()))


class DepthLog:
    """A listener for train.fit: probes ``net`` on a fixed batch at initialization and after each epoch, into depth.csv.

    Made before training with the network, X (N, C, H, W), y (N,) and the run folder's path (the folder may come later).
    The first forward pass in training mode starts it, with the initial parameters in place: no change to fit is needed.
    ``log.table`` has :data:`COLUMNS` after a column ``epoch``, 0 at initialization. Training goes on exactly as
    without it; the first probe falls into the first batch's time. In a run that is resumed, rows of epochs done are
    kept. Raises RunError if depth.csv cannot be read or written.
    """

    def __init__(self, net, X, y, folder):
        self.net, self.batch, self.path = net, (X, y), Path(folder) / NAME
        self.table = read(self.path) if self.path.exists() else pd.DataFrame(columns=["epoch", *COLUMNS])
        if not len(self.table):
            self._probe_before_the_first_batch()

    def __call__(self, record):
        if record.test_acc is not None:
            self._add(record.epoch)

    def _probe_before_the_first_batch(self):
        # not a hook: Gluon warns that those of a hybridized block may not be called, though the topmost block's are
        net, forward = self.net, self.net.forward

        def first(*inputs):
            if autograd.is_training():
                del net.forward
                with autograd.pause():
                    self._add(0)
            return forward(*inputs)

        net.forward = first

    def _add(self, epoch):
        before = self.table[self.table["epoch"] < epoch]
        now = probe(self.net, *self.batch)
        now.insert(0, "epoch", epoch)
        self.table = pd.concat([before, now], ignore_index=True) if len(before) else now
        with writing(self.path) as temporary:
            self.table.to_csv(temporary, index=False, float_format="%.6g")


def _finish_initialization(net, X):
    """What the first pass would do, parameters in the same order: by another one, the same seed gives other weights."""
    params = net.collect_params().values()
    if any(param._deferred_init for param in params):
        net.infer_shape(X)
        for param in params:
            param._finish_deferred_init()


def read(path):
    """The table of a depth.csv, with a column ``epoch``; RunError if it cannot be read or is something else."""
    try:
        table = pd.read_csv(path, dtype={"name": str})
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    if list(table) != ["epoch", *COLUMNS]:
        raise RunError(f"{path}: not a table of depth.py: expected the columns epoch, {', '.join(COLUMNS)}")
    return table


def _moments(tables):
    """[(title, {arm: rows})]: the first and the last epoch that there are, or all as it is."""
    if not all("epoch" in table for table in tables.values()):
        return [("", tables)]
    moments = [("first", min), ("last", max)]
    if all(table["epoch"].nunique() == 1 for table in tables.values()):
        moments = moments[:1]
    found = []
    for _, which in moments:
        epochs = {arm: which(table["epoch"]) for arm, table in tables.items()}
        after = ", ".join(str(epoch) for epoch in sorted(set(epochs.values())))
        title = "at initialization" if set(epochs.values()) == {0} else f"after epoch {after}"
        found.append((title, {arm: table[table["epoch"] == epochs[arm]] for arm, table in tables.items()}))
    return found


def draw(tables):
    """{arm: table of :func:`probe`} as a matplotlib Figure: gradients over layers, ratios over blocks, a line an arm.

    Tables with a column ``epoch`` (DepthLog's) have a row of axes for the first and one for the last epoch.
    """
    moments = _moments(tables)
    figure = new_figure(11, 0.5 + 3.6 * len(moments))
    for (left, right), (title, rows) in zip(figure.subplots(len(moments), 2, squeeze=False), moments):
        for i, (arm, table) in enumerate(rows.items()):
            layers, blocks = (table[table["kind"] == kind] for kind in (LAYER, BLOCK))
            plain = (blocks["measured"] == "output").any()
            style = dict(color=f"C{i % 10}", marker="os^Dv"[i % 5], markersize=4, linewidth=1)
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
