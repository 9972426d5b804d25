"""A book's network of plain ``nn.Block`` as one compiled graph, where that gives the same outputs and gradients.

    net, reason = compiled.fast(net, X, y)      # reason says why if the network comes back as it is

The books build networks from nn.Sequential and their own nn.Block classes, which mxnet runs layer by layer. If every
layer with parameters is one of Gluon's hybrid layers, the blocks' own forward methods can be run once on symbols
instead of arrays, which gives the graph. It shares the network's parameters. It is used only if it agrees with the
network on a batch: outputs outside training, and outputs and all gradients in training.
"""

from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, Callable, Dict, Iterator, List, Tuple

import mxnet as mx
import numpy
from mxnet import autograd, gluon
from mxnet.symbol.numpy import _Symbol as NumpySymbol
from mxnet.util import is_np_array

#: (functions of arrays, the same functions of symbols)
MODULES: Tuple[Tuple[ModuleType, Any], ...] = (
    (mx.np, mx.sym.np),
    (mx.npx, mx.sym.npx),
    (mx.nd, mx.sym),
)
TOLERANCE = 1e-3  # of the largest number: float32 summed in another order


def _has_symbol(values: Any) -> bool:
    return any(
        isinstance(value, mx.sym.Symbol) or (isinstance(value, (list, tuple)) and _has_symbol(value))
        for value in values
    )


def _either(of_arrays: Callable[..., Any], of_symbols: Callable[..., Any]) -> Callable[..., Any]:
    """A function that takes arrays or symbols."""

    def function(*args: Any, **kwargs: Any) -> Any:
        symbolic = _has_symbol(args) or _has_symbol(kwargs.values())
        return (of_symbols if symbolic else of_arrays)(*args, **kwargs)

    return function


def _relu(X: Any) -> Any:
    activation = mx.sym.npx.activation if isinstance(X, NumpySymbol) else mx.sym.Activation
    return activation(X, act_type="relu")


def _sum(left: Any, right: Any) -> Any:
    if not isinstance(right, NumpySymbol):
        return _plus(left, right)
    return mx.sym.elemwise_add(left.as_nd_ndarray(), right.as_nd_ndarray()).as_np_ndarray()


_plus = NumpySymbol.__add__


@contextmanager
def _symbols_allowed(blocked: bool) -> Iterator[None]:
    """Context in which the functions of mx.np, mx.npx and mx.nd take symbols, too.

    With ``blocked``, relu and the sum of two symbols become the operators that oneDNN has; a sum that broadcasts then
    fails. npx.relu and NumPy's sum are not oneDNN's: each takes its tensors out of the blocked layout and back.
    """
    with ExitStack() as stack:
        for arrays, symbols in MODULES:
            for name in dir(arrays):
                function, twin = getattr(arrays, name), getattr(symbols, name, None)
                if name.startswith("_") or isinstance(function, type) or not (callable(function) and callable(twin)):
                    continue
                setattr(arrays, name, _either(function, _relu if blocked and name == "relu" else twin))
                stack.callback(setattr, arrays, name, function)
        if blocked:
            NumpySymbol.__add__ = _sum
            stack.callback(setattr, NumpySymbol, "__add__", _plus)
        yield


def _blocks(net: gluon.Block) -> Iterator[gluon.Block]:
    yield net
    for child in net._children.values():
        yield from _blocks(child)


def unsuitable(net: Any) -> str:
    """Why the graph of ``net`` cannot be taken; an empty string if it may be tried."""
    if not isinstance(net, gluon.Block):
        return "it is a function, not a Gluon network"
    for block in _blocks(net):
        if not isinstance(block, gluon.HybridBlock) and block._reg_params:
            return f"{type(block).__name__} has parameters of its own, in a plain nn.Block"
        if block._forward_hooks or block._forward_pre_hooks:
            return f"{type(block).__name__} has hooks"
    return ""


