"""A run as a single HTML file: its settings, results, curves, layers and evaluation.

    gluon-resnet runs report runs/20261122-030010-resnet18@torchvision-bird_photos
    gluon-resnet runs report RUN --evaluate --out birds.html

The page has no scripts and no links to other hosts or files. Jinja escapes everything that comes from the run.
"""

from pathlib import Path
from typing import Optional, Union

from ..errors import RunError
from ..files import writing
from ..runs import table
from ..runs.network import spec_of_run
from ..text import printable
from ..version import VERSION
from . import run as parts
from .curves import curves
from .evaluation import evaluation_part
from .templating import templates

NAME = "report.html"


def default_file(path: Union[str, Path]) -> Path:
    """The file of the report of the run folder ``path``, unless --out says otherwise."""
    return Path(path) / NAME


def check_target(out: Union[str, Path]) -> None:
    """Raise RunError unless ``out`` ends in .html and its folder exists."""
    out = Path(out)
    if out.suffix != ".html":
        raise RunError(f"{out}: a report is written as .html: expected a name such as {out.stem or 'report'}.html")
    if out.is_dir():
        raise RunError(f"{out}: a folder: expected the name of a file; name another with --out")
    if not out.absolute().parent.is_dir():
        raise RunError(f"{out}: there is no folder {out.parent}")


def page(run: table.Run, evaluation: Optional[Union[str, Path]] = None) -> str:
    """The report of a run as HTML text; ``evaluation`` and the errors are those of :func:`write`."""
    history, spec = parts.numeric_history(run), spec_of_run(run.written, run.path)
    return printable(
        templates()
        .get_template(NAME)
        .render(
            version=VERSION,
            about=parts.about(run, spec),
            state=parts.state(run),
            experiment=parts.experiment(run),
            outcome=parts.figures(run),
            curves=curves(history, run.config.epochs, run.config.tested),
            tested=run.config.tested,
            result=parts.result(run),
            settings=parts.settings(run),
            environment=parts.environment(run),
            layers=parts.layers(run, spec),
            epochs=parts.epochs(history),
            evaluation=evaluation_part(run, evaluation),
        )
    )


def write(
    path: Union[str, Path],
    out: Optional[Union[str, Path]] = None,
    evaluation: Optional[Union[str, Path]] = None,
) -> Path:
    """Write the report of the run folder ``path``, whole or not at all.

    Args:
        path: the run folder.
        out: the file to write; report.html in the run folder if None.
        evaluation: a folder that ``gluon-resnet evaluate --save`` wrote; by default the folder ``evaluation`` of the
            run folder, if any.

    Returns:
        The path of the file.

    Raises:
        RunError: the run or the evaluation is missing, damaged or of another run, or the file cannot be written.
    """
    run, out = table.read_run(path), Path(out or default_file(path))
    check_target(out)
    text = page(run, evaluation)
    with writing(out, "name another file with --out") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return out
