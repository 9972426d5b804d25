"""Flipped bits, cuts, forged sizes: the newest checkpoint is named and the one before taken, never a wrong number."""

import hashlib
import io
import shutil
import tracemalloc
import zipfile

from gluon_resnet.errors import RunError
from gluon_resnet.training import checkpoint_files

import numpy
import pytest

from tests.faults.disk import arrays_of, begun, loaded, names

OLD, NEW = 2, 3


@pytest.fixture
def run(tmp_path):
    """A folder with the checkpoints of steps 1 to 3."""
    return begun(tmp_path / "run", keep=3)


def damaged(content, every):
    """(what was done, the content) of each flip at every N-th byte, a bit further each time, and each cut."""
    for i, place in enumerate(range(0, len(content), every)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << i % 8
        yield f"bit {i % 8} of byte {place}", bytes(flipped)
        yield f"cut at {place}", content[:place]


def assert_the_one_before_is_taken(run, every):
    """The number of damages to the newest checkpoint and its hash, each of which was found."""
    count = 0
    for name in ("checkpoint-000003.npz", "checkpoint-000003.sha256"):
        whole = (run / name).read_bytes()
        for what, content in damaged(whole, every):
            (run / name).write_bytes(content)
            lines = []
            assert loaded(run, lines) == OLD, (name, what)
            assert len(lines) == 1 and lines[0].startswith(f"{run}/checkpoint-000003.npz: damaged checkpoint (its SHA")
            assert lines[0].endswith(": the one before is taken") and "\n" not in lines[0]
            count += 1
        (run / name).write_bytes(whole)
    assert loaded(run) == NEW
    return count


def test_every_29th_byte_and_length(run):
    assert assert_the_one_before_is_taken(run, 29) > 60


@pytest.mark.faults
def test_every_byte_and_length(run):
    count = assert_the_one_before_is_taken(run, 1)
    print(f"{count:,} damages to a checkpoint and its hash, all found")
    assert count > 2000


def older(run):
    """The folder of a run from before there were hashes: one file."""
    folder = run.parent / "older"
    folder.mkdir(exist_ok=True)
    numpy.savez(str(folder / "checkpoint.npz"), **arrays_of(NEW))
    return folder


@pytest.mark.parametrize("every", [29, pytest.param(1, marks=pytest.mark.faults)])
def test_without_a_hash_damage_is_one_line_or_does_not_matter(run, every):
    folder = older(run)
    content = (folder / "checkpoint.npz").read_bytes()
    assert loaded(folder) == NEW
    found = 0
    for what, spoilt in damaged(content, every):
        (folder / "checkpoint.npz").write_bytes(spoilt)
        try:
            assert loaded(folder) == NEW, what  # compares every number
        except RunError as error:
            assert "checkpoint.npz: damaged checkpoint (" in str(error) and "\n" not in str(error), what
            found += 1
    print(f"{found:,} of {2 * len(range(0, len(content), every)):,} damages found without a hash, the others harmless")
    assert found > 0.8 * len(range(0, len(content), every))


def test_a_damaged_one_is_set_aside_and_never_tried_again(run):
    for name in ("checkpoint-000003.npz", "checkpoint-000002.npz"):
        (run / name).write_bytes(b"")
    lines = []
    assert loaded(run, lines, set_aside=True) == 1
    assert [line.split("/")[-1][:21] for line in lines] == ["checkpoint-000003.npz", "checkpoint-000002.npz"]
    assert lines[0].endswith("the one before is tried") and lines[1].endswith("the one before is taken")
    again = []
    assert loaded(run, again) == 1 and again == []
    checkpoint_files.write(run, arrays_of(4), keep=3)
    assert names(run) == [f"checkpoint-00000{number}.{kind}" for number in (1, 4) for kind in ("npz", "sha256")]


def test_when_all_are_damaged_the_newest_is_named(run):
    for path in run.glob("*.npz"):
        path.write_bytes(b"")
    with pytest.raises(RunError, match="3.npz: damaged .*, and so are the 2 before: expected one that is whole; copy"):
        loaded(run, set_aside=True)
    assert len(list(run.glob("*.npz"))) == 3  # nothing was found that is better


def test_a_hash_that_sha256sum_checks(run):
    for path in run.glob("*.sha256"):
        digest, name = path.read_text().split()
        assert digest == hashlib.sha256((run / name).read_bytes()).hexdigest() and name == f"{path.stem}.npz"
    (run / "checkpoint-000003.sha256").unlink()
    lines = []
    assert loaded(run, lines) == OLD
    assert "its SHA-256 is missing: expected checkpoint-000003.sha256" in lines[0]


def forged(header, content=b"", compress=zipfile.ZIP_STORED, times=1):
    """The bytes of an archive with arrays "a" whose description is ``header``."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compress) as archive:
        for _ in range(times):
            array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + content
            archive.writestr("a.npy", array)
    return stream.getvalue()


DESCRIBED = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s,)}\n"


@pytest.mark.parametrize(
    "archive, words",
    [
        ((DESCRIBED % 2**40, bytes(400)), r"a: float32 \(1099511627776,\) in 400 bytes"),
        ((DESCRIBED % "2**62, 0",), "ValueError|malformed|Cannot parse|not valid"),
        ((DESCRIBED % "-1", bytes(4)), r"float32 \(-1,\) in 4 bytes"),
        ((DESCRIBED % "4294967296, 4294967296", bytes(4)), "in 4 bytes"),
        (("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n", bytes(8)), "object .1,. in 8 bytes"),
        (("(" * 60_000,), "a description of 60,000 bytes: expected at most 1000"),
        ((DESCRIBED % 2_000_000, bytes(8_000_000), zipfile.ZIP_DEFLATED), "8,000,[0-9]+ bytes of arrays in a file of"),
        ((DESCRIBED % 1, bytes(4), zipfile.ZIP_STORED, 2), "'a': expected an array, once"),
    ],
    ids=["2^40 numbers", "an expression", "less than none", "overflow", "objects", "a deep header", "a bomb", "twice"],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_sizes_that_are_declared_and_not_there_take_no_memory(tmp_path, archive, words):
    path = tmp_path / "checkpoint.npz"  # without a hash, as anybody can write one next to it
    path.write_bytes(forged(*archive))
    tracemalloc.start()
    with pytest.raises(RunError, match=words):
        checkpoint_files.read(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_a_file_larger_than_any_checkpoint_of_the_network_is_not_read(run):
    with open(run / "checkpoint-000003.npz", "ab") as stream:
        stream.truncate(10**12)  # a hole: the disk has no room for it
    lines = []
    assert loaded(run, lines, at_most=10_000) == OLD
    assert "1,000,000,000,000 bytes: expected at most 10,000 for the network of this run" in lines[0]


def test_other_files_are_no_checkpoints(run):
    for name in ("checkpoint-3.npz", "checkpoint-000009.npz.damaged", "notcheckpoint-000010.npz", "mine.npz"):
        shutil.copy(run / "checkpoint-000001.npz", run / name)
    assert loaded(run) == NEW and len(checkpoint_files.checkpoints(run)) == 3
    checkpoint_files.remove(run)
    assert names(run) == ["checkpoint-3.npz", "mine.npz", "notcheckpoint-000010.npz"]
