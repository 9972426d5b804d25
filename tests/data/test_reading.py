"""The fast reading against Pillow's own pixels, and on files that only Pillow may read; numbers against arithmetic."""

import io
import os
import re
from pathlib import Path

from gluon_resnet.data.decoded import make_fit
from gluon_resnet.data.image_folder import open_folder
from gluon_resnet.data.images import HALF, IMAGENET, PREPARATIONS, Preparation, normalize, read_image, view
from gluon_resnet.data.pictures import PictureBatches
from gluon_resnet.data.pixels import EXACT, FAST, resize
from gluon_resnet.data.reading import _size_of_plain, decode_least, read_for, read_least
from gluon_resnet.data.record_files import pack
from gluon_resnet.data.records import RecordSource
from gluon_resnet.errors import ConfigError, DataError

import cv2
import numpy
import pytest
from PIL import Image, ImageFile

NOISE = numpy.random.RandomState(0).randint(0, 256, (12, 18, 3), dtype=numpy.uint8)
SCENE = Image.fromarray(NOISE).resize((180, 120), Image.Resampling.BICUBIC)  # soft, as photographs are
WHOLE = (120, 180)  # at such a size nothing is made smaller
LEVELS = numpy.arange(256, dtype=numpy.uint8)


def stored(image=SCENE, kind="JPEG", **options):
    """The bytes of a file with an image."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def turned(orientation):
    """EXIF that says how an image is turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def difference(found, expected):
    """Mean absolute difference in grey levels of two images."""
    return numpy.abs(numpy.subtract(found, expected, dtype=float)).mean()


@pytest.fixture
def by_pillow(monkeypatch):
    """Names of what Pillow decodes from here on."""
    from gluon_resnet.data import images

    names, decode = [], images._decode
    monkeypatch.setattr(images, "_decode", lambda file, name, *to: names.append(name) or decode(file, name, *to))
    return names


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("options", [{}, {"quality": 30}, {"progressive": True}, {"optimize": True}])
def test_a_whole_jpeg_has_pillows_pixels(subsampling, options, by_pillow):
    content = stored(subsampling=subsampling, **options)
    expected = numpy.asarray(Image.open(io.BytesIO(content)))
    assert (decode_least(content, "a", WHOLE) == expected).all() and not by_pillow


