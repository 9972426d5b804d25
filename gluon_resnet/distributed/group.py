"""A worker and the others: mxnet's distributed stores as the training loop's group (training/group.py).

    group = join(os.environ)                              # waits until all are there
    train.fit(net, own_train_iter, own_test_iter, recipe, device, Session(group=group))

Servers only sum (``update_on_kvstore=False``), and each worker makes the same update. So rates that change, clipping
and accumulation work as in one process, checkpoints have the optimizer's state, and no server unpickles anything.
"""

import atexit
import ctypes
import os
import sys
from collections import deque
from contextlib import contextmanager
from typing import Any, Callable, Deque, Dict, Iterator, List, Mapping, Sequence, Tuple

import mxnet as mx
import numpy
from mxnet.base import _LIB, check_call

from ..errors import ConfigError, GluonResNetError
from ..training.group import ALONE, Group
from .roles import ALLREDUCE, ASYNC, COMPRESSION, RANK, STORE, SYNC

FIRST_KEY = 1_000_000  # beyond those that gluon.Trainer numbers its parameters with
BITS, SCALE = 60, 2.0**32  # of a number that is sent next to compressed gradients: up to 2^28, in steps of 2^-32


class Together(Group):
    """The workers of a synchronous store.

    Args:
        kvstore: an mxnet store: dist_sync's, or one of KVStoreBase's.
        rank: of this worker, from 0; not the store's own, which differs from start to start.
        compression: the threshold of 2-bit compression; 0 is none.
    """

    def __init__(self, kvstore: Any, rank: int, compression: float = 0.0) -> None:
        self.kvstore, self.rank, self.size, self.workers = kvstore, rank, kvstore.num_workers, kvstore.num_workers
        self.compression = compression
        self.asked: Callable[[], bool] = lambda: False
        self.pending: Deque[Any] = deque()  # of each step under way, whether anyone was asked to stop
        self.stopping = False
        self.keys: Dict[Tuple[str, int], Tuple[int, Any]] = {}

    def store(self) -> Dict[str, Any]:
        squeezed = {"type": "2bit", "threshold": self.compression} if self.compression else None
        return {"kvstore": self.kvstore, "update_on_kvstore": False, "compression_params": squeezed}

    def agreed(self, stop: Callable[[], bool]) -> Callable[[], bool]:
        self.asked = stop
        return self._stop

    def _stop(self) -> bool:
        """Whether a worker was asked to stop before the step that has been fetched last, the same for all workers."""
        while len(self.pending) > 1:
            self.stopping = bool(self.pending.popleft().asnumpy().sum()) or self.stopping
        return self.stopping

    def reduce(self, trainer: Any) -> None:
        if trainer._params_to_init:
            # mxnet asks the servers for the first parameters and sends the first gradients without waiting in between.
            # If the gradients of all workers came first, a worker would get their sum for its parameters.
            trainer._init_kvstore()
            trainer._init_params()
            mx.nd.waitall()
        if self.compression:
            for number, param in enumerate(trainer._params):
                self._exchange(number, param.grad(), priority=-number)
        else:
            trainer.allreduce_grads()

    def _exchange(self, key: int, array: Any, priority: int = 0) -> None:
        """Replace an array by its sum over all workers; mxnet has no single call for that with compression."""
        if self.compression:
            self.kvstore.push(key, array, priority)
            self.kvstore.pull(key, array, priority)
        else:
            self.kvstore.pushpull(key, array, out=array, priority=priority)

    def add(self, loss: Any, correct: Any) -> Tuple[Any, Any]:
        asked = mx.nd.full((1,), float(self.asked()), loss.context)
        parts = [value.as_nd_ndarray().astype("float32").reshape((1,)) for value in (loss, correct)]
        sums = self._sum("step", mx.nd.concat(*parts, asked, dim=0))
        self.pending.append(sums[2:3])
        return sums[0:1], sums[1:2]

    def average(self, arrays: Sequence[Any]) -> None:
        arrays = [array.as_nd_ndarray() for array in arrays]
        if not arrays:
            return
        sums = self._sum("statistics", mx.nd.concat(*(array.reshape((-1,)) for array in arrays), dim=0))
        at = 0
        for array in arrays:
            array[:] = sums[at : at + array.size].reshape(array.shape) / self.size
            at += array.size

    def totals(self, values: Sequence[float]) -> List[float]:
        return [float(value) for value in self._sum("test", mx.nd.array(values)).asnumpy()]

    def _sum(self, what: str, values: Any) -> Any:
        """The sum of a float32 vector over all workers; each kind of vector has a key of its own.

        A key's sums use one array, so that mxnet waits for each before it sends the next: a server that gets two
        vectors of one worker takes the second for another worker's.
        """
        sent = _in_bits(values, self.compression) if self.compression else values
        if (what, values.size) not in self.keys:
            key, array = FIRST_KEY + len(self.keys), mx.nd.zeros_like(sent)
            self.kvstore.broadcast(key, array, out=array)
            array.wait_to_read()  # see reduce()
            self.keys[what, values.size] = key, array
        key, array = self.keys[what, values.size]
        array[:] = sent
        self._exchange(key, array)
        return _from_bits(array, self.compression) if self.compression else array.copy()


