"""Drawn birds in the place of photographs: what is drawn, and when a page shows it."""

import base64
import io

import nbformat
import numpy
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from book import birds, drawn
from book.chapters import CHAPTERS, MAX_BYTES, english_chapters, read_chapter, tags
from book.tidy import DRAWN, LEFT_OUT

CHAPTER = """---
kernelspec: {name: python3, display_name: Python 3}
---
# Birds

```{code-cell} ipython3
:name: grid
:tags: [photographs]
draw()
```
"""


@pytest.fixture
def chapter(tmp_path):
    (tmp_path / "04-birds.md").write_text(CHAPTER)
    return read_chapter(tmp_path / "04-birds.md")


def keep(chapter, outputs, code):
    """Keep drawn pictures of the chapter's cell, as made from ``code``."""
    kept = new_notebook(metadata={"gluon_resnet": {"executed": {"code": code}}})
    kept.cells = [new_code_cell(metadata={"name": "grid"}, outputs=outputs)]
    drawn.path_of(chapter).parent.mkdir(exist_ok=True)
    nbformat.write(kept, str(drawn.path_of(chapter)))


def test_a_page_shows_drawn_pictures_where_others_were_left_out(chapter):
    picture = new_output(
        "display_data", data={"image/jpeg": "AA=="}, metadata={"image/jpeg": {"width": 3, "height": 2}}
    )
    notebook = nbformat.from_dict(chapter.notebook)
    notebook.cells[1].outputs = [new_output("stream", text="a line\n"), new_output("stream", text=LEFT_OUT)]

    def shown():
        return drawn.with_drawn_pictures(chapter, notebook).cells[1].outputs

    assert shown() == notebook.cells[1].outputs  # nothing is kept
    keep(chapter, [picture], "of older code")
    assert shown() == notebook.cells[1].outputs
    keep(chapter, [picture], chapter.hash)
    assert [output.get("text", "a picture") for output in shown()] == ["a line\n", "a picture", DRAWN]
    assert shown()[1] == picture
    notebook.cells[1].outputs = []  # the cell was not run
    assert shown() == []


def test_birds_are_the_same_again_and_each_species_has_its_colours():
    first, again = (birds.bird("Scarlet_Tanager", numpy.random.RandomState(3)) for _ in range(2))
    assert first.size == (birds.SIDE, birds.SIDE) and first.tobytes() == again.tobytes()
    for species, (head, *_) in birds.SPECIES.items():
        pixels = numpy.asarray(birds.bird(species, numpy.random.RandomState(0))).reshape(-1, 3).astype(int)
        assert (abs(pixels - head).max(axis=1) < 8).sum() > 200, species


def test_kept_pictures_are_drawn_and_belong_to_the_chapters_code():
    chapters = {chapter.name: chapter for chapter in map(read_chapter, english_chapters())}
    paths = sorted((CHAPTERS / drawn.FOLDER).glob("*.ipynb"))
    assert [path.stem for path in paths] == ["04-bird-photos"]
    for path in paths:
        chapter, kept = chapters[path.stem], nbformat.read(str(path), as_version=4)
        assert chapter.state_of(kept) == "current", f"python -m book.drawn {chapter.shown_path}"
        assert path.stat().st_size <= MAX_BYTES
        wanted = [cell.metadata["name"] for cell in chapter.code_cells if "photographs" in tags(cell)]
        assert [cell.metadata["name"] for cell in kept.cells] == wanted
        for cell in kept.cells:
            (output,) = cell.outputs
            with Image.open(io.BytesIO(base64.b64decode(output["data"]["image/jpeg"]))) as image:
                assert image.format == "JPEG" and image.width >= output["metadata"]["image/jpeg"]["width"] > 0
