"""A played chapter as an executed notebook and as one HTML page.

The page has no scripts and no links to other hosts or files. Jinja escapes everything that comes from the chapter.
"""

import base64
from pathlib import Path
from typing import Any, Dict, List

import nbformat
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from ..files import written_whole
from ..lab.results import now
from ..machine import system
from ..text import count as counted
from ..text import printable
from ..version import VERSION
from . import verdicts
from .runner import Outcome, Played, without_colours

NAME = "play.html"
MARKS = {True: "same", False: "differs", None: "not judged"}


def notebook(played: Played) -> nbformat.NotebookNode:
    """The executed notebook: the code cells with their outputs, and a first cell that says how they were run."""
    cells = [nbformat.v4.new_markdown_cell("\n\n".join(_about(played)))]
    heading = ""
    for number, outcome in enumerate(played.outcomes, 1):
        if outcome.cell.heading and outcome.cell.heading != heading:
            heading = outcome.cell.heading
            cells.append(nbformat.v4.new_markdown_cell(f"## {heading}"))
        cell = nbformat.v4.new_code_cell(
            outcome.cell.source, execution_count=number if outcome.ran or outcome.error else None
        )
        cell.outputs = outcome.outputs
        cell.metadata["gluon_resnet"] = {
            "mends": outcome.mends,
            "seconds": round(outcome.seconds, 1),
            "verdicts": [verdict.__dict__ for verdict in outcome.verdicts],
        }
        cells.append(cell)
    content = nbformat.v4.new_notebook(cells=cells)
    content.metadata["language_info"] = {"name": "python"}
    return content


def _about(played: Played) -> List[str]:
    lines = [f"Played by gluon-resnet {VERSION} from `{played.chapter.path}`, {now()}: {state(played)}."]
    return [*lines, f"**{played.shortening}**"] if played.shortening else lines


def state(played: Played) -> str:
    """How it ended, in a few words."""
    total, ran = len(played.outcomes), sum(outcome.ran for outcome in played.outcomes)
    if played.stopped:
        return f"stopped by Ctrl-C after {ran} of {counted(total, 'cell')}"
    return (
        f"all {counted(total, 'cell')} ran"
        if played.failure is None
        else f"failed after {ran} of {counted(total, 'cell')}"
    )


def failure_line(played: Played) -> str:
    """One line about the cell that failed: the file, its line, the cell's number and the reason; "" if none did."""
    outcome = played.failure
    if outcome is None:
        return ""
    number = played.outcomes.index(outcome) + 1
    line = outcome.error_line or outcome.cell.line
    return f"{played.chapter.path}{f':{line}' if line else ''}: cell {number}: {outcome.error}"


def _output(output: Any) -> Dict[str, str]:
    """An output for the template: its kind ("text", "stderr", "error" or "image") and its content."""
    kind = output.get("output_type")
    if kind == "stream":
        return {"kind": "stderr" if output.get("name") == "stderr" else "text", "content": _plain(output["text"])}
    if kind == "error":
        return {"kind": "error", "content": _plain("\n".join(output.get("traceback", [])))}
    data = output.get("data", {})
    if "image/svg+xml" in data:
        encoded = base64.b64encode(data["image/svg+xml"].encode()).decode()
        return {"kind": "image", "content": f"data:image/svg+xml;base64,{encoded}"}
    for mime in ("image/png", "image/jpeg"):
        if mime in data:
            return {"kind": "image", "content": f"data:{mime};base64,{''.join(data[mime].split())}"}
    return {"kind": "text", "content": _plain(data.get("text/plain", ""))}


def _plain(text: str) -> str:
    """Text without colours, with a progress bar's states reduced to the last."""
    lines = without_colours(text).split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines).strip("\n")


def _cell(number: int, outcome: Outcome, heading: str) -> Dict[str, Any]:
    return {
        "number": number,
        "heading": outcome.cell.heading if outcome.cell.heading != heading else "",
        "line": outcome.cell.line,
        "source": outcome.cell.source,
        "outputs": [output for output in map(_output, outcome.outputs) if output["content"]],
        "seconds": f"{outcome.seconds:.1f} s" if outcome.ran or outcome.seconds else "not run",
        "mends": [mend["text"] for mend in outcome.mends],
        "verdicts": [{**verdict.__dict__, "mark": MARKS[verdict.same]} for verdict in outcome.verdicts],
        "error": outcome.error,
    }


def html(played: Played) -> str:
    """The page."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(__package__ or ""), PackageLoader("gluon_resnet.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    cells, heading = [], ""
    for number, outcome in enumerate(played.outcomes, 1):
        cells.append(_cell(number, outcome, heading))
        heading = outcome.cell.heading or heading
    cpu = system.cpu()
    return printable(
        environment.get_template(NAME).render(
            version=VERSION,
            title=Path(played.chapter.path).name,
            path=played.chapter.path,
            form=played.chapter.form,
            state=state(played),
            status="stopped" if played.stopped else "diverged" if played.failure else "finished",
            failure=failure_line(played),
            shortening=played.shortening,
            counts=verdicts.counts(played.verdicts) if played.verdicts else "the file shows no outputs to compare with",
            mends=list(dict.fromkeys(mend["text"] for mend in played.mends)),
            strict=played.settings.strict,
            left_out=", ".join(f"{count} {name}" for name, count in sorted(played.chapter.left_out.items())),
            seconds=f"{played.seconds:.0f} s",
            date=now(),
            machine=f"{cpu['model']}, {counted(cpu['physical'], 'core')}",
            cells=cells,
        )
    )


def write(played: Played, folder: Path, stem: str) -> List[Path]:
    """Write ``stem``.ipynb and ``stem``.html into ``folder``, each whole or not at all; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{stem}.ipynb", folder / f"{stem}.html"]
    for path, text in zip(paths, (nbformat.writes(notebook(played)) + "\n", html(played))):
        with written_whole(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return paths
