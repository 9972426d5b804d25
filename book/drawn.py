"""Pictures of drawn birds in the place of those of photographs, which may not be shown.

For example:

    python -m book.drawn chapters/04-bird-photos.md

runs a chapter on the drawn birds of birds.py, with the values under ``drawn`` in its header, and keeps the pictures of
its cells tagged ``photographs`` in chapters/drawn. The page shows them, and says so, where a kept run has left a
picture out.
"""

import base64
import io
import os
import tempfile
from dataclasses import replace
from pathlib import Path

from gluon_resnet.files import written_whole

import click
import nbformat
from nbformat.v4 import new_output
from PIL import Image

from . import birds
from .chapters import command_line, read_chapter, tags
from .tidy import DRAWN, LEFT_OUT

FOLDER = "drawn"  # next to the chapters' texts
QUALITY = 80  # of the JPEG files


def path_of(chapter):
    """Where a chapter's drawn pictures are kept."""
    return chapter.path.parent / FOLDER / f"{chapter.name}.ipynb"


def _as_jpeg(output):
    """A picture's output with a JPEG in the place of its PNG: an eighth of the bytes."""
    stream = io.BytesIO()
    png = base64.b64decode(output["data"]["image/png"])
    Image.open(io.BytesIO(png)).convert("RGB").save(stream, format="JPEG", quality=QUALITY)
    return new_output(
        "display_data",
        data={"image/jpeg": base64.b64encode(stream.getvalue()).decode()},
        metadata={"image/jpeg": dict(output["metadata"].get("image/png", {}))},
    )


def _untagged(chapter):
    """The chapter without the tags that leave pictures out, with the header's values for drawn birds."""
    notebook = nbformat.from_dict(chapter.notebook)
    for cell in notebook.cells:
        if "photographs" in tags(cell):
            cell.metadata["tags"] = [tag for tag in tags(cell) if tag != "photographs"]
    own = notebook.metadata.setdefault("gluon_resnet", {})
    own["tiny"] = own.get("drawn", own.get("tiny"))
    return replace(chapter, notebook=notebook)


def pictures(chapter):
    """Run a chapter on drawn birds: a notebook of its cells with pictures of them. Raises ChapterError."""
    from .run import execute  # a kernel, which the pages do without

    real = os.environ.get("GLUON_RESNET_REAL_DATA")
    with tempfile.TemporaryDirectory(prefix="gluon-resnet-birds-") as folder:
        birds.draw_folder(Path(folder) / "bird_photos")
        if real:
            os.environ.setdefault("GLUON_RESNET_WEIGHTS", str(Path(real) / "weights"))
        os.environ["GLUON_RESNET_REAL_DATA"] = folder
        ran = execute(_untagged(chapter), "tiny").notebook
    kept = nbformat.v4.new_notebook(metadata={"gluon_resnet": {"executed": {"code": chapter.hash, "mode": FOLDER}}})
    wanted = {cell.metadata["name"] for cell in chapter.code_cells if "photographs" in tags(cell)}
    for cell in ran.cells:
        if cell.metadata.get("name") in wanted:
            shown = [_as_jpeg(output) for output in cell.outputs if "image/png" in output.get("data", {})]
            kept.cells.append(nbformat.v4.new_code_cell(metadata={"name": cell.metadata["name"]}, outputs=shown))
    return kept


def with_drawn_pictures(chapter, notebook):
    """A copy of a chapter's ``notebook`` that shows drawn pictures where others were left out, if they are kept."""
    kept = chapter.kept(path_of(chapter))
    notebook = nbformat.from_dict(notebook)
    if chapter.state_of(kept) != "current":
        return notebook
    drawn = {cell.metadata["name"]: cell.outputs for cell in kept.cells}
    for cell in notebook.cells:
        outputs = drawn.get(cell.metadata.get("name"))
        if outputs and any(output.get("text") == LEFT_OUT for output in cell.outputs):
            others = [output for output in cell.outputs if output.get("text") != LEFT_OUT]
            cell["outputs"] = [*others, *outputs, new_output("stream", name="stdout", text=DRAWN)]
    return notebook


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("text", metavar="CHAPTER.md")
def main(text):
    """Run a chapter on drawn birds and keep their pictures. Exit status 2 if it fails."""
    chapter = read_chapter(text)
    kept, path = pictures(chapter), path_of(chapter)
    path.parent.mkdir(exist_ok=True)
    with written_whole(path) as temporary:
        temporary.write_text(nbformat.writes(kept) + "\n", encoding="utf-8")
    click.echo(f"{path}: pictures of {len(kept.cells)} cells, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    command_line(main, "python -m book.drawn")
