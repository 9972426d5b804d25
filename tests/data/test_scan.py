"""Every kind of bad picture, made here byte by byte or by Pillow, and what the scan says of it."""

import contextlib
import os
import struct
import zlib

from gluon_resnet.data import scan as scanning
from gluon_resnet.data.duplicates import MAX_BITS, close_pairs, find_copies
from gluon_resnet.data.image_folder import FolderSource, open_folder
from gluon_resnet.data.scan import Look, examine, perceptual_hash, scan
from gluon_resnet.errors import DataError

import numpy
import pytest
from PIL import Image

from tests.conftest import Tty
from tests.data.test_image_folder import bird_folder, save_picture


def noise(seed=0, size=(40, 32), mode="RGB"):
    """A smooth random picture; ``size`` = (width, height)."""
    coarse = numpy.random.RandomState(1000 + seed).randint(0, 256, (5, 6, 3), dtype=numpy.uint8)
    return Image.fromarray(coarse).resize(size, Image.BICUBIC).convert(mode)


def png_header(width, height):
    """A PNG file of which only the header and a few pixels are there."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def write_cut(path):
    save_picture(path, size=(200, 200))
    path.write_bytes(path.read_bytes()[:-200])


def write_broken_checksum(path):
    noise().save(path)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 20] ^= 255
    path.write_bytes(content)


#: file name -> (how it is made, kind of finding, left out?)
UNUSABLE = {
    "zero.jpg": (lambda path: path.write_bytes(b""), "empty file"),
    "cut.jpg": (write_cut, "damaged"),
    "checksum.png": (write_broken_checksum, "damaged"),
    "text.png": (lambda path: path.write_text("<html>404 not found</html>"), "not a picture"),
    "._x.jpg": (lambda path: path.write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "), "not a picture"),
    "tiff.png": (lambda path: noise().save(path, "TIFF"), "not a picture"),
    "1x1.png": (lambda path: Image.new("RGB", (1, 1)).save(path), "tiny"),
    "thin.png": (lambda path: Image.new("RGB", (300, 15)).save(path), "tiny"),
    "bomb.png": (lambda path: path.write_bytes(png_header(20_000, 20_000)), "far too large"),
    "large.png": (lambda path: path.write_bytes(png_header(10_000, 9_000)), "far too large"),
    "link.jpg": (lambda path: path.symlink_to("nowhere.jpg"), "broken link"),
    "pipe.jpg": (lambda path: os.mkfifo(path), "not a file"),
    "header.jpg": (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF"), "damaged"),
}
USABLE = {
    "cmyk.jpg": (lambda path: noise(1, mode="CMYK").save(path), "CMYK"),
    "16bit.png": (
        lambda path: Image.fromarray(numpy.asarray(noise(2, mode="L")).astype(numpy.uint16) * 257).save(path),
        "more than 8 bits",
    ),
    "moving.gif": (lambda path: noise(3).save(path, save_all=True, append_images=[noise(4)]), "animation"),
    "alpha.png": (lambda path: noise(5, mode="RGBA").save(path), "transparent"),
    "palette.png": (lambda path: noise(6).quantize(16).save(path, transparency=0), "transparent"),
    "really-png.jpg": (lambda path: noise(7).save(path, "PNG"), "suffix of another format"),
}


@pytest.fixture
def folder(tmp_path):
    return bird_folder(tmp_path / "birds", number=3)


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_files_are_left_out_and_strict_stops_at_them(folder, name):
    make, kind = UNUSABLE[name]
    make(folder / "grebe" / name)
    report = scan(open_folder(folder))
    assert report.left_out == {f"grebe/{name}"}
    assert [found.problem for found in report.problems] == [kind]
    assert len(report.usable) == 6 and len(report.pictures) == 7
    assert list(report.table[["file", "problem", "effect"]].iloc[0]) == [f"grebe/{name}", kind, "left out"]
    assert name != "cut.jpg" or "one that cannot be decoded (image file is truncated" in report.problems[0].found
    assert report.table.drop(columns="file").iloc[0].astype(bool).all()
    with pytest.raises(DataError, match=f"{kind}: grebe/{name}: expected .* found .*first of 1 finding"):
        report.refuse()


@pytest.mark.parametrize("name", USABLE)
def test_odd_but_readable_files_are_used_and_noted(folder, name):
    make, kind = USABLE[name]
    make(folder / "grebe" / name)
    report = scan(open_folder(folder))
    assert [(found.file, found.problem) for found in report.problems] == [(f"grebe/{name}", kind)]
    assert report.left_out == set() and len(report.usable) == 7
    assert report.has_findings == (kind == "suffix of another format")


def test_a_plain_palette_and_grey_need_no_word(folder):
    noise(8).quantize(16).save(folder / "grebe" / "palette.png")
    noise(9, mode="L").save(folder / "grebe" / "grey.jpg")
    assert scan(open_folder(folder)).problems == []


def test_a_bomb_is_refused_before_memory_is_taken(tmp_path, monkeypatch):
    def never(path, notes):
        raise AssertionError(f"{path} was decoded")

    monkeypatch.setattr(scanning, "read_image", never)
    for name in ("bomb.png", "large.png"):
        UNUSABLE[name][0](tmp_path / name)
        look = examine(tmp_path / name, name)
        assert [found.problem for found in look.problems] == ["far too large"]
        expected = {"bomb.png": "400,000,000", "large.png": "10000x9000"}[name]
        assert look.problems[0].found == expected


def test_a_file_without_permission_is_told(folder, monkeypatch):
    def refuse(path, *args, **kwargs):  # the tests may run as root, whom no permission stops
        if str(path).endswith("locked.png"):
            raise PermissionError(13, "Permission denied")
        return open(path, *args, **kwargs)

    save_picture(folder / "grebe" / "locked.png", 50)
    monkeypatch.setattr(scanning, "open", refuse, raising=False)
    report = scan(open_folder(folder))
    assert [(found.file, found.problem, found.found) for found in report.problems] == [
        ("grebe/locked.png", "file that cannot be read", "Permission denied")
    ]


def test_a_csv_may_name_files_that_are_not_there(folder):
    (folder / "a.csv").write_text("path,label\ngrebe/00.png,g\ncockatoo/00.png,c\ngrebe/99.png,g\n")
    report = scan(open_folder(folder / "a.csv"))
    assert [(found.file, found.problem) for found in report.problems] == [("grebe/99.png", "missing file")]


def test_one_name_in_two_classes_is_no_problem(folder):
    assert sorted(os.listdir(folder / "grebe")) == sorted(os.listdir(folder / "cockatoo"))
    report = scan(open_folder(folder))
    assert report.problems == [] and report.lines() == ["nothing to report"]


def test_the_same_bytes_twice_in_one_class_in_two_and_in_both_parts(folder):
    content = (folder / "cockatoo" / "01.png").read_bytes()
    (folder / "cockatoo" / "02.png").write_bytes(content)
    (folder / "grebe" / "00.png").write_bytes(content)
    source = open_folder(folder)
    report = scan(source)
    assert [(found.file, found.problem, found.found) for found in report.problems] == [
        ("cockatoo/02.png", "duplicate", "the bytes of cockatoo/01.png"),
        ("grebe/00.png", "duplicate in two classes", "the bytes of cockatoo/01.png, labelled cockatoo"),
    ]
    assert len(report.usable) == 6  # as in Keras, they stay in use
    parts = ["training", "training", "validation", "training", "training", "training"]
    kinds = [found.problem for found in scan(source, parts).problems]
    assert kinds == ["duplicate in both parts", "duplicate in two classes"]
    with pytest.raises(DataError, match="first of 2 findings"):
        report.refuse()


def test_a_copy_is_told_with_the_first_that_has_another_label():
    looks = [Look(name, digest=b"same", hash=0) for name in "abcde"]
    found = find_copies(looks, ["x", "x", "y", "x", "y"])
    assert [(problem.file, problem.problem, problem.found) for problem in found] == [
        ("b", "duplicate", "the bytes of a"),
        ("c", "duplicate in two classes", "the bytes of a, labelled x"),
        ("d", "duplicate in two classes", "the bytes of c, labelled y"),
        ("e", "duplicate in two classes", "the bytes of a, labelled x"),
    ]


def test_a_decoder_that_stumbles_costs_one_picture(folder, monkeypatch):
    def stumble(path, notes):
        if path.name == "01.png":
            raise KeyError("no such marker")
        return numpy.asarray(Image.open(path))

    monkeypatch.setattr(scanning, "read_image", stumble)
    report = scan(open_folder(folder))
    assert report.left_out == {"cockatoo/01.png", "grebe/01.png"} and "no such marker" in report.problems[0].found


def test_a_smaller_recompressed_copy_is_a_near_duplicate_and_another_picture_is_not(folder):
    noise(77, (200, 160)).save(folder / "grebe" / "large.png")
    noise(77, (200, 160)).resize((90, 72), Image.BILINEAR).save(folder / "cockatoo" / "small.jpg", quality=50)
    report = scan(open_folder(folder))
    [found] = report.problems
    assert (found.file, found.problem) == ("grebe/large.png", "near duplicate in two classes")
    assert "cockatoo/small.jpg" in found.found


def test_close_pairs_are_those_of_comparing_all_with_all():
    random = numpy.random.RandomState(0)
    hashes = [int(value) for value in random.randint(0, 2**63, 60, dtype=numpy.uint64)]
    for i in range(60):  # copies with 0 to 9 bits turned over
        bits = random.permutation(64)[: i % 10]
        hashes.append(hashes[i] ^ sum(1 << int(bit) for bit in bits))
    expected = [(i, j, bin(a ^ b).count("1")) for i, a in enumerate(hashes) for j, b in enumerate(hashes) if i < j]
    expected = [pair for pair in expected if pair[2] <= MAX_BITS]
    assert len(expected) == 30 and close_pairs(hashes) == expected
    assert close_pairs([hashes[0], None, hashes[0]]) == [(0, 2, 0)]


@pytest.mark.parametrize("step", [1, 12, 13, 16, 21])
def test_close_pairs_are_found_wherever_the_bits_differ(step):
    apart = sum(1 << i * step for i in range(64 // step))  # one bit in every ``step``
    few = sum(1 << i * step for i in range(min(MAX_BITS, 64 // step)))
    assert close_pairs([5, 5 ^ few]) == [(0, 1, min(MAX_BITS, 64 // step))]
    assert close_pairs([5, 5 ^ apart]) == ([(0, 1, 64 // step)] if 64 // step <= MAX_BITS else [])


def test_the_perceptual_hash_is_the_sign_of_low_frequencies_around_their_median():
    image = numpy.asarray(noise(3, (64, 64)))
    grey = numpy.asarray(Image.fromarray(image).convert("L").resize((32, 32), Image.LANCZOS)).astype(float)
    k, n = numpy.arange(32)[:, None], numpy.arange(32)[None]
    cosines = numpy.cos(numpy.pi * k * (2 * n + 1) / 64)
    low = (cosines @ grey @ cosines.T)[:8, :8]
    bits = "".join("1" if value > numpy.median(low) else "0" for value in low.ravel())
    assert bin(perceptual_hash(image) ^ int(bits, 2)).count("1") == 0


def test_the_table_of_pictures_and_the_lines(folder):
    noise(1, (90, 30), "L").save(folder / "grebe" / "wide.jpg")
    for i in range(5):
        (folder / "grebe" / f"x{i}.png").write_bytes(b"")
    report = scan(open_folder(folder))
    row = report.pictures.set_index("name").loc["grebe/wide.jpg"]
    assert (row["class"], row["width"], row["height"], row["format"], row["mode"]) == ("grebe", 90, 30, "JPEG", "L")
    assert row["bytes"] == (folder / "grebe" / "wide.jpg").stat().st_size
    lines = report.lines(limit=2)
    assert lines[0] == "left out, empty file: 5" and lines[3] == "  and 3 more" and len(lines) == 4
    assert lines[1] == "  grebe/x0.png: expected a picture, found 0 bytes; fetch it again or remove it"
    assert len(report.lines(None)) == 6
    assert report.summary() == f"{folder}: 7 of 12 pictures usable; left out: empty file (5)"


def test_many_threads_find_what_one_finds(folder):
    for name, (make, _) in {**UNUSABLE, **USABLE}.items():
        make(folder / "grebe" / name)
    source = open_folder(folder)
    one, many = scan(source, workers=1), scan(source, workers=8)
    assert one.problems == many.problems and len(one.problems) == len(UNUSABLE) + len(USABLE)
    assert one.pictures.equals(many.pictures)


def test_a_class_without_a_usable_picture_is_empty(folder):
    (folder / "owl").mkdir()
    for i in range(3):
        (folder / "owl" / f"{i}.png").write_bytes(b"")
    report = scan(open_folder(folder))
    assert [(found.file, found.effect, found.found) for found in report.problems if found.problem == "empty class"] == [
        ("owl/", "suspect", "3 that cannot")
    ]
    assert report.summary().endswith("left out: empty file (3); suspect: empty class (1)")


def test_a_bar_is_shown_only_when_asked_for(folder, capfd):
    scan(open_folder(folder))
    scan(open_folder(folder), progress=True)  # into a log, where nothing can be drawn over
    assert capfd.readouterr() == ("", "")
    terminal = Tty()
    with contextlib.redirect_stderr(terminal):
        scan(open_folder(folder), progress=True)
    assert "scanning birds" in terminal.getvalue() and capfd.readouterr() == ("", "")


def test_findings_made_before_the_scan_are_in_its_report(folder):
    (folder / "grebe" / "notes.txt").write_text("")
    source = FolderSource(folder, ["grebe/00.png"], [0], ["grebe"], problems=open_folder(folder).problems)
    assert [found.file for found in scan(source).problems] == ["grebe/notes.txt"]
