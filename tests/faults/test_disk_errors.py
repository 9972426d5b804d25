"""A disk that refuses any one call of a save, or all from one on: one line, and nothing is lost."""

import errno
import os

from gluon_resnet.errors import RunError
from gluon_resnet.training import checkpoint_files

import pytest

from tests.faults.disk import Disk, arrays_of, begun, loaded, names

OLD, NEW = 2, 3
REFUSALS = [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EMFILE]


def save(folder, at, number, on):
    """(calls, the message or None) of a save whose call ``at`` is refused with an error number."""

    def refuse():
        raise OSError(number, os.strerror(number))

    with Disk(at, before=refuse, on=on) as disk:
        try:
            checkpoint_files.write(folder, arrays_of(NEW), keep=2)
        except RunError as error:
            return disk.calls, str(error)
    return disk.calls, None


@pytest.mark.parametrize("on", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
def test_any_call_of_a_save_may_be_refused(tmp_path, number, on):
    refused = 0
    for at in range(1, 1000):
        folder = begun(tmp_path / str(at))
        before = names(folder)
        calls, message = save(folder, at, number, on)
        if len(calls) < at:
            break
        refused += 1
        kind, name = calls[at - 1]
        lines = []
        step = loaded(folder, lines)
        is_new = f"checkpoint-{NEW:06}.npz" in names(folder)
        assert step == (NEW if is_new else OLD) and lines == [], (kind, name)
        if kind == "unlink":  # an old one that stays is no reason to end a training
            assert message is None and is_new
            continue
        assert message.endswith(f": cannot be written ({os.strerror(number)})") and "\n" not in message
        assert message.startswith(f"{folder}/checkpoint-{NEW:06}.")
        if not on:  # what cannot be removed stays until the next run in this folder
            assert names(folder) == (
                sorted([*before, f"checkpoint-{NEW:06}.npz", f"checkpoint-{NEW:06}.sha256"]) if is_new else before
            )
        checkpoint_files.write(folder, arrays_of(NEW + 1), keep=2)
        assert loaded(folder) == NEW + 1
    assert refused == 43


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.ENOMEM, errno.EIO], ids=errno.errorcode.get)
def test_a_checkpoint_that_cannot_be_read_is_not_taken_for_a_damaged_one_unless_the_disk_says_so(
    tmp_path, monkeypatch, number
):
    folder, read = begun(tmp_path / "run"), open

    def refuse(path, mode="r", **options):
        if str(path).endswith("2.npz"):
            raise OSError(number, os.strerror(number))
        return read(path, mode, **options)

    monkeypatch.setattr(checkpoint_files, "open", refuse, raising=False)
    if number == errno.EIO:
        lines = []
        assert loaded(folder, lines) == 1
        assert lines == [
            f"{folder}/checkpoint-000002.npz: damaged checkpoint (OSError: [Errno 5] Input/output error): the one "
            "before is taken"
        ]
    else:
        with pytest.raises(
            RunError, match=f"2.npz: cannot be read .{os.strerror(number)}.; see to that, then try again$"
        ):
            loaded(folder, set_aside=True)
        assert len(names(folder)) == 4
