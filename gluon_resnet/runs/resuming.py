"""What resuming a run needs around its training: the checkpoint to go on from, and the folder as it was then."""

from contextlib import contextmanager
from typing import Any, Callable, Iterator, List

from ..errors import RunError
from ..training.checkpoint import Checkpoint, Keeper, Note, read
from ..training.checkpoint_files import checkpoints
from ..training.optimizer_state import ANOTHER
from .belonging import check_same, made_of, most_bytes
from .folder import RunFolder

Say = Callable[[str], Any]


def checkpoint_of(config: Any, job: Any, folder: RunFolder, say: Say, set_aside: bool = True) -> Checkpoint:
    """The checkpoint to go on from; an error if config, images or history are no longer those of the run.

    Args:
        config: the run's config.
        job: its ``Job`` (launch.py).
        folder: of the run.
        say: called with a line for each damaged checkpoint.
        set_aside: rename those; nobody else may be working in the folder.
    """
    arrays, note = read(folder.path, most_bytes(job.spec), say, set_aside)
    check_same(note.get("run"), made_of(config, job), folder, job)
    batch, batches = note["at"]["batch"], len(job.train_iter)
    if batch > batches:
        raise RunError(
            f"{folder.path}: the checkpoint is at batch {batch:,} of an epoch, which has {batches:,}: it is "
            f"of {ANOTHER}"
        )
    line = folder.check_history(note)
    if line:
        say(line)
    return arrays, note


def removed(keeper: Keeper) -> List[str]:
    """Remove the checkpoints of a finished run; a line if that fails."""
    try:
        keeper.remove()
    except RunError as error:
        return [str(error)]
    return []


def rewind(folder: RunFolder, at: Note, epochs: int, say: Say) -> None:
    """Bring the folder of a resumed run to where its checkpoint is."""
    folder.remove_leftovers()
    folder.rewind(at["epoch"], at["batch"])
    if at["epoch"] > epochs:
        say(f"resuming {folder.path} after its last epoch: its results are written")
    else:
        say(f"resuming {folder.path} at epoch {at['epoch']}, after batch {at['batch']}")


@contextmanager
def resumable(folder: RunFolder) -> Iterator[None]:
    """Context in which a RunError, of a full disk say, ends in how to resume the run if it has a checkpoint."""
    try:
        yield
    except RunError as error:
        if not checkpoints(folder.path):
            raise
        raise RunError(
            f"{error}; the last checkpoint is whole: make room, then go on with --resume {folder.path}"
        ) from None
