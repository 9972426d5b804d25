"""What a report (page.py) shows of a run's evaluation: classes, confusion matrix, largest losses."""

import shlex
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import pandas as pd

from ..errors import RunError
from ..evaluation import files
from ..runs.table import Run
from .templating import inline_png

NAME = "evaluation"  # the folder of a run's own evaluation, in the run folder
MOST_CELLS = 20  # classes up to which the confusion matrix is a table; with more, it is the figure of evaluate


def default_folder(path: Union[str, Path]) -> Path:
    """The folder of the evaluation of the run folder ``path``; ``runs report --evaluate`` writes it."""
    return Path(path) / NAME


def check_new(path: Union[str, Path]) -> None:
    """Raise RunError if the run folder ``path`` has an evaluation already."""
    folder = default_folder(path)
    if folder.exists():
        raise RunError(f"{folder}: is there already: leave --evaluate out to show it, or remove it to make it again")


def _check_belongs(run: Run, about: Mapping[str, str], folder: Path) -> None:
    """Raise RunError if the evaluation in ``folder`` is of another run than ``run``."""
    network = run.model
    if about["network"] != network:
        raise RunError(
            f"{folder}: an evaluation of {about['network']}: expected one of {network}, the network of {run.path}"
        )
    # a run folder may have been moved, together with its evaluation
    inside = Path(folder).resolve().parent == run.path.resolve()
    if not inside and Path(about["run"]).resolve().name != run.path.resolve().name:
        raise RunError(
            f"{folder}: an evaluation of the run {about['run']}: expected one of {run.path}; make one with "
            f"gluon-resnet evaluate {run.path} --save DIR"
        )


def _confusion(table: pd.DataFrame) -> List[Tuple[str, List[Tuple[int, float, bool]]]]:
    """Rows (true class, [(count, share of the true class, whether it is on the diagonal)])."""
    rows = []
    for i, (name, counts) in enumerate(zip(table.index, table.to_numpy())):
        total = max(int(counts.sum()), 1)
        rows.append((name, [(int(count), round(int(count) / total, 3), i == j) for j, count in enumerate(counts)]))
    return rows


def _figures(summary: Mapping[str, Any]) -> List[Tuple[str, str, str]]:
    """(title, value, note) of the numbers of an evaluation."""
    figures = [
        ("pictures", f"{summary['pictures']:,.0f}", "evaluated"),
        ("top-1 accuracy", f"{summary['top1']:.4f}", "share of the images whose first class is right"),
    ]
    if summary["top5"] is not None:
        figures.append(("top-5 accuracy", f"{summary['top5']:.4f}", "right class among the first five"))
    return figures + [
        ("loss", f"{summary['loss']:.4f}", "mean cross-entropy"),
        ("calibration error", f"{summary['ece']:.4f}", "mean gap between confidence and accuracy"),
    ]


def _is_older(run: Run, folder: Path) -> bool:
    """Whether the evaluation is older than the run's parameters, by the dates of the files."""
    params = run.path / "net.params"
    return params.exists() and params.stat().st_mtime > (folder / "metrics.json").stat().st_mtime


def _rows(table: pd.DataFrame, forms: Sequence[str]) -> List[Tuple[str, ...]]:
    """The rows of a table as texts; ``forms`` has a format for each column."""
    return [tuple(form.format(value) for form, value in zip(forms, row)) for row in table.itertuples(index=False)]


def evaluation_part(run: Run, folder: Optional[Union[str, Path]] = None) -> Dict[str, Any]:
    """What the template shows of an evaluation.

    ``folder`` is that of the evaluation, by default the run's own. If the run has none, the template shows the commands
    that make one. Raises RunError if the evaluation is damaged or of another run.
    """
    words = shlex.quote(str(run.path))
    commands = {
        "report": f"gluon-resnet runs report {words} --evaluate",
        "evaluate": f"gluon-resnet evaluate {words} --save {shlex.quote(str(default_folder(run.path)))}",
    }
    folder = Path(folder or default_folder(run.path))
    if folder == default_folder(run.path) and not folder.exists():
        return {"found": False, "possible": (run.path / "net.params").exists(), **commands}
    evaluation, about = files.read(folder)
    _check_belongs(run, about, folder)
    worst = evaluation.top_losses(files.SHOWN)
    small = len(evaluation.confusion) <= MOST_CELLS
    return {
        "found": True,
        "about": about,
        "figures": _figures(evaluation.summary),
        "older": _is_older(run, folder),
        **commands,
        "classes": _rows(evaluation.classes, ("{}", *["{:.3f}"] * 3, "{:,.0f}")),
        "names": list(evaluation.confusion.index),
        "confusion": _confusion(evaluation.confusion) if small else None,
        "confusion_picture": None if small else inline_png(folder / "confusion.png", "make the evaluation again"),
        "pairs": _rows(evaluation.pairs, ("{}", "{}", "{:,.0f}", "{:.3f}")),
        "worst": _rows(worst[["name", "true", "predicted", "probability", "loss"]], ("{}",) * 3 + ("{:.3f}",) * 2),
        "worst_picture": inline_png(folder / "top_losses.png", "make the evaluation again"),
    }
