"""What every source of images has: names, labels, classes, and a way to read image i.

Folders and CSV files are one (image_folder.py), record files another (records.py). A source of your own needs no base
class: batches use ``len()``, ``read``, ``labels``, ``class_names`` and ``where`` only.
"""

import copy
from typing import Any, List, Sequence, Tuple, Union

import numpy

Indices = Union[Sequence[int], numpy.ndarray]


class PictureSource:
    """N images that can be read one by one, from any thread.

    ``names`` are what to call the images, ``labels`` int32 (N,) from 0 into ``class_names``, and ``where`` is what to
    call all of them in a message.
    """

    #: attributes with one value for each image, which a subset takes along; None if a source lacks them
    PER_IMAGE: Tuple[str, ...] = ("names", "labels")

    where: str
    names: List[str]
    labels: numpy.ndarray
    class_names: List[str]

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, i: int) -> numpy.ndarray:
        """Image ``i`` as uint8 (H, W, 3) RGB; DataError if it is damaged."""
        raise NotImplementedError

    def read_least(self, i: int, least: Tuple[int, int]) -> numpy.ndarray:
        """Image ``i``, or the same made smaller, for a use at ``least`` = (height, width): see reading.py.

        A source may do without this method: each image is then decoded whole.
        """
        return self.read(i)

    def subset(self, indices: Indices) -> "PictureSource":
        """A source of the images ``indices``, in that order."""
        part = copy.copy(self)
        for name in self.PER_IMAGE:
            setattr(part, name, chosen(getattr(self, name), indices))
        return part


def chosen(values: Any, indices: Indices) -> Any:
    """The values at ``indices`` of an array or a list, as an array or a list; None stays None."""
    if isinstance(values, numpy.ndarray):
        return values[numpy.asarray(indices, dtype=numpy.int64)]
    return None if values is None else [values[int(i)] for i in indices]
