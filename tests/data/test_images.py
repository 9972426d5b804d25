"""Pictures of every kind read back against pixels known by hand; preparation against plain arithmetic."""

import os
from dataclasses import replace
from pathlib import Path

from gluon_resnet.data import conversion
from gluon_resnet.data.images import IMAGENET, PREPARATIONS, normalize, read_image, resize, view
from gluon_resnet.data.labels import read_labels
from gluon_resnet.errors import DataError

import numpy
import pytest
from gluoncv.data import ImageNet1kAttr
from PIL import Image

from tests.conftest import one_line_error

RGB = numpy.arange(6 * 4 * 3, dtype=numpy.uint8).reshape(6, 4, 3) * 3


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.webp", "a.gif"])
def test_lossless_formats(tmp_path, name):
    image = Image.fromarray(RGB)
    image.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    found = read_image(tmp_path / name)
    assert found.dtype == numpy.uint8 and found.flags["C_CONTIGUOUS"]
    assert (found == RGB).all()


def test_jpeg_in_rgb_and_in_cmyk(tmp_path):
    flat = numpy.full((16, 16, 3), (200, 60, 30), numpy.uint8)
    Image.fromarray(flat).save(tmp_path / "rgb.jpg", quality=95)
    Image.fromarray(flat).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    for name in ("rgb.jpg", "cmyk.jpg"):
        assert abs(read_image(tmp_path / name).astype(int) - flat).max() <= 4


def test_grey_of_8_and_of_16_bits_and_of_one(tmp_path):
    grey = numpy.array([[0, 100], [200, 255]], dtype=numpy.uint8)
    Image.fromarray(grey).save(tmp_path / "8.png")
    Image.fromarray(grey.astype(numpy.uint16) * 257).save(tmp_path / "16.png")
    Image.fromarray(grey > 150).save(tmp_path / "1.png")
    for name, expected in (("8.png", grey), ("16.png", grey), ("1.png", (grey > 150) * 255)):
        assert (read_image(tmp_path / name) == expected[:, :, None]).all(), name


def test_palettes_and_alpha_lie_over_white(tmp_path):
    rgba = numpy.zeros((2, 2, 4), numpy.uint8)
    rgba[0, 0] = (255, 0, 0, 255)
    rgba[0, 1] = (0, 0, 0, 0)
    rgba[1, 0] = (0, 0, 0, 128)
    rgba[1, 1] = (10, 20, 30, 255)
    Image.fromarray(rgba).save(tmp_path / "alpha.png")
    found = read_image(tmp_path / "alpha.png").astype(int)
    expected = numpy.array([[(255, 0, 0), (255, 255, 255)], [(127, 127, 127), (10, 20, 30)]])
    assert abs(found - expected).max() <= 1
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 9, 8, 7])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "palette.png", transparency=0)
    assert read_image(tmp_path / "palette.png").tolist() == [[[255, 255, 255], [9, 8, 7]]]
    Image.fromarray(numpy.array([[[0, 255], [0, 0]]], numpy.uint8), "LA").save(tmp_path / "la.png")
    assert read_image(tmp_path / "la.png").tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize(
    "orientation, turn",
    [
        (1, lambda a: a),
        (3, lambda a: a[::-1, ::-1]),
        (6, lambda a: numpy.rot90(a, -1)),
        (8, numpy.rot90),
        (2, lambda a: a[:, ::-1]),
    ],
)
def test_exif_turns_the_picture_upright(tmp_path, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / "turned.png", exif=exif)
    assert (read_image(tmp_path / "turned.png") == turn(RGB)).all()


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert (read_image(tmp_path / "moving.gif") == (255, 0, 0)).all()


def test_damaged_and_foreign_files(tmp_path):
    noise = numpy.random.RandomState(0).randint(0, 255, (64, 64, 3), dtype=numpy.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:900])
    (tmp_path / "text.png").write_text("no picture")
    Image.new("RGB", (2, 2)).save(tmp_path / "other.tiff")
    (tmp_path / "empty.gif").write_bytes(b"")
    for name, match in (
        ("cut.jpg", "cannot be decoded"),
        ("text.png", "not a picture"),
        ("other.tiff", "not a picture"),
        ("empty.gif", "not a picture"),
        ("missing.png", "no such file"),
        (".", "directory"),
    ):
        with pytest.raises(DataError, match=match) as refusal:
            read_image(tmp_path / name)
        assert str(tmp_path) in str(refusal.value)


def test_the_view_is_the_middle_of_the_picture_with_its_shorter_side_at_256():
    ramp = numpy.broadcast_to(numpy.arange(512, dtype=numpy.float64)[None, :, None] / 2, (300, 512, 3)).astype(
        numpy.uint8
    )
    seen = view(ramp, PREPARATIONS["torchvision"])
    assert seen.shape == (224, 224, 3)
    # the shorter side goes from 300 to 256, the longer one from 512 to 437; 224 of those,
    # from (437 - 224) // 2 = 106 on
    expected = (numpy.arange(224) + 106 + 0.5) * 512 / 437 / 2
    assert abs(seen[100, :, 0] - expected).max() < 1.5
    assert view(ramp, PREPARATIONS["keras"]).shape == (224, 224, 3)
    assert view(numpy.zeros((3, 900, 3), numpy.uint8), PREPARATIONS["torchvision"]).shape == (224, 224, 3)
    assert view(ramp, PREPARATIONS["torchvision"].at(96)).shape == (96, 96, 3)