def test_grey_and_rgb_without_conversion_have_pillows_pixels(by_pillow):
    for content in (stored(SCENE.convert("L")), stored(keep_rgb=True)):
        expected = numpy.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        assert (decode_least(content, "a", WHOLE) == expected).all() and not by_pillow


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_decoder_makes_an_image_smaller_as_pillows_draft_does(factor, by_pillow):
    content = stored(SCENE.resize((1440, 960)))
    image = Image.open(io.BytesIO(content))
    image.draft("RGB", (1440 // factor, 960 // factor))
    least = 960 // factor // 2, 1440 // factor // 2
    found = decode_least(content, "a", least)
    assert found.shape == (960 // factor, 1440 // factor, 3) and (found == numpy.asarray(image)).all()
    # one pixel more is asked for: the next larger one of the decoder's sizes
    assert decode_least(content, "a", (least[0] + 1, 1)).shape[0] == 960 // factor * 2 and not by_pillow


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_a_jpeg_upright_at_every_size(orientation, tmp_path, by_pillow):
    path = tmp_path / "a.jpg"
    path.write_bytes(stored(SCENE.resize((360, 240)), exif=turned(orientation)))
    whole = read_image(path)
    assert whole.shape == ((240, 360, 3) if orientation < 5 else (360, 240, 3)) and by_pillow == [path]
    assert (read_least(path, whole.shape[:2]) == whole).all()
    half = read_least(path, (60, 90) if orientation < 5 else (90, 60))
    assert half.shape[:2] == (whole.shape[0] // 2, whole.shape[1] // 2)
    # a quarter of the length and of the height, but swapped: as much as the larger one needs is left
    assert read_least(path, (90, 60) if orientation < 5 else (60, 90)).shape == whole.shape
    assert difference(half, resize(whole, *half.shape[:2])) < 1 and by_pillow == [path]


WITHOUT_METADATA = {
    "RGB": {},
    "progressive": {"progressive": True},
    "comment": {"comment": "a bird"},
    "restarts": {"restart_marker_rows": 1},
}
WITH_METADATA = {"EXIF": {"exif": turned(1)}, "profile": {"icc_profile": b"profile"}}


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("name", [*WITHOUT_METADATA, *WITH_METADATA])
def test_only_files_without_metadata_are_measured_without_pillow(mode, name):
    content = stored(SCENE.convert(mode), **{**WITHOUT_METADATA, **WITH_METADATA}[name])
    expected = Image.open(io.BytesIO(content)).size[::-1] if name in WITHOUT_METADATA else None
    assert _size_of_plain(content) == expected
    assert _size_of_plain(content[:2] + b"\xff\xe1\x00\x06xmp " + content[2:]) is None
    for end in range(3, content.index(b"\xff\xc0" if name != "progressive" else b"\xff\xc2") + 8, 7):  # cut off
        with pytest.raises(DataError):
            decode_least(content[:end], "a", WHOLE)


def test_other_colours_are_left_to_pillow():
    assert _size_of_plain(stored(SCENE.convert("CMYK"))) is None
    assert _size_of_plain(stored(keep_rgb=True)) is None  # with Adobe's marker


def odd_files():
    """{name: content} of files that have to give what Pillow gives."""
    clear = SCENE.copy()
    clear.putalpha(SCENE.convert("L"))
    grey16 = Image.fromarray(numpy.asarray(SCENE.convert("L")).astype(numpy.uint16) * 257)
    return {
        "cmyk.jpg": stored(SCENE.convert("CMYK")),
        "plain.png": stored(SCENE, "PNG"),
        "alpha.png": stored(clear, "PNG"),
        "16.png": stored(grey16, "PNG"),
        "palette.gif": stored(SCENE.quantize(16), "GIF"),
        "a.webp": stored(SCENE, "WEBP"),
    }


def test_everything_else_is_pillows(tmp_path, by_pillow):
    for name, content in odd_files().items():
        path = tmp_path / name
        path.write_bytes(content)
        notes, expected_notes = [], []
        assert (read_least(path, WHOLE, notes) == read_image(path, expected_notes)).all(), name
        assert by_pillow.count(path) == 2 and notes == expected_notes, name


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("least", [WHOLE, (8, 12)])
def test_a_jpeg_that_is_cut_off_anywhere_is_refused(options, least):
    content = stored(**options)
    for length in [2, 20, *range(100, len(content), 67), len(content) - 2, len(content) - 1]:
        with pytest.raises(DataError, match="^a.jpg: (cannot be decoded|is not a picture)"):
            decode_least(content[:length], "a.jpg", least)


def test_damaged_bytes_give_pillows_pixels_or_its_error(capfd, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)  # gluoncv sets it when it is imported
    random = numpy.random.RandomState(0)
    for _ in range(100):
        content = bytearray(stored(progressive=bool(random.randint(2))))
        for place in random.randint(2, len(content) - 2, size=2):
            content[place] = random.randint(256)
        try:
            expected = numpy.asarray(Image.open(io.BytesIO(bytes(content))).convert("RGB"))
        except Exception:
            expected = None
        try:
            found = decode_least(bytes(content), "a", WHOLE)
        except DataError:
            assert expected is None
            continue
        # where Pillow alone fails, the suite reads the pixels without the metadata
        assert expected is None or (found == expected).all()
    capfd.readouterr()  # libjpeg's own remarks


def test_enough_is_left_for_the_scan_to_find_copies():
    assert decode_least(stored(SCENE.resize((1440, 960))), "a", (8, 8)).shape == (120, 180, 3)  # an eighth
    assert decode_least(stored(SCENE.resize((360, 240))), "a", (8, 8)).shape == (120, 180, 3)  # a quarter has 60 rows


def test_missing_files_and_folders_are_named(tmp_path):
    for name, match in (("none.jpg", "no such file"), (".", "directory")):
        with pytest.raises(DataError, match=match):
            read_least(tmp_path / name, (8, 8))


@pytest.mark.parametrize("side, bound", [(120, 0), (110, 1), (90, 1), (60, 1), (31, 1), (20, 1.5)])
def test_fast_resizing_is_close_to_the_average_over_areas(side, bound):
    image = numpy.asarray(SCENE.resize((120, 120)))
    fast, exact = (resize(image, side, side, reading) for reading in (FAST, EXACT))
    assert fast.shape == exact.shape == (side, side, 3) and difference(fast, exact) <= bound
    plain = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    assert side >= 60 or difference(fast, exact) < difference(plain, exact)


def test_fast_resizing_is_exact_where_it_must_not_be_close():
    image = numpy.asarray(SCENE)  # 120x180
    by_two = numpy.asarray(SCENE, dtype=float).reshape(60, 2, 90, 2, 3).mean((1, 3))
    assert abs(resize(image, 60, 90, FAST) - by_two).max() <= 1
    for size in ((240, 360), (120, 180), (24, 30)):  # larger, the same, and much smaller
        assert (resize(image, *size, FAST) == resize(image, *size)).all()


@pytest.mark.parametrize("preparation", [*PREPARATIONS.values(), HALF])
def test_numbers_are_those_of_plain_arithmetic_to_the_last_bit(preparation):
    seen = numpy.stack([LEVELS, LEVELS[::-1], numpy.roll(LEVELS, 7)], axis=-1).reshape(16, 16, 3)
    mean, std = (numpy.array(numbers, numpy.float32) for numbers in (preparation.mean, preparation.std))
    ordered = seen[:, :, ::-1] if preparation.bgr else seen
    expected = ((ordered.astype(numpy.float32) * preparation.scale - mean) / std).transpose(2, 0, 1)
    place = numpy.zeros((2, 3, 16, 16), numpy.float32)
    for found in (normalize(seen, preparation), normalize(seen, preparation, out=place[1]), place[1]):
        assert found.dtype == numpy.float32 and (found == expected).all()
    assert not place[0].any()
    assert (normalize(seen[:, ::-1], preparation) == expected[:, :, ::-1]).all()
    grey = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY).astype(numpy.float32)
    expected = (grey * preparation.scale - mean.mean()) / std.mean()
    assert (normalize(seen, preparation, 1) == expected[None]).all()


@pytest.fixture
def folder(tmp_path):
    """Two classes of photographs: large and small ones, upright and not, of all kinds that a folder may have."""
    for name in ("ash", "birch"):
        (tmp_path / "trees" / name).mkdir(parents=True)
    large, small = SCENE.resize((320, 240)), SCENE.resize((70, 60))
    for i, (image, options) in enumerate([(large, {}), (large, {"exif": turned(6)}), (small, {}), (large, {})]):
        (tmp_path / "trees" / ("ash", "birch")[i % 2] / f"{i}.jpg").write_bytes(stored(image, **options))
    (tmp_path / "trees" / "ash" / "9.png").write_bytes(odd_files()["alpha.png"])
    return tmp_path / "trees"


def test_folder_records_and_kept_images_are_read_the_same(folder, tmp_path):
    pack(folder, tmp_path / "packed")
    files, records = open_folder(folder), RecordSource(tmp_path / "packed.rec")
    for crop in (False, True):
        X, *others, exact = (
            PictureBatches(files, 5, 32, crop=crop, **options).batch(numpy.arange(5))[0]
            for options in ({}, {"cache": False}, {"cache_bytes": 0}, {"reading": EXACT})
        )
        assert (others[0] == X).all() and (others[1] == X).all()
        assert 0 < difference(X * 255, exact * 255) < 1
    same = [i for i, name in enumerate(records.names) if records.stored(i) == (folder / name).read_bytes()]
    assert len(same) >= 3  # the others were packed without EXIF and alpha
    for i in same:
        j = files.names.index(records.names[i])
        assert (records.read_least(i, (32, 32)) == files.read_least(j, (32, 32))).all()
        assert records.read_least(i, (32, 32)).size < records.read(i).size or records.read(i).shape == (60, 70, 3)


def test_a_file_is_seen_as_in_the_batches(folder):
    source = open_folder(folder)
    for reading in (FAST, EXACT):
        for crop, preparation in (
            (False, Preparation(None, 1.0, (0.0,), (1.0,), crop=32, reading=reading)),
            (True, Preparation(37, 1.0, (0.0,), (1.0,), crop=32, reading=reading)),
        ):
            batches = PictureBatches(source, 5, 32, crop=crop, reading=reading)
            for i in range(len(source)):
                seen = view(read_for(source.path(i), preparation), preparation)
                assert (seen == batches.picture(i)).all(), (reading, crop, i)


def test_a_source_of_ones_own_needs_no_second_way_to_read():
    class Own:
        labels, class_names, where = numpy.zeros(1, numpy.int32), ["a"], "own"

        def __len__(self):
            return 1

        def read(self, i):
            return numpy.asarray(SCENE)

    X, _ = PictureBatches(Own(), 1, 60, reading=FAST).batch([0])
    assert (X[0] == normalize(resize(numpy.asarray(SCENE), 60, 60, FAST), PREPARATIONS["d2l"])).all()


def test_an_unknown_reading_is_refused():
    with pytest.raises(ConfigError, match=re.escape("reading is 'fats': did you mean fast? expected fast or exact")):
        make_fit(32, reading="fats")
    assert make_fit(32).reading == EXACT and IMAGENET.reading == EXACT  # published weights, and runs that do not say


@pytest.mark.real
def test_real_photographs_are_close_in_both_readings():
    real = os.environ.get("GLUON_RESNET_REAL_DATA")
    if not real:
        pytest.skip("GLUON_RESNET_REAL_DATA is not set")
    birds = sorted(Path(real, "bird_photos").glob("*/*.jpg"))[::20]
    photos = [Path(real, "images", name) for name in ("samoyed_1546.jpg", "tiger_cat_1600.jpg")]
    for paths, bound in ((birds, 0.2), (photos, 1)):
        found = []
        for path in paths:
            fast, exact = read_least(path, (224, 224)), read_image(path)
            assert fast.shape == exact.shape or fast.shape[0] * 2 <= exact.shape[0] + 1
            found.append(difference(resize(fast, 224, 224, FAST), resize(exact, 224, 224)))
        assert 0 < numpy.mean(found) < bound, found
