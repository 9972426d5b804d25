"""Whole pictures with odd metadata, made byte by byte: read as OpenCV reads them, which looks at their pixels alone."""

import struct
import zlib

from gluon_resnet.data.image_folder import open_folder
from gluon_resnet.data.images import one_colour, read_image
from gluon_resnet.data.reading import read_least
from gluon_resnet.data.record_checks import verify
from gluon_resnet.data.record_files import Settings, pack
from gluon_resnet.data.records import RecordSource
from gluon_resnet.data.scan import scan
from gluon_resnet.errors import DataError

import cv2
import numpy
import pytest
from PIL import Image, PngImagePlugin

from tests.data.test_image_folder import bird_folder, problems
from tests.data.test_records import jpeg, picture, write_records

WIDE = picture(3)  # (48, 64, 3)
TURNED = (0x0112, 3, 1, struct.pack("<H", 6))  # EXIF's orientation: a quarter turn to the right


def exif(*entries):
    """An APP1 segment's content: a TIFF directory of (tag, type, count, bytes)."""
    body, extra, start = struct.pack("<H", len(entries)), b"", 8 + 2 + 12 * len(entries) + 4
    for tag, kind, number, data in entries:
        if len(data) > 4:
            data, extra = struct.pack("<I", start + len(extra)), extra + data
        body += struct.pack("<HHI", tag, kind, number) + data.ljust(4, b"\0")
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 0) + extra


