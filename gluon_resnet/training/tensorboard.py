"""A listener that writes the progress of training as TensorBoard events.

    gluon-resnet train fashion-mnist --tensorboard        # then, with TensorBoard installed: tensorboard --logdir runs

tensorboardX writes them, which needs neither TensorFlow nor PyTorch. Steps count batches over the whole run.
"""

from pathlib import Path
from typing import Union

from tensorboardX import SummaryWriter

from .progress import Record


class Events:
    """Writes Records (progress.py) as scalars into ``folder``.

    loss, train_acc and examples_per_sec have a point for each batch, test_acc and test_loss for each epoch.
    """

    def __init__(self, folder: Union[str, Path]) -> None:
        self.writer = SummaryWriter(str(folder))

    def __call__(self, record: Record) -> None:
        step = (record.epoch - 1) * record.num_batches + record.batch
        if record.test_acc is not None:
            self.writer.add_scalar("test_acc", record.test_acc, step)
            if record.test_loss is not None:
                self.writer.add_scalar("test_loss", record.test_loss, step)
            return
        for name in ("loss", "train_acc", "examples_per_sec"):
            self.writer.add_scalar(name, getattr(record, name), step)

    def close(self) -> None:
        """Write the remaining events."""
        self.writer.close()
