"""A run that is killed again and again: half of the kills at a random call inside a save, half at a random moment.

    python -m tests.faults.kills CALL gluon-resnet's own words

runs the command line and sends itself SIGKILL at the CALLth call that writes to the disk for a checkpoint, counted over
all saves; never for 0.
"""

import os
import signal
import sys
from unittest import mock

from gluon_resnet import cli
from gluon_resnet.training import checkpoint_files

from tests.faults.disk import Disk


def kill():
    """As the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def main(call, words):
    write, disk = checkpoint_files.write, Disk(call, before=kill)

    def counted(*args):
        with disk:
            return write(*args)

    with mock.patch.object(checkpoint_files, "write", counted):
        cli.main(words)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