def _in_bits(values: Any, threshold: float) -> Any:
    """A float32 vector (n,) as its bits, (n * BITS,), each 0 or plus or minus the threshold.

    2-bit compression would round every number to one of these three. These it passes on exactly.
    """
    whole = (values.astype("float64").abs() * SCALE).round().reshape((-1, 1))
    places = mx.nd.array(2.0 ** numpy.arange(BITS), values.context, "float64").reshape((1, -1))
    bits = mx.nd.broadcast_mod((mx.nd.broadcast_div(whole, places)).floor(), mx.nd.full((1, 1), 2, dtype="float64"))
    signs = values.astype("float64").sign().reshape((-1, 1)) * threshold
    return mx.nd.broadcast_mul(bits, signs).astype("float32").reshape((-1,))


def _from_bits(sums: Any, threshold: float) -> Any:
    """The vector, float32 (n,), whose sums of bits over all workers are given."""
    places = mx.nd.array(2.0 ** numpy.arange(BITS) / (SCALE * threshold), sums.context, "float64").reshape((1, -1))
    return mx.nd.broadcast_mul(sums.astype("float64").reshape((-1, BITS)), places).sum(axis=1).astype("float32")


class Apart(Group):
    """The workers of ``dist_async``: each sends its gradients when it has them, and the servers update.

    Nothing is summed over workers. The metrics are those of rank 0, which tests with all test data.
    """

    updates = False

    def __init__(self, kvstore: Any, rank: int) -> None:
        self.kvstore, self.rank, self.workers = kvstore, rank, kvstore.num_workers

    def store(self) -> Dict[str, Any]:
        return {"kvstore": self.kvstore, "update_on_kvstore": True}


def check_apart(config: Any) -> None:
    """Raise ConfigError for a recipe that servers cannot follow: they get the optimizer once, without names."""
    wrong = {
        f"optimizer={config.optimizer}": config.optimizer not in ("sgd", "adam", "lamb"),
        f"schedule={config.schedule}": config.schedule != "constant",
        f"warmup_epochs={config.warmup_epochs:g}": config.warmup_epochs > 0,
        f"accumulate={config.accumulate}": config.accumulate > 1,
        f"clip={config.clip:g}": config.clip > 0,
        f"head_lr={config.head_lr:g}": config.head_lr != 1,
        f"bias_lr={config.bias_lr:g}": config.bias_lr != 1,
        f"lookahead={config.lookahead}": config.lookahead > 0,
        f"weight_decay={config.weight_decay:g}": config.weight_decay > 0 and not config.decay_all,
        f"precision={config.precision}": config.precision == "float16",
    }
    found = [setting for setting, is_wrong in wrong.items() if is_wrong]
    if found:
        raise ConfigError(
            f"{found[0]}: with dist_async the servers update, at one rate and without knowing the layers: leave "
            f"it out, or take --kvstore dist_sync"
        )


def join(environ: Mapping[str, str], config: Any) -> Group:
    """The group that this process was started for, once all others are there; ALONE if it was started alone.

    Raises ConfigError if the variables do not make sense, mpi4py is missing for ``allreduce``, or servers could not
    train by the ``config``.
    """
    if STORE not in environ:
        return ALONE
    name, rank = environ[STORE], environ.get(RANK, "")
    if name not in (SYNC, ASYNC, ALLREDUCE) or not rank.isdigit():
        raise ConfigError(f"{STORE} is {name!r}, {RANK} {rank!r}: expected those that gluon-resnet launch sets")
    if name == ALLREDUCE:
        from . import allreduce  # needs mpi4py

        return Together(mx.kv.create(allreduce.NAME), int(rank))
    if name == ASYNC:
        check_apart(config)
        return Apart(mx.kv.create(name), int(rank))
    return Together(mx.kv.create(name), int(rank), float(environ.get(COMPRESSION, 0)))


def _status(error: BaseException) -> int:
    """The exit status that the command line gives to an error (cli.py)."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    return 2 if isinstance(error, (GluonResNetError, OSError, mx.MXNetError)) else 1


def _end_at_once(status: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@contextmanager
def leaving(group: Group) -> Iterator[None]:
    """Context from which an error lets this process end without waiting for the others, who may be dead.

    The store would wait for them at a barrier, and mxnet at its end for what was sent and is not answered.
    """
    try:
        yield
    except BaseException as error:
        if group is not ALONE:
            atexit.register(_end_at_once, _status(error))  # what is registered last is called first
        handle = getattr(getattr(group, "kvstore", None), "handle", None)
        if handle is not None:
            check_call(_LIB.MXKVStoreSetBarrierBeforeExit(handle, ctypes.c_int(0)))
        raise
