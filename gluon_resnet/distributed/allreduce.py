"""A store for mxnet over MPI: every worker adds its gradients to the others', and there are no servers.

    kvstore = mx.kv.create(NAME)                          # in each process that mpirun has started

It needs mpi4py and an MPI (the extra ``allreduce``). mpirun ends all processes when one dies.
"""

from typing import Any, List, Optional, Union

import mxnet as mx
import numpy

from ..errors import BackendError

NAME = "gluonresnetallreduce"  # names are registered in lower case


def _world() -> Any:
    """MPI's communicator of all processes; BackendError if there is no MPI."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py is there, an MPI is not
        raise BackendError(
            f"allreduce needs mpi4py and an MPI ({error}); run: pip install 'gluon-resnet[allreduce]'"
        ) from None
    return MPI.COMM_WORLD


@mx.kvstore.KVStoreBase.register
class GluonResNetAllReduce(mx.kvstore.KVStoreBase):
    """Sums over the processes of mpirun; mxnet's interface for stores without servers."""

    def __init__(self) -> None:
        self.world = _world()

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """Put worker 0's ``value`` into the array or arrays ``out``."""
        values = numpy.ascontiguousarray(value.asnumpy())
        self.world.Bcast(values, root=0)
        self._put(values, out)

    def pushpull(self, key: Any, value: Any, out: Optional[Any] = None, priority: int = 0) -> None:
        """Put the sum of all workers' ``value`` into ``out``, or into ``value`` itself."""
        arrays = value if isinstance(value, (list, tuple)) else [value]
        own = numpy.ascontiguousarray(sum(array.asnumpy() for array in arrays))
        total = numpy.empty_like(own)
        self.world.Allreduce(own, total)
        self._put(total, value if out is None else out)

    @staticmethod
    def _put(values: numpy.ndarray, out: Union[Any, List[Any]]) -> None:
        for array in out if isinstance(out, (list, tuple)) else [out]:
            array.as_nd_ndarray()[:] = mx.nd.array(values, dtype=values.dtype)

    @staticmethod
    def is_capable(capability: str) -> bool:
        """It has no optimizer: workers update."""
        return False

    @property
    def type(self) -> str:
        """The store's name."""
        return NAME

    @property
    def rank(self) -> int:
        """This worker's number."""
        return int(self.world.Get_rank())

    @property
    def num_workers(self) -> int:
        """The number of workers."""
        return int(self.world.Get_size())
