"""Room on the disk for blocks of bytes that are all of one size: written and read by their number.

For example:

    slots = Slots(home() / "pictures", number=1000, size=150_528)
    slots.write(7, pixels)
    slots.read(7)
"""

import os
import tempfile
from pathlib import Path
from typing import Union


class Slots:
    """A temporary file of ``number`` slots of ``size`` bytes, for any number of threads at once.

    The file has no name: it is gone when the object is, and when the process ends, however that ends. All of its room
    is reserved at the start, so a full disk shows then and not in the middle of an epoch. Raises OSError.
    """

    def __init__(self, folder: Path, number: int, size: int) -> None:
        self.size, self.nbytes = size, number * size
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=str(folder)) as stream:
            os.posix_fallocate(stream.fileno(), 0, self.nbytes)
            self._descriptor = os.dup(stream.fileno())

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def write(self, i: int, content: Union[bytes, memoryview]) -> None:
        """Put ``size`` bytes into slot ``i``."""
        left, offset = memoryview(content), i * self.size
        while left:  # the system may write less than it is given
            written = os.pwrite(self._descriptor, left, offset)
            left, offset = left[written:], offset + written

    def read(self, i: int) -> bytes:
        """The bytes of slot ``i``; zeros where nothing has been written yet."""
        return os.pread(self._descriptor, self.size, i * self.size)