def with_segment(path, content, marker=0xE1):
    """A JPEG file with one more segment right after its start."""
    Image.fromarray(WIDE).save(path, quality=95)
    whole = path.read_bytes()
    path.write_bytes(whole[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content + whole[2:])


def with_chunk(path, kind, content, checksum=None, where=33):
    """A PNG file with one more chunk after its header, which is 33 bytes long, or at the byte ``where``."""
    Image.fromarray(WIDE).save(path)
    whole = path.read_bytes()
    checksum = zlib.crc32(kind + content) if checksum is None else checksum
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
    path.write_bytes(whole[:where] + chunk + whole[where:])


def with_text(path):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a prompt " * 250_000, zip=True)
    Image.fromarray(WIDE).save(path, pnginfo=info)


#: file -> (how it is made, whether its EXIF turns it)
ODD = {
    "gps.jpg": (lambda path: with_segment(path, exif(TURNED, (0x8825, 2, 4, b"none"))), True),
    "rational.jpg": (
        lambda path: with_segment(path, exif(TURNED, (0x011A, 10, 1, struct.pack("<ii", -1, 0)))),
        True,
    ),
    "cut-exif.jpg": (lambda path: with_segment(path, exif(TURNED)[:20]), False),
    "no-tiff.jpg": (lambda path: with_segment(path, b"Exif\0\0nonsense"), False),
    "icc.jpg": (lambda path: with_segment(path, b"ICC_PROFILE\0", 0xE2), False),
    "jfif.jpg": (lambda path: with_segment(path, b"JFIF\0", 0xE0), False),
    "text.png": (with_text, False),
    "profile.png": (lambda path: Image.fromarray(WIDE).save(path, icc_profile=bytes(2_000_000)), False),
    "checksum.png": (lambda path: with_chunk(path, b"tEXt", b"Comment\0none", checksum=7), False),
    "late.png": (lambda path: with_chunk(path, b"zTXt", b"x\0\0" + zlib.compress(bytes(9_000_000)), where=-12), False),
    "gamma.png": (lambda path: with_chunk(path, b"gAMA", b"\0"), False),
    "exif.png": (lambda path: with_chunk(path, b"eXIf", b"II*\0nonsense"), False),
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    for name, (make, _) in ODD.items():
        make(folder / name)
    return folder


@pytest.mark.parametrize("name", ODD)
def test_pixels_that_decode_are_read(odd, name):
    expected = cv2.imdecode(
        numpy.frombuffer((odd / name).read_bytes(), numpy.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    )[:, :, ::-1]
    assert expected.shape == (48, 64, 3)
    expected = numpy.rot90(expected, -1) if ODD[name][1] else expected
    notes = []
    found = read_image(odd / name, notes)
    assert found.shape == expected.shape
    assert abs(found.astype(int) - expected).max() <= (3 if name.endswith("jpg") else 0)
    # Pillow itself passes over some EXIF that it cannot read
    assert [note[0] for note in notes] == ["odd metadata"] * (name not in ("cut-exif.jpg", "no-tiff.jpg", "exif.png"))
    again = []
    assert (read_least(odd / name, found.shape[:2], again) == found).all() and again == notes


def test_the_scan_uses_them_and_notes_them_and_strict_goes_on(tmp_path, odd):
    folder = bird_folder(tmp_path / "birds", number=3)
    for name in ("gps.jpg", "text.png"):
        (folder / "grebe" / name).write_bytes((odd / name).read_bytes())
    report = scan(open_folder(folder))
    assert problems(report, "odd metadata") == ["grebe/gps.jpg", "grebe/text.png"]
    assert report.left_out == set() and len(report.usable) == 8
    assert {problem.effect for problem in report.problems if problem.problem == "odd metadata"} == {"note"}


def test_a_damaged_picture_stays_damaged_whatever_its_metadata(odd, tmp_path):
    for name in ("text.png", "icc.jpg"):
        content = (odd / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) - 600])
        with pytest.raises(DataError, match=name):
            read_image(tmp_path / name)
    with_chunk(tmp_path / "data.png", b"IDAT", b"nonsense")
    with pytest.raises(DataError, match="cannot be decoded"):
        read_image(tmp_path / "data.png")


def test_predict_reads_them(odd, tmp_path, run_cli, monkeypatch):
    from gluon_resnet.data.images import IMAGENET
    from gluon_resnet.evaluation.predict import look

    views, X = look([odd / name for name in ODD], IMAGENET)
    assert X.shape == (len(ODD), 3, 224, 224)


def test_odd_pictures_are_packed_upright(odd, tmp_path):
    folder = tmp_path / "photos"
    for c, name in enumerate(("gps.jpg", "text.png")):
        (folder / "ab"[c]).mkdir(parents=True)
        (folder / "ab"[c] / name).write_bytes((odd / name).read_bytes())
    pack(folder, tmp_path / "out", Settings(lossless=True))
    source = RecordSource(tmp_path / "out.rec")
    for i, name in enumerate(("gps.jpg", "text.png")):
        assert (source.read(i) == read_image(odd / name)).all()


def test_an_alpha_channel_of_zeros_counts_as_none(tmp_path):
    """Some programs write RGBA without ever setting alpha: the picture would be white all over."""
    for name, pixels in (
        ("rgba.png", numpy.dstack([WIDE, numpy.zeros((48, 64), numpy.uint8)])),
        ("rgba.webp", numpy.dstack([WIDE, numpy.zeros((48, 64), numpy.uint8)])),
        ("la.png", numpy.dstack([WIDE[:, :, 0], numpy.zeros((48, 64), numpy.uint8)])),
    ):
        Image.fromarray(pixels).save(tmp_path / name, **({"lossless": True, "exact": True} if "webp" in name else {}))
        expected = WIDE if "rgba" in name else numpy.repeat(WIDE[:, :, :1], 3, axis=2)
        notes = []
        assert (read_image(tmp_path / name, notes) == expected).all(), name
        assert [note[0] for note in notes] == ["empty alpha channel"]
    one = numpy.dstack([WIDE, numpy.zeros((48, 64), numpy.uint8)])
    one[0, 0, 3] = 255  # a single pixel to be seen: the channel means something
    Image.fromarray(one).save(tmp_path / "one.png")
    found = read_image(tmp_path / "one.png")
    assert (found[0, 0] == WIDE[0, 0]).all() and (found.reshape(-1, 3)[1:] == 255).all()


def test_pictures_of_one_colour_are_suspect_and_listed(tmp_path):
    folder = bird_folder(tmp_path / "birds", number=3)
    Image.new("RGB", (40, 30), (200, 60, 30)).save(folder / "grebe" / "flat.jpg")
    clear = numpy.zeros((30, 40, 4), numpy.uint8)
    clear[0, 0, 3] = 1  # not 0 everywhere, and yet white all over
    Image.fromarray(clear).save(folder / "grebe" / "clear.png")
    Image.fromarray(numpy.full((30, 40), 300, numpy.uint16)).save(folder / "grebe" / "dark.png")
    line = numpy.full((300, 400, 3), 255, numpy.uint8)
    line[:, 201] = 0  # one thin line, between the pixels that are looked at first
    Image.fromarray(line).save(folder / "grebe" / "line.png")
    report = scan(open_folder(folder))
    assert problems(report, "one colour") == [f"grebe/{name}" for name in ("clear.png", "dark.png", "flat.jpg")]
    assert report.left_out == set() and report.has_findings
    with pytest.raises(DataError, match="one colour: grebe/clear.png: expected something to see"):
        report.refuse()
    assert not one_colour(line) and one_colour(line[:, :201])
    write_records(tmp_path / "a.rec", [(0, jpeg(1)), (1, (folder / "grebe" / "flat.jpg").read_bytes())])
    [found] = [finding for finding in verify([tmp_path / "a.rec"]).findings if finding.what == "one colour"]
    assert (found.index, found.severity) == (1, "warning")