def test_the_view_of_published_weights_is_torchvisions_to_the_pixel():
    """Sizes and corners worked out from torchvision.transforms: int() of the longer side, round() of the corner."""
    image = numpy.random.RandomState(0).randint(0, 256, (375, 500, 3), dtype=numpy.uint8)
    preparation = replace(IMAGENET, resize=232, interpolation="bilinear")
    # 500 * 232 / 375 = 309.3; (309 - 224) / 2 = 42.5, which round() makes 42; (232 - 224) / 2 = 4
    expected = Image.fromarray(image).resize((309, 232), Image.BILINEAR).crop((42, 4, 266, 228))
    assert (view(image, preparation) == numpy.asarray(expected)).all()
    upright = view(image.transpose(1, 0, 2).copy(), preparation)
    turned = numpy.asarray(expected, dtype=int).transpose(1, 0, 2)
    assert abs(upright - turned).max() <= 1  # Pillow resizes the width first and rounds, then the height
    bicubic = view(image, replace(IMAGENET, resize=288, crop=288, interpolation="bicubic"))
    expected = Image.fromarray(image).resize((384, 288), Image.BICUBIC).crop((48, 0, 336, 288))
    assert (bicubic == numpy.asarray(expected)).all()
    assert view(image, preparation.at(100)).shape == (100, 100, 3)


def test_shrinking_averages_over_areas():
    image = numpy.random.RandomState(0).randint(0, 255, (8, 8, 3), dtype=numpy.uint8)
    expected = image.reshape(4, 2, 4, 2, 3).mean((1, 3))
    assert abs(resize(image, 4, 4) - expected).max() <= 0.5 + 1e-9


def test_inputs_by_hand():
    seen = numpy.full((2, 2, 3), (255, 0, 51), numpy.uint8)
    assert normalize(seen, PREPARATIONS["torchvision"])[:, 0, 0] == pytest.approx(
        [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225], rel=1e-6
    )
    assert normalize(seen, PREPARATIONS["keras"])[:, 0, 0] == pytest.approx(
        [51 - 103.939, -116.779, 255 - 123.68], rel=1e-6
    )
    grey = normalize(seen, PREPARATIONS["d2l"], in_channels=1)
    assert grey.shape == (1, 2, 2) and grey.dtype == numpy.float32
    assert grey[0, 0, 0] == pytest.approx((0.299 * 255 + 0.114 * 51) / 255, abs=2e-3)  # ITU-R BT.601


def test_imagenets_names_are_gluoncvs():
    labels = read_labels(None, 1000)
    assert labels == list(ImageNet1kAttr().classes)
    known = {0: "tench", 258: "Samoyed", 281: "tabby", 282: "tiger cat", 285: "Egyptian cat", 999: "toilet tissue"}
    assert {number: labels[number] for number in known} == known


@pytest.mark.real
def test_imagenets_names_are_those_beside_the_real_weights():
    real = os.environ.get("GLUON_RESNET_REAL_DATA")
    if not real:
        pytest.skip("GLUON_RESNET_REAL_DATA is not set")
    assert read_labels(None, 1000) == Path(real, "weights", "imagenet_classes.txt").read_text().splitlines()


def test_label_files(tmp_path):
    (tmp_path / "good.txt").write_text("cat\ndog\n")
    assert read_labels(tmp_path / "good.txt", 2) == ["cat", "dog"]
    assert read_labels(None, 2) == ["class 0", "class 1"]
    (tmp_path / "windows.txt").write_bytes(b"\xef\xbb\xbffinch\r\nheron\r\n")  # Notepad's
    assert read_labels(tmp_path / "windows.txt", 2) == ["finch", "heron"]
    (tmp_path / "gap.txt").write_text("cat\n\ndog\n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    for name, count, match in (
        ("good.txt", 3, "2 labels: expected 3"),
        ("gap.txt", 3, "line 2 is empty"),
        ("latin.txt", 1, "UTF-8"),
        ("none.txt", 1, "No such file"),
    ):
        with pytest.raises(DataError, match=match):
            read_labels(tmp_path / name, count)


def test_predict_without_weights_or_with_a_bad_picture_path(tmp_path, run_cli):
    assert "--weights FILE is needed" in one_line_error(run_cli("predict", tmp_path / "a.png"))
    assert "written as .png" in one_line_error(run_cli("predict", tmp_path / "a.png", "--save", tmp_path / "out.xyz"))


@pytest.mark.parametrize("orientation", sorted(conversion.TURNS))
def test_turns_are_pillows(orientation):
    pixels, turn = (
        numpy.random.RandomState(0).randint(0, 255, (5, 3, 3), dtype=numpy.uint8),
        conversion.TURNS[orientation],
    )
    assert (conversion.turned(pixels, turn) == numpy.asarray(Image.fromarray(pixels).transpose(turn))).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "CMYK", "I;16", "1"])
def test_pieces_give_the_pixels_of_the_whole(tmp_path, monkeypatch, mode):
    random = numpy.random.RandomState(0)
    image = Image.fromarray(random.randint(0, 255, (23, 17, 4), dtype=numpy.uint8), "RGBA")
    if mode == "I;16":
        image = Image.fromarray(random.randint(0, 65535, (23, 17), dtype=numpy.uint16))
    elif mode != "RGBA":
        image = image.convert("RGB").convert(mode) if mode != "LA" else image.convert("LA")
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.save(path, **({"transparency": 3} if mode == "P" else {}))
    whole = read_image(path)
    monkeypatch.setattr(conversion, "PIECE", 40)
    assert (read_image(path) == whole).all()


def test_the_middle_of_a_long_picture_is_what_a_crop_of_it_sees():
    long = numpy.zeros((10, 4000, 3), numpy.uint8)
    long[:, 1999:2001] = 255
    seen = view(long, IMAGENET)
    assert seen.shape == (224, 224, 3) and seen[:, 112].min() > 250 and seen[:, :6].max() == 0