def graph(net: gluon.Block, blocked: bool = False) -> gluon.SymbolBlock:
    """The graph of ``net``, a network of one input, as a block that shares its initialized parameters.

    ``blocked`` is that of :func:`_symbols_allowed`.

    Raises whatever the network's own forward methods raise when they are given symbols.
    """
    data = mx.sym.var("data", dtype="float32")  # float32, or mxnet warns that it cannot tell
    if is_np_array():
        data = data.as_np_ndarray()
    with _symbols_allowed(blocked), autograd.pause():
        outputs = net(data)
    return gluon.SymbolBlock(outputs, data, params=net.collect_params())


def _statistics(net: gluon.Block) -> List[Tuple[gluon.Parameter, Any]]:
    """The parameters that training changes without a gradient (running means and variances), with copies."""
    params = net.collect_params().values()
    return [(param, param.data().copy()) for param in params if param.grad_req == "null"]


def _measured(net: Any, params: Dict[str, gluon.Parameter], X: Any, y: Any, loss: Any) -> List[numpy.ndarray]:
    """Outputs outside training, outputs in training, and every gradient, for one batch; statistics are restored."""
    results = [net(X).asnumpy()]
    statistics = _statistics(net)
    mx.random.seed(0)  # the same units are dropped each time
    with autograd.record():
        y_hat = net(X)
        losses = loss(y_hat, y)
    losses.backward()
    results.append(y_hat.asnumpy())
    for name in sorted(params):
        if params[name].grad_req != "null":
            results.append(params[name].grad().asnumpy())
    for param, values in statistics:
        param.set_data(values)
    return results


def _agree(ours: List[numpy.ndarray], theirs: List[numpy.ndarray]) -> bool:
    return all(
        a.shape == b.shape and numpy.abs(a - b).max(initial=0) <= TOLERANCE * max(numpy.abs(b).max(initial=0), 1e-6)
        for a, b in zip(ours, theirs)
    )


def fast(net: Any, X: Any, y: Any, loss: Any) -> Tuple[Any, str]:
    """(``net`` as one graph, "") if the graph agrees with it on the batch; otherwise (``net``, the reason).

    Args:
        net: a Gluon network whose parameters have values, or whose shapes the batch decides.
        X: a batch of inputs, float32 (N, ...).
        y: its labels, (N,).
        loss: a function of (y_hat, y).

    Initial values that wait for the first batch are drawn before anything else is, as without this function. If the
    network draws random numbers, for dropout, mxnet's generator then starts from a number that it has drawn itself.
    """
    reason = unsuitable(net)
    if reason:
        return net, reason
    params = dict(net.collect_params().items())
    seed = None
    try:
        net(X)  # gives the parameters their values
        seed = int(mx.nd.random.randint(0, 2**31 - 1, shape=(1,)).asnumpy()[0])
        theirs = _measured(net, params, X, y, loss)
        for blocked in (True, False):
            block, reason = _agreeing(net, params, X, y, loss, theirs, blocked)
            if block is not None:
                return block, ""
    except Exception as error:  # the forward methods are the reader's: whatever is wrong with them shows in training
        reason = f"it cannot be run on the first batch ({type(error).__name__}: {_first_line(error)})"
    finally:
        if seed is not None:
            mx.random.seed(seed)
    return net, reason


def _agreeing(
    net: gluon.Block,
    params: Dict[str, gluon.Parameter],
    X: Any,
    y: Any,
    loss: Any,
    theirs: List[numpy.ndarray],
    blocked: bool,
) -> Tuple[Any, str]:
    """(the graph of ``net``, "") if its numbers on the batch are ``theirs``; otherwise (None, the reason)."""
    try:
        block = graph(net, blocked)
        block.hybridize(static_alloc=True, static_shape=True)
        ours = _measured(block, params, X, y, loss)
    except Exception as error:  # a forward method may do anything with a symbol
        return None, f"its forward needs arrays ({type(error).__name__}: {_first_line(error)})"
    if len(ours) != len(theirs) or not _agree(ours, theirs):
        return None, "outputs or gradients differ from the network's own"
    return block, ""


def _first_line(error: Exception) -> str:
    lines: List[str] = str(error).strip().splitlines()
    return lines[0][:120] if lines else ""
