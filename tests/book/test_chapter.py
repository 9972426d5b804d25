"""What chapters lean on: data that are found, stand-ins in tiny mode, errors in full mode."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from gluon_resnet import chapter, weights
from gluon_resnet.errors import ConfigError, DataError, ModelError

import numpy
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def nothing_here(tmp_path, monkeypatch):
    """An empty working folder, an empty checkout, no folder of data; tiny mode."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(chapter, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.setattr(chapter, "FULL", False)
    for name in ("GLUON_RESNET_REAL_DATA", "GLUON_RESNET_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    return work


def test_mode_is_the_environments():
    code = "from gluon_resnet import chapter; print(chapter.FULL)"
    for value, expected in (("tiny", "False"), ("full", "True")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            text=True,
            stdout=subprocess.PIPE,
            check=True,
            env={**os.environ, "GLUON_RESNET_CHAPTERS": value},
        )
        assert done.stdout.strip() == expected


def test_a_chapter_finds_the_program_of_an_environment_that_is_not_activated(tmp_path, monkeypatch):
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
        (folder / "gluon-resnet").touch(0o755)
    monkeypatch.setattr(chapter.sysconfig, "get_path", lambda name: str({"scripts": own}[name]))
    for path in ("/usr/bin:/bin", f"{other}:/usr/bin"):  # none, and the one of another environment
        monkeypatch.setenv("PATH", path)
        chapter._find_program()
        assert shutil.which("gluon-resnet") == str(own / "gluon-resnet") and os.environ["PATH"] == f"{own}:{path}"
    chapter._find_program()
    assert os.environ["PATH"] == f"{own}:{path}"  # once is enough
    (own / "gluon-resnet").unlink()
    monkeypatch.setenv("PATH", "/usr/bin")
    chapter._find_program()
    assert os.environ["PATH"] == "/usr/bin"


def test_importing_the_chapters_module_is_enough():
    code = "from gluon_resnet import chapter; import shutil; print(shutil.which('gluon-resnet'))"
    environ = {**os.environ, "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], text=True, stdout=subprocess.PIPE, check=True, env=environ)
    program = Path(sysconfig.get_path("scripts"), "gluon-resnet")
    assert done.stdout.strip() == (str(program) if program.is_file() else "None")


def test_folder_is_emptied_once(nothing_here):
    old = nothing_here / "chapter-files"
    assert chapter.folder() == chapter.SCRATCH and old.is_dir()
    (old / "kept.txt").write_text("of this process")
    chapter.folder()
    assert (old / "kept.txt").exists()
    chapter._prepared.cache_clear()  # as another process would find it
    chapter.folder()
    assert not (old / "kept.txt").exists()


def test_folder_of_somebody_else_is_left_alone(nothing_here):
    mine = nothing_here / "chapter-files"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    with pytest.raises(ConfigError, match="that no chapter made"):
        chapter.folder()
    assert (mine / "thesis.txt").read_text() == "years"


def test_drawn_photographs(capsys):
    path = chapter.photographs()
    assert capsys.readouterr().out == "No photographs here: 40 drawn pictures stand in for them.\n"
    assert chapter.photographs() == path and not capsys.readouterr().out
    files = sorted(path.glob("*/*.jpg"))
    assert len(files) == 40 and {file.parent.name for file in files} == set(chapter.BIRDS)
    for file in files:
        with Image.open(file) as image:
            image.load()
            assert image.mode == "RGB" and min(image.size) >= 96


def test_real_photographs_come_first(tmp_path, monkeypatch, nothing_here):
    beside = nothing_here / "bird_photos"
    beside.mkdir()
    assert chapter.photographs() == beside.resolve()
    real = tmp_path / "real" / "bird_photos"
    real.mkdir(parents=True)
    monkeypatch.setenv("GLUON_RESNET_REAL_DATA", str(tmp_path / "real"))
    assert chapter.photographs() == real.resolve()


def test_picture(tmp_path, monkeypatch, capsys):
    with Image.open(chapter.picture("tiger_cat_256.png")) as image:
        assert image.size == (256, 256) and image.format == "PNG"
    assert capsys.readouterr().out == "tiger_cat_256.png is not here: a drawn picture stands in for it.\n"
    with Image.open(chapter.picture("dog.jpg")) as image:
        assert image.format == "JPEG"
    real = tmp_path / "real" / "images" / "tiger_cat_256.png"
    real.parent.mkdir(parents=True)
    real.touch()
    monkeypatch.setenv("GLUON_RESNET_REAL_DATA", str(tmp_path / "real"))
    assert chapter.picture("tiger_cat_256.png") == real.resolve()


def test_random_weights_load_as_torchvisions(capsys):
    path = chapter.trained("resnet18")
    said = capsys.readouterr().out
    assert said == "resnet18.safetensors is not here: random weights stand in for the trained ones.\n"
    found = weights.identify_weights(path)
    assert found.spec.name == "resnet18@torchvision" and found.in_channels == 3
    _, params = weights.read_network(path, "resnet18@torchvision")
    assert all(numpy.isfinite(values).all() for values in params.values())
    assert chapter.trained("resnet18") == path and not capsys.readouterr().out


def test_trained_weights_are_found(tmp_path, monkeypatch):
    for variable, folder in (("GLUON_RESNET_REAL_DATA", "real/weights"), ("GLUON_RESNET_WEIGHTS", "weights")):
        path = tmp_path / folder / "resnet50.safetensors"
        path.parent.mkdir(parents=True)
        path.touch()
        monkeypatch.setenv(variable, str(tmp_path / folder.split("/")[0]))
        assert chapter.trained("resnet50") == path.resolve()


def test_no_such_network():
    with pytest.raises(ModelError):
        chapter.trained("resnet51")


@pytest.mark.parametrize(
    "missing, what",
    [
        (lambda: chapter.photographs(), "bird_photos"),
        (lambda: chapter.picture("cat.png"), "cat.png"),
        (lambda: chapter.trained("resnet18"), "resnet18.safetensors"),
    ],
)
def test_full_mode_takes_no_stand_in(monkeypatch, nothing_here, missing, what):
    monkeypatch.setattr(chapter, "FULL", True)
    with pytest.raises(DataError, match=f"{what}: no such file or folder") as caught:
        missing()
    assert "\n" not in str(caught.value) and "GLUON_RESNET_CHAPTERS=tiny" in str(caught.value)
    assert not list(nothing_here.iterdir())


def test_results(tmp_path):
    assert chapter.results("degradation") is None
    folder = tmp_path / "checkout" / "experiments" / "results"
    folder.mkdir(parents=True)
    (folder / "degradation.json").write_text(json.dumps({"verdict": "near"}))
    assert chapter.results("degradation") == {"verdict": "near"}
    (folder / "degradation.json").write_text("{")
    with pytest.raises(DataError, match="degradation.json: not JSON"):
        chapter.results("degradation")
