"""What a report (report.py) shows of a run's evaluation: classes, confusion matrix, largest losses."""

import base64
import shlex
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..errors import RunError
from ..evaluation import files

NAME = "evaluation"  # the folder of a run's own evaluation, in the run folder
MOST_CELLS = 20  # classes up to which the confusion matrix is a table; beyond, it is evaluate's picture


def default_folder(path):
    """Where the evaluation of the run folder ``path`` is looked for, and written by ``runs report --evaluate``."""
    return Path(path) / NAME


def check_new(path):
    """Raise RunError if the run folder ``path`` has an evaluation already."""
    folder = default_folder(path)
    if folder.exists():
        raise RunError(f"{folder}: is there already: leave --evaluate out to show it, or remove it to make it again")


def _picture(path):
    """{"src", "width", "height"} of a PNG file: its bytes as a data URL, its size in pixels."""
    try:
        content = path.read_bytes()
        with Image.open(path) as image:
            width, height = image.size
            image.verify()
    except (UnidentifiedImageError, SyntaxError) as error:  # PIL's complaint about a broken PNG
        raise RunError(f"{path}: damaged ({error}): expected a PNG picture; make the evaluation again") from None
    except OSError as error:
        raise RunError(
            f"{path}: cannot be read ({error.strerror or error}): expected a PNG picture; make the evaluation again"
        ) from None
    return {"src": f"data:image/png;base64,{base64.b64encode(content).decode()}", "width": width, "height": height}


def _check_belongs(run, about, folder):
    """Raise RunError if an evaluation is of another run than ``run``."""
    network = run.model
    if about["network"] != network:
        raise RunError(
            f"{folder}: an evaluation of {about['network']}: expected one of {network}, the network of {run.path}"
        )
    # a run folder may have been moved with all that is in it
    inside = Path(folder).resolve().parent == run.path.resolve()
    if not inside and Path(about["run"]).resolve().name != run.path.resolve().name:
        raise RunError(
            f"{folder}: an evaluation of the run {about['run']}: expected one of {run.path}; make one with "
            f"gluon-resnet evaluate {run.path} --save DIR"
        )


def _confusion(table):
    """Rows (true class, [(count, share of the true class, whether it is on the diagonal)])."""
    rows = []
    for i, (name, counts) in enumerate(zip(table.index, table.to_numpy())):
        total = max(int(counts.sum()), 1)
        rows.append((name, [(int(count), round(int(count) / total, 3), i == j) for j, count in enumerate(counts)]))
    return rows


def _figures(summary):
    found = [
        ("pictures", f"{summary['pictures']:,.0f}", "evaluated"),
        ("top-1 accuracy", f"{summary['top1']:.4f}", "share of the pictures whose first class is right"),
    ]
    if summary["top5"] is not None:
        found.append(("top-5 accuracy", f"{summary['top5']:.4f}", "right class among the first five"))
    return found + [
        ("loss", f"{summary['loss']:.4f}", "mean cross-entropy"),
        ("calibration error", f"{summary['ece']:.4f}", "mean gap between confidence and accuracy"),
    ]


def _is_older(run, folder):
    """Whether the run's parameters were written after the evaluation, by the files' dates."""
    params = run.path / "net.params"
    return params.exists() and params.stat().st_mtime > (folder / "metrics.json").stat().st_mtime


def _rows(table, forms):
    """Tuples of a table's rows, each column in its form."""
    return [tuple(form.format(value) for form, value in zip(forms, row)) for row in table.itertuples(index=False)]


def evaluation_part(run, folder=None):
    """What the template shows of the evaluation in ``folder``, by default the run's own, if any; else the commands.

    Raises RunError if it is damaged or of another run.
    """
    words = shlex.quote(str(run.path))
    commands = {
        "report": f"gluon-resnet runs report {words} --evaluate",
        "evaluate": f"gluon-resnet evaluate {words} --save {shlex.quote(str(default_folder(run.path)))}",
    }
    folder = Path(folder or default_folder(run.path))
    if folder == default_folder(run.path) and not folder.exists():
        return {"found": False, "possible": (run.path / "net.params").exists(), **commands}
    found, about = files.read(folder)
    _check_belongs(run, about, folder)
    worst = found.top_losses(files.SHOWN)
    small = len(found.confusion) <= MOST_CELLS
    return {
        "found": True,
        "about": about,
        "figures": _figures(found.summary),
        "older": _is_older(run, folder),
        **commands,
        "classes": _rows(found.classes, ("{}", *["{:.3f}"] * 3, "{:,.0f}")),
        "names": list(found.confusion.index),
        "confusion": _confusion(found.confusion) if small else None,
        "confusion_picture": None if small else _picture(folder / "confusion.png"),
        "pairs": _rows(found.pairs, ("{}", "{}", "{:,.0f}", "{:.3f}")),
        "worst": _rows(worst[["name", "true", "predicted", "probability", "loss"]], ("{}",) * 3 + ("{:.3f}",) * 2),
        "worst_picture": _picture(folder / "top_losses.png"),
    }
