"""The Chinese chapters: prose of chapters/zh, code and outputs of the English chapter of the same file name.

    python -m book.weave chapters/zh/02-resnet18.md --out /tmp/zh.ipynb

Where the English chapter has the code cell named ``probe``, the Chinese text has a line ``% cell: probe``.
"""

import re
from pathlib import Path

from gluon_resnet.files import written_whole

import click
import nbformat

from .chapters import CHAPTERS, ChapterError, command_line, read_chapter, shown
from .tidy import DRAWN, LEFT_OUT

MARK = re.compile(r"%\s*cell:\s*(.*?)\s*")
CHINESE_BREAK = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]{2}")
IN_CHINESE = {
    LEFT_OUT: "这里略去一幅由他人照片组成的图：运行这个单元即可看到。\n",
    DRAWN: "图中是画出来的鸟，代替他人的照片：由同一个单元以较小的设置运行得到。\n",
}
CHINESE = "+zh"  # end of the MIME types of Chinese pictures


def read_text(path):
    """The pieces of a Chinese chapter: [(line number, "prose" or "cell", text or name)]. Raises ChapterError."""
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ChapterError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); expected a Chinese chapter's text"
        ) from None
    start = _behind_header(lines)
    pieces, prose, began = [], [], start + 1
    for number, line in enumerate(lines[start:], start + 1):
        mark = MARK.fullmatch(line)
        if line.startswith("```{code-cell}"):
            raise ChapterError(
                f"{path}:{number}: a code cell: expected a line % cell: NAME, code stands in the English text"
            )
        if not mark:
            prose.append(line)
            continue
        pieces += [(began, "prose", "\n".join(prose).strip()), (number, "cell", mark.group(1))]
        prose, began = [], number + 1
    pieces.append((began, "prose", "\n".join(prose).strip()))
    return [piece for piece in pieces if piece[2] or piece[1] == "cell"]


def _behind_header(lines):
    """Number of lines of the YAML header, 0 without one."""
    if not lines or lines[0].strip() != "---":
        return 0
    return next((number for number, line in enumerate(lines[1:], 2) if line.strip() == "---"), 0)


def check_order(path, pieces, names):
    """Raise ChapterError unless the cells of ``pieces`` are ``names``, the English chapter's, each once, in order."""
    expected = list(names)
    for line, kind, name in pieces:
        if kind != "cell":
            continue
        if name not in names:
            raise ChapterError(
                f"{path}:{line}: the English chapter has no cell {name or 'without a name'}; expected "
                f"here: {expected[0] if expected else 'none, all its cells are in'}"
            )
        if name not in expected:
            raise ChapterError(
                f"{path}:{line}: cell {name} is too late or in twice; expected here: "
                f"{expected[0] if expected else 'none, all cells are in'}"
            )
        if name != expected[0]:
            raise ChapterError(
                f"{path}:{line}: cell {name} is too early: cell {expected[0]} comes before it in the "
                f"English chapter, and is not in yet"
            )
        expected.pop(0)
    if expected:
        raise ChapterError(f"{path}: cells of the English chapter are not in: {', '.join(expected)}")


def joined_lines(text):
    """Chinese prose without the line breaks between two Chinese characters, which a browser would show as spaces."""
    lines = []
    for line in text.split("\n"):
        joins = lines and CHINESE_BREAK.fullmatch(f"{lines[-1][-1:]}{line[:1]}")
        if joins and not lines[-1].startswith(("#", "|", "`", ":")):
            lines[-1] += line
        else:
            lines.append(line)
    return "\n".join(lines)


def _chinese_output(output):
    """A copy of an output that shows its Chinese picture where it has one."""
    output = nbformat.from_dict(output)
    if output.get("text") in IN_CHINESE:
        output["text"] = IN_CHINESE[output["text"]]
    for mime in [mime for mime in output.get("data", {}) if mime.endswith(CHINESE)]:
        shown = mime[: -len(CHINESE)]
        output["data"][shown] = output["data"].pop(mime)
        output["metadata"][shown] = output["metadata"].pop(mime, {})
    return output


def _chinese_cell(cell):
    """A copy of a code cell with Chinese pictures and their Chinese alternative text."""
    cell = nbformat.from_dict(cell)
    cell["outputs"] = [_chinese_output(output) for output in cell.get("outputs", [])]
    image = (cell.metadata.get("mystnb") or {}).get("image") or {}
    image["alt"] = image.pop("alt_zh", None)  # an English one says nothing there
    return cell


def weave(path, english):
    """The notebook of the Chinese text at ``path``, with the code cells of the notebook ``english``; ChapterError."""
    pieces = read_text(path)
    cells = {cell.metadata["name"]: cell for cell in english.cells if cell.cell_type == "code"}
    check_order(path, pieces, list(cells))
    woven = nbformat.v4.new_notebook(metadata=nbformat.from_dict(english.metadata))
    woven.cells = [
        _chinese_cell(cells[content])
        if kind == "cell"
        else nbformat.v4.new_markdown_cell(joined_lines(content), id=f"text_{number}")
        for number, (_, kind, content) in enumerate(pieces, 1)
    ]
    return woven


def english_chapter(path):
    """The English :class:`~.chapters.Chapter` of the Chinese text at ``path``."""
    return read_chapter(Path(path).resolve().parent.parent / Path(path).name)


def chinese_chapters(folder=CHAPTERS):
    """Paths of the Chinese texts, in the order of their numbers."""
    return sorted((folder / "zh").glob("[0-9][0-9]-*.md"))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("text", metavar="chapters/zh/NN-name.md")
@click.option("--english", metavar="X.ipynb", help="The executed English chapter.  [default: the kept one]")
@click.option("--out", metavar="Y.ipynb", help="Write the woven notebook there; without it the text is only checked.")
def main(text, english, out):
    """Weave a Chinese chapter: its prose, the English chapter's code and outputs."""
    woven = weave(text, shown(english_chapter(text), Path(english) if english else None)[0])
    if out:
        with written_whole(Path(out)) as temporary:
            temporary.write_text(nbformat.writes(woven) + "\n", encoding="utf-8")
    click.echo(f"{text}: {sum(cell.cell_type == 'code' for cell in woven.cells)} cells in place")


if __name__ == "__main__":
    command_line(main, "python -m book.weave")
