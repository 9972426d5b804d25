"""Reports of a few small runs, for the tests in the browser: python -m book.browser.make_reports [FOLDER]

An evaluated run on drawn pictures with a class name that no page must run as code, one of 25 classes, one that is not
finished, and one on small files in Fashion-MNIST's format. Less than a minute.
"""

import io
import shutil
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import gluon_resnet  # noqa: F401  before mxnet
from gluon_resnet.cli import cli

import numpy
from PIL import Image

from book.stand_in import write as write_idx_files

EVIL = "<img src=x onerror=alert(1)>"
NAMES = ["Red_headed_Woodpecker", "Western_Grebe", EVIL, "a class with a rather long name, in several words"]


def draw_pictures(folder, names, count=6):
    """A folder a class, each with ``count`` pictures of its own colour."""
    random = numpy.random.RandomState(0)
    for name in names:
        (folder / name).mkdir(parents=True)
        colour = random.randint(0, 160, 3)
        for i in range(count):
            picture = (random.randint(0, 90, (48, 40, 3)) + colour).astype("uint8")
            Image.fromarray(picture).save(folder / name / f"{i:02d}.png")


def command(*words):
    """Run the command line in this process, quietly unless it fails."""
    heard = io.StringIO()
    try:
        with redirect_stdout(heard), redirect_stderr(heard):
            cli.main([str(word) for word in words], prog_name="gluon-resnet", standalone_mode=False)
    except BaseException:
        print(heard.getvalue(), file=sys.stderr)
        raise


def picture_run(path, names, data):
    """A run of two epochs on drawn pictures; half of them are held back."""
    draw_pictures(data, names)
    command(
        "train",
        "pictures",
        data,
        "--model",
        "resnet8@narrow",
        "--image-size",
        32,
        "--epochs",
        2,
        "--out",
        path,
        "--set",
        "validation_split=0.5",
    )


def make(out, scratch):
    """Write the reports into ``out``."""
    picture_run(scratch / "pictures", NAMES, scratch / "photos")
    command("runs", "report", scratch / "pictures", "--evaluate", "--out", out / "pictures.html")
    picture_run(scratch / "many", [f"class_{i:02d}" for i in range(25)], scratch / "many_photos")
    command("runs", "report", scratch / "many", "--evaluate", "--out", out / "many.html")

    write_idx_files(scratch / "clothes")
    command(
        "train",
        "fashion-mnist",
        "--data",
        scratch / "clothes",
        "--unverified",
        "--model",
        "resnet8@narrow",
        "--no-resize",
        "--limit",
        512,
        "--batch-size",
        64,
        "--epochs",
        3,
        "--out",
        scratch / "fashion",
        "--set",
        "momentum=0.9",
    )
    command("runs", "report", scratch / "fashion", "--out", out / "fashion-not-evaluated.html")
    command("runs", "report", scratch / "fashion", "--evaluate", "--out", out / "fashion.html")

    unfinished = scratch / "unfinished"
    unfinished.mkdir()
    for name in ("config.json", "env.json", "history.csv"):
        shutil.copy(str(scratch / "fashion" / name), str(unfinished))
    (unfinished / "checkpoint.npz").write_bytes(b"")
    command("runs", "report", unfinished, "--out", out / "unfinished.html")


def main():
    """Make the folder anew."""
    default = Path(__file__).resolve().parents[1] / "_build" / "reports"
    out = Path(sys.argv[1] if len(sys.argv) > 1 else default).absolute()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        make(out, Path(scratch))
    print(f"{len(list(out.iterdir()))} reports in {out}")


if __name__ == "__main__":
    main()
