"""PyTorch files made by a real PyTorch (scripts/torch_fixtures.py), damaged ones and malicious ones."""

import io
import os
import pickle
import random
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

from gluon_resnet.errors import WeightsError
from gluon_resnet.weights.pickles import LEGACY_MAGIC, LEGACY_START, read_torch

import numpy
import pytest

from tests.conftest import ROOT

FIXTURES = ROOT / "tests" / "fixtures"
BASE = (numpy.arange(24, dtype=numpy.float32) / 8).reshape(2, 3, 4)


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_every_type_and_stride_of_a_real_file(kind):
    found = read_torch(FIXTURES / f"torch_{kind}.pth")
    expected = {
        "plain": BASE,
        "transposed": BASE.transpose(2, 1, 0),
        "part": BASE[1, 1:],
        "half": BASE.astype("f2"),
        "bfloat16": BASE,
        "double": BASE.astype("f8"),
        "long": numpy.arange(-3, 3),
        "bool": numpy.array([True, False]),
        "scalar": numpy.float32(2.5),
        "empty": numpy.zeros((0, 3), "f4"),
        "parameter": BASE + 1,
    }
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype and found[name].shape == values.shape, name
        assert (found[name] == values).all(), name


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_a_training_checkpoint_gives_its_state_dict(kind):
    found = read_torch(FIXTURES / f"torch_checkpoint_{kind}.pth")
    assert {name: values.shape for name, values in found.items()} == {
        "0.weight": (2, 1, 3, 3),
        "0.bias": (2,),
        "1.weight": (2,),
        "1.bias": (2,),
        "1.running_mean": (2,),
        "1.running_var": (2,),
        "1.num_batches_tracked": (),
    }
    assert (found["0.weight"] == 0.5).all() and (found["1.bias"] == 3.5).all()


class Runs:
    """A pickle of this runs a program when it is loaded."""

    def __init__(self, program, *args):
        self.call = program, args

    def __reduce__(self):
        return self.call


def as_zip(content):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    return stream.getvalue()


def as_legacy(content):
    headers = [pickle.dumps(value, protocol=2) for value in (LEGACY_MAGIC, 1001, {"little_endian": True})]
    return b"".join(headers) + content + pickle.dumps([], protocol=2)


def test_the_start_of_a_legacy_file_is_torchs_own():
    assert (FIXTURES / "torch_legacy.pth").read_bytes().startswith(LEGACY_START)


@pytest.mark.parametrize("wrap", [as_zip, as_legacy])
@pytest.mark.parametrize(
    "program, named",
    [
        (lambda marker: Runs(os.system, f"touch {marker}"), "posix.system"),
        (lambda marker: Runs(eval, f"open({str(marker)!r}, 'w')"), "__builtin__.eval"),
        (lambda marker: Runs(open, str(marker), "w"), "io.open"),
        (lambda marker: {"weight": Runs(Path, str(marker))}, r"pathlib\.(_local\.)?Path"),  # _local: Python 3.13
        (lambda marker: OrderedDict(a=numpy.zeros(3)), "numpy"),
    ],
)
def test_a_malicious_pickle_is_refused_by_name_and_nothing_runs(tmp_path, wrap, program, named):
    marker, path = tmp_path / "ran", tmp_path / "bad.pth"
    content = pickle.dumps(program(marker), protocol=2)
    path.write_bytes(wrap(content))
    with pytest.raises(WeightsError, match=named) as refusal:
        read_torch(path)
    assert "nothing was run" in str(refusal.value) and str(path) in str(refusal.value)
    assert not marker.exists()
    if "numpy" not in named:
        pickle.loads(content)  # the same bytes would have run it
        assert marker.exists() or "Path" in named


def test_an_allowed_name_cannot_be_called_for_something_else(tmp_path):
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    storage = b"ctorch\nFloatStorage\n"
    for content in (
        b"\x80\x02" + rebuild + b"(K\x01K\x02tR.",  # too few arguments
        b"\x80\x02" + rebuild + b"(NK\x00))tR.",  # no storage
        b"\x80\x02" + storage + b")R.",  # a type called
        b"\x80\x02" + storage + b"}X\x07\x00\x00\x00elementX\x02\x00\x00\x00f8sb.",  # a type changed
        b"\x80\x02X\x01\x00\x00\x00aQ.",
    ):  # a persistent id that is no storage
        (tmp_path / "bad.pth").write_bytes(as_zip(content))
        with pytest.raises(WeightsError, match="damaged or no checkpoint"):
            read_torch(tmp_path / "bad.pth")
    assert (read_torch(FIXTURES / "torch_zip.pth")["plain"] == BASE).all()


def tensor_pickle(size, stride, offset=0, count=4):
    """A pickle of {"w": tensor} over the storage "0" of ``count`` floats, opcode by opcode."""

    def number(value):
        return b"J" + struct.pack("<i", value)

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def numbers(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(count) + b"tQ"
    return (
        b"\x80\x02}"
        + text("w")
        + b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + number(offset)
        + numbers(size)
        + numbers(stride)
        + b"\x89}tRs."
    )


@pytest.mark.parametrize(
    "size, stride, offset",
    [((5,), (1,), 0), ((2,), (3,), 1), ((2, 2), (2, 1), 1), ((10**9,), (0,), 0), ((4,), (-1,), 3)],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path, size, stride, offset):
    path = tmp_path / "bad.pth"
    stream = io.BytesIO(as_zip(tensor_pickle(size, stride, offset)))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("archive/data/0", numpy.arange(4, dtype="<f4").tobytes())
    path.write_bytes(stream.getvalue())
    with pytest.raises(WeightsError):
        read_torch(path)


def test_the_same_by_hand_within_its_storage_is_read(tmp_path):
    stream = io.BytesIO(as_zip(tensor_pickle((2, 2), (1, 2), 0)))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("archive/data/0", numpy.arange(4, dtype="<f4").tobytes())
    (tmp_path / "good.pth").write_bytes(stream.getvalue())
    assert read_torch(tmp_path / "good.pth")["w"].tolist() == [[0, 2], [1, 3]]


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_cut_off_and_flipped_bytes_give_an_error_or_another_number_but_no_crash(tmp_path, kind):
    content = (FIXTURES / f"torch_checkpoint_{kind}.pth").read_bytes()
    path, chance, refused = tmp_path / "damaged.pth", random.Random(0), 0
    cut = [content[:end] for end in range(0, len(content), 97)]
    flipped = []
    for _ in range(200):
        damaged = bytearray(content)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        flipped.append(bytes(damaged))
    for damaged in cut + flipped:
        path.write_bytes(damaged)
        try:
            read_torch(path)
        except WeightsError:
            refused += 1
    assert refused >= len(cut)


def test_what_is_no_dict_of_tensors_is_refused(tmp_path):
    for value, expected in (
        ([1, 2], "holds a list"),
        ({"a": 1}, "'a' is a int"),
        ({}, "no tensor"),
        ({1: 2}, "1 is a int"),
    ):
        (tmp_path / "bad.pth").write_bytes(as_zip(pickle.dumps(value, protocol=2)))
        with pytest.raises(WeightsError, match=expected):
            read_torch(tmp_path / "bad.pth")


def test_a_compressed_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, protocol=2))
    with pytest.raises(WeightsError, match="compressed inside"):
        read_torch(tmp_path / "bad.pth")
