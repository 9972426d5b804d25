"""A listener that writes what training says about itself as TensorBoard events.

    gluon-resnet train fashion-mnist --tensorboard        # then, with TensorBoard installed: tensorboard --logdir runs

Written by tensorboardX, which needs neither TensorFlow nor PyTorch. Steps count batches over the whole run.
"""

from tensorboardX import SummaryWriter


class Events:
    """Writes Records (progress.py) as scalars into ``folder``.

    loss, train_acc and examples_per_sec have a point for each batch, test_acc for each epoch.
    """

    def __init__(self, folder):
        self.writer = SummaryWriter(str(folder))

    def __call__(self, record):
        step = (record.epoch - 1) * record.num_batches + record.batch
        if record.test_acc is not None:
            self.writer.add_scalar("test_acc", record.test_acc, step)
            return
        for name in ("loss", "train_acc", "examples_per_sec"):
            self.writer.add_scalar(name, getattr(record, name), step)

    def close(self):
        """Write what is not written yet."""
        self.writer.close()
