"""The machinery of the book: a chapter's form, its run, what is kept, the Chinese text woven in, links."""

import ast
import base64
import hashlib
import io
import json
import re
import struct
import zlib
from dataclasses import asdict
from pathlib import Path

import gluon_resnet as gr
from gluon_resnet.data import fashion_mnist

import nbformat
import numpy
import pytest
import yaml
from click.testing import CliRunner
from matplotlib.figure import Figure

from book import kernel, links, pages, recipe_table, run, stand_in, tidy, weave
from book.chapters import (
    CHAPTERS,
    MAX_BYTES,
    ROOT,
    ChapterError,
    english_chapters,
    execution_of,
    read_chapter,
    source_hash,
    tags,
    with_outputs,
)

HEADER = """---
jupytext: {formats: "md:myst,notebooks//ipynb"}
kernelspec: {name: python3, display_name: Python 3}
gluon_resnet:
  tiny: {num_epochs: 1, limit: 512}
---
# A chapter

Prose with $x$ {cite}`he2016deep`.

"""


def cell(name, source, options=""):
    """A code cell as a chapter has it."""
    return f"```{{code-cell}} ipython3\n:name: {name}\n{options}{source}\n```\n\n"


PARAMETERS = cell("numbers", "num_epochs = 10\nlimit = None", ":tags: [parameters]\n")
CURVES = cell("curves", "plot()", ':mystnb: {image: {alt: "a line: up", alt_zh: "一条线"}}\n')


def write(folder, text, name="02-blocks.md"):
    """A chapter's file in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def png(width=30, height=20):
    """A PNG as base64 text, by hand."""

    def part(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    content = (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + part(b"IDAT", zlib.compress(b"\0" * (width + 1) * height))
        + part(b"IEND", b"")
    )
    return base64.b64encode(content).decode()


def picture(**more):
    """An output with a picture."""
    return nbformat.v4.new_output("display_data", data={"image/png": png(), "text/plain": "<Figure>", **more})


# The form of a chapter ------------------------------------------------------------------------------------------------


def test_chapter_is_read(tmp_path):
    chapter = read_chapter(write(tmp_path, HEADER + PARAMETERS + CURVES))
    assert [each.metadata["name"] for each in chapter.code_cells] == ["numbers", "curves"]
    assert chapter.name == "02-blocks" and chapter.tiny == {"num_epochs": 1, "limit": 512}
    assert chapter.code_cells[1].metadata["mystnb"] == {"image": {"alt": "a line: up", "alt_zh": "一条线"}}
    text = chapter.text.splitlines()
    assert text[chapter.line_of(chapter.code_cells[0], 2) - 1] == "limit = None"


@pytest.mark.parametrize(
    "text, problem",
    [
        ("```{code-cell} ipython3\n1\n```\n", "code cell 1 .1. is named None"),
        (cell("Upper Case", "1"), "is named 'Upper Case'"),
        (cell("a", "1") + cell("a", "2"), "two code cells are named a"),
        (cell("a", "1", ":tags: [hide]\n"), "cell a is tagged hide: expected parameters"),
        (PARAMETERS + PARAMETERS.replace("numbers", "more"), "cells numbers, more are tagged parameters"),
        (cell("a", "num_epochs = 3"), "tiny values but no cell is tagged parameters"),
        (
            PARAMETERS.replace("limit", "most"),
            "tiny sets limit, which cell numbers does not assign; it assigns most, num_epochs",
        ),
    ],
)
def test_form_is_checked(tmp_path, text, problem):
    with pytest.raises(ChapterError, match=problem) as caught:
        read_chapter(write(tmp_path, HEADER + text))
    assert "02-blocks.md" in str(caught.value) and "\n" not in str(caught.value)


def test_header_that_is_no_yaml(tmp_path):
    with pytest.raises(ChapterError, match="expected MyST text") as caught:
        read_chapter(write(tmp_path, "---\na: [\n---\n# T\n"))
    assert "\n" not in str(caught.value)


def test_hash_is_of_names_and_sources(tmp_path):
    chapter = read_chapter(write(tmp_path, HEADER + PARAMETERS + CURVES))
    content = [["numbers", "num_epochs = 10\nlimit = None"], ["curves", "plot()"]]
    assert chapter.hash == hashlib.sha256(json.dumps(content).encode()).hexdigest()
    prose = read_chapter(
        write(tmp_path, HEADER.replace("Prose", "Other prose") + PARAMETERS + CURVES.replace("up", "down"))
    )
    code = read_chapter(write(tmp_path, HEADER + PARAMETERS + CURVES.replace("plot()", "plot(1)")))
    assert prose.hash == chapter.hash != code.hash


# Running --------------------------------------------------------------------------------------------------------------


def test_tiny_values_stand_behind_the_parameters(tmp_path):
    chapter = read_chapter(write(tmp_path, HEADER + cell("setup", "1") + PARAMETERS + CURVES))
    names = [each.metadata.get("name") for each in run.with_tiny_values(chapter, "tiny").cells]
    assert names[names.index("numbers") + 1] == "tiny_values"
    injected = next(
        each for each in run.with_tiny_values(chapter, "tiny").cells if each.metadata.get("name") == "tiny_values"
    )
    values = {}
    exec(injected.source, values)
    assert (values["num_epochs"], values["limit"]) == (1, 512)
    assert "tiny_values" not in [each.metadata.get("name") for each in run.with_tiny_values(chapter, "full").cells]
    assert "tiny_values" not in [each.metadata.get("name") for each in chapter.notebook.cells]


SMALL = (
    HEADER
    + PARAMETERS
    + cell(
        "figure",
        """\
import sys, pathlib
from matplotlib import pyplot as plt
plt.plot([1, 2])
print(num_epochs, limit, pathlib.Path.cwd(), pathlib.Path.home() / "x")
print("seen by nobody", file=sys.stderr)""",
    )
    + cell("shown", "plt.plot([1, 2]);", ":tags: [photographs]\n")
    + cell("shell", "number = 40 + 2\n!echo {number} $$GLUON_RESNET_CHAPTERS\nobject()")
)


def test_small_chapter_is_run(tmp_path):
    path, out = write(tmp_path, SMALL), tmp_path / "out" / "x.ipynb"
    done = CliRunner().invoke(run.main, [str(path), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert re.search(r"^02-blocks +tiny +[\d.]+ s  ok$", done.output, re.MULTILINE)
    notebook, chapter = nbformat.read(str(out), as_version=4), read_chapter(path)
    nbformat.validate(notebook)
    _, figure, shown, shell = [each for each in notebook.cells if each.cell_type == "code"]
    printed = [output["text"] for output in figure.outputs if output.output_type == "stream"]
    assert printed == ["1 512 . ~/x\n"]
    plain = [output["data"]["text/plain"] for output in figure.outputs if output.output_type == "display_data"]
    assert plain == ["<Figure size 640x480 with 1 Axes>"]
    assert [output["text"] for output in shown.outputs] == [tidy.LEFT_OUT]
    assert shell.outputs[0]["text"] == "42 tiny\n" and shell.outputs[1]["data"]["text/plain"] == "<object>"
    assert [each.execution_count for each in notebook.cells if each.cell_type == "code"] == [1, 2, 3, 4]
    executed = execution_of(notebook)
    assert executed["mode"] == "tiny" and executed["code"] == chapter.hash and executed["seconds"] > 0
    assert executed["machine"]["cpu"]["logical"] >= 1 and executed["versions"]["mxnet"] == "1.9.1"


def test_failing_cell_is_reported(tmp_path):
    text = HEADER + PARAMETERS + cell("probe", 'import sys\nprint("a hint", file=sys.stderr)\nassert 1 + 1 == 3, "sum"')
    path = write(tmp_path, text + cell("never", "1"))
    done = CliRunner().invoke(run.main, [str(path), "--out", str(tmp_path / "x.ipynb")])
    assert done.exit_code == 2
    line = path.read_text().splitlines().index('assert 1 + 1 == 3, "sum"') + 1
    assert f"02-blocks.md:{line}: cell probe, line 3: AssertionError: sum\n    assert 1 + 1 == 3" in done.output
    assert "stderr: a hint" in done.output and "Traceback" not in done.output
    assert not (tmp_path / "x.ipynb").exists()


def test_shell_command_that_fails_raises(capsys):
    class Shell:
        user_ns = {}

        def var_expand(self, command, depth):
            return command

    shell = Shell()
    kernel._run_commands_strictly(shell)
    shell.system("echo said; echo >&2 problem; true")
    assert capsys.readouterr().out == "said\nproblem\n"
    with pytest.raises(RuntimeError, match="exit status 3: exit 3"):
        shell.system("exit 3")


def test_too_large_a_result_is_refused(tmp_path):
    chapter = read_chapter(write(tmp_path, HEADER + PARAMETERS + CURVES))
    notebook = nbformat.from_dict(chapter.notebook)
    assert len(run.as_text(chapter, notebook)) < MAX_BYTES
    notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text="x" * MAX_BYTES)]
    with pytest.raises(ChapterError, match="cell curves has the most"):
        run.as_text(chapter, notebook)


def test_stand_in_is_taken_for_fashion_mnist(tmp_path, monkeypatch):
    published, said = fashion_mnist.FASHION_MNIST, []
    monkeypatch.setattr(fashion_mnist, "FASHION_MNIST", published)  # put back afterwards

    def nothing(*args):
        raise stand_in.DataError("not here")

    monkeypatch.setattr(stand_in.fetch, "load", nothing)
    folder = stand_in.where_needed(tmp_path / "drawn", said.append)
    monkeypatch.undo()
    assert len(said) == 1 and said[0].startswith("2,000 drawn pictures stand in for Fashion-MNIST")
    monkeypatch.setattr(fashion_mnist, "FASHION_MNIST", published)
    monkeypatch.setenv("GLUON_RESNET_HOME", str(tmp_path / "home"))
    stand_in.take(folder)
    (images, labels), (test_images, _), _ = fashion_mnist.load_arrays()
    assert images.shape == (2000, 28, 28) and test_images.shape == (500, 28, 28)
    assert numpy.bincount(labels).tolist() == [200] * 10


# What is kept ---------------------------------------------------------------------------------------------------------


def test_text_is_tidied(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("GLUON_RESNET_REAL_DATA", "/home/somebody/data")
    known = tidy.replacements(tmp_path)
    for text, expected in [
        ("<Axes at 0x7f00aa12>", "<Axes>"),
        ("  1%\r 50%\r100%\ndone\n", "100%\ndone\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        (f"{tmp_path}/chapter-files/run", "./chapter-files/run"),
        ("/home/somebody/data/birds/1.jpg", "$GLUON_RESNET_REAL_DATA/birds/1.jpg"),
        ("/home/somebody/.cache/x /home/somebodyelse", "~/.cache/x /home/somebodyelse"),
        (str(Path(__file__).resolve()), "~/gluon-resnet/tests/book/test_book.py"),
    ]:
        assert tidy.tidy_text(text, known) == expected


def notebook_of(*outputs, tag=None):
    """A notebook of one executed cell."""
    metadata = {"name": "probe", **({"tags": [tag]} if tag else {})}
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", metadata=metadata, outputs=list(outputs))])


def test_stderr_and_widgets_are_left_out():
    said = [
        nbformat.v4.new_output("stream", name=name, text=text)
        for name, text in (("stdout", "a"), ("stderr", "b"), ("stdout", "c\n"))
    ]
    bar = nbformat.v4.new_output("display_data", data={tidy.WIDGET: {"model_id": "1"}, "text/plain": "  0%"})
    notebook = notebook_of(*said, bar)
    tidy.tidy(notebook, [], "x.md")
    assert [output["text"] for output in notebook.cells[0].outputs] == ["ac\n"]


def test_photographs_are_left_out():
    def table():
        return nbformat.v4.new_output("display_data", data={"text/html": "<table></table>", "text/plain": "table"})

    embedded = nbformat.v4.new_output("display_data", data={"text/html": '<img src="data:image/png;base64,AA">'})
    notebook = notebook_of(picture(**{"image/png+zh": png()}), embedded, table(), tag="photographs")
    tidy.tidy(notebook, [], "x.md")
    assert "image" not in json.dumps(notebook.cells[0].outputs)
    assert notebook.cells[0].outputs[0] == table() and notebook.cells[0].outputs[1]["text"] == tidy.LEFT_OUT
    kept = notebook_of(picture())
    tidy.tidy(kept, [], "x.md")
    assert kept.cells[0].outputs[0]["data"]["image/png"] == png()


def test_path_of_this_machine_is_refused():
    notebook = notebook_of(nbformat.v4.new_output("stream", text="saved /tmp/tmpab12/x.png"))
    with pytest.raises(ChapterError, match="x.md: cell probe shows a path of this machine, /tmp/tmpab12"):
        tidy.tidy(notebook, [], "x.md")


def test_outputs_of_a_run_and_prose_of_the_text(tmp_path):
    path = write(tmp_path, HEADER + PARAMETERS + CURVES)
    chapter = read_chapter(path)
    assert chapter.kept_state() == "missing"
    kept = nbformat.from_dict(chapter.notebook)
    kept.cells[-1].outputs = [picture()]
    kept.metadata["gluon_resnet"]["executed"] = {"code": chapter.hash, "mode": "full"}
    chapter.kept_path.parent.mkdir()
    nbformat.write(kept, str(chapter.kept_path))
    later = read_chapter(write(tmp_path, HEADER.replace("Prose", "Better prose") + PARAMETERS + CURVES))
    assert later.kept_state() == "current"
    merged = with_outputs(later, later.kept())
    assert "Better prose" in merged.cells[0].source and merged.cells[-1].outputs == [picture()]
    assert read_chapter(write(tmp_path, HEADER + PARAMETERS + CURVES.replace("plot", "draw"))).kept_state() == "stale"
    chapter.kept_path.write_text("{")
    with pytest.raises(ChapterError, match="no notebook"):
        chapter.kept_state()


# Figures in Chinese ---------------------------------------------------------------------------------------------------


def translations(tmp_path, text):
    """Translations out of a file with ``text``."""
    (tmp_path / "chinese.yml").write_text(text, encoding="utf-8")
    return kernel.Translations(tmp_path / "chinese.yml")


def test_translations(tmp_path):
    translate = translations(tmp_path, 'loss: 损失\n"{} epochs, {}": "{} 轮,{}"\n')
    assert translate("loss") == "损失" and translate("10 epochs, lr 0.1") == "10 轮,lr 0.1"
    assert translate("losses") is None and translate("") is None


def test_figure_is_chinese_for_a_moment(tmp_path):
    translate = translations(tmp_path, "loss: 损失\nshirt: 衬衫\nepoch: 轮次\n")
    figure = Figure()
    axes = figure.add_subplot()
    axes.bar(["shirt", "bag"], [1, 2], label="loss")
    axes.set_xlabel("epoch")
    legend = axes.legend()

    def texts():
        figure.canvas.draw()
        return [
            axes.get_xlabel(),
            legend.get_texts()[0].get_text(),
            *(label.get_text() for label in axes.get_xticklabels()),
        ]

    with kernel.in_chinese(figure, translate) as any_text:
        assert any_text and texts() == ["轮次", "损失", "衬衫", "bag"]
    assert texts() == ["epoch", "loss", "shirt", "bag"]
    with kernel.in_chinese(Figure(), translate) as any_text:
        assert not any_text


def test_png_and_its_size_on_the_page():
    figure = Figure(figsize=(4, 3))
    figure.add_subplot().plot([1, 2])
    data, size = kernel._png(figure)
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.format == "PNG"
        assert abs(image.width / size["width"] - kernel.DPI / kernel.SHOWN_DPI) < 0.01
    assert kernel._png(Figure()) is None


def test_texts_of_the_chapters_figures_stand_once():
    lines = kernel.TEXTS.read_text(encoding="utf-8").splitlines()
    entries = [yaml.safe_load(line) for line in lines if line.strip() and not line.startswith("#")]
    assert all(isinstance(text, str) for entry in entries for pair in entry.items() for text in pair)
    names = [name for entry in entries for name in entry]
    assert sorted(names) == sorted(set(names)), "a later line would replace an earlier one"
    assert all(english.count("{}") == chinese.count("{}") for entry in entries for english, chinese in entry.items())


# Weaving --------------------------------------------------------------------------------------------------------------

CHINESE = "# 残差\n\n第一段,\n第二行。\n\n% cell: numbers\n\n## 曲线\n\n% cell: curves\n"


def woven(tmp_path, chinese, outputs=()):
    """The Chinese text woven with a chapter whose cell ``curves`` has ``outputs``."""
    english = nbformat.from_dict(read_chapter(write(tmp_path, HEADER + PARAMETERS + CURVES)).notebook)
    english.cells[-1].outputs = list(outputs)
    return weave.weave(write(tmp_path / "zh", chinese), english)


def test_weaving(tmp_path):
    svg = {"image/svg+xml": "<svg>block</svg>", "image/svg+xml+zh": "<svg>块</svg>"}
    outputs = [
        picture(**{"image/png+zh": png(31)}),
        nbformat.v4.new_output("display_data", data=svg),
        nbformat.v4.new_output("stream", text="loss 0.1\n"),
        nbformat.v4.new_output("stream", text=tidy.LEFT_OUT),
    ]
    notebook = woven(tmp_path, "---\ntitle: x\n---\n" + CHINESE, outputs)
    assert [each.source for each in notebook.cells] == [
        "# 残差\n\n第一段,\n第二行。",
        "num_epochs = 10\nlimit = None",
        "## 曲线",
        "plot()",
    ]
    curves = notebook.cells[-1]
    assert curves.outputs[0].data["image/png"] == png(31)
    assert curves.outputs[1].data == {"image/svg+xml": "<svg>块</svg>"}
    assert curves.outputs[2].text == "loss 0.1\n" and curves.outputs[3].text == weave.IN_CHINESE[tidy.LEFT_OUT]
    assert curves.metadata["mystnb"]["image"]["alt"] == "一条线"
    nbformat.validate(notebook)


def test_picture_without_a_chinese_one_stays(tmp_path):
    assert woven(tmp_path, CHINESE, [picture()]).cells[-1].outputs[0].data["image/png"] == png()


@pytest.mark.parametrize(
    "change, problem",
    [
        (("% cell: curves\n", ""), "zh/02-blocks.md: cells of the English chapter are not in: curves"),
        (
            ("cell: curves", "cell: curve"),
            "zh/02-blocks.md:10: the English chapter has no cell curve; expected here: curves",
        ),
        (("% cell: numbers\n", ""), "zh/02-blocks.md:9: cell curves is too early: cell numbers comes before it"),
        (
            ("cell: curves", "cell: numbers"),
            "zh/02-blocks.md:10: cell numbers is too late or in twice; expected here: curves",
        ),
        (("% cell: curves", "% cell:"), "has no cell without a name"),
        (
            ("% cell: curves", "```{code-cell} ipython3\n:name: curves\n1\n```"),
            "zh/02-blocks.md:10: a code cell: expected a line",
        ),
    ],
)
def test_weaving_errors(tmp_path, change, problem):
    with pytest.raises(ChapterError, match=re.escape(problem)) as caught:
        woven(tmp_path, CHINESE.replace(*change))
    assert "\n" not in str(caught.value)


def test_chinese_lines_are_joined():
    assert weave.joined_lines("网络\n加深。\n下一行") == "网络加深。下一行"
    for text in ("网络\nResNet\n很深", "# 标题\n正文", "网络\n\n加深", "| 表\n的 |", "- 一\n- 二"):
        assert weave.joined_lines(text) == text


# Pages ----------------------------------------------------------------------------------------------------------------

EXECUTED = {
    "date": "2026-11-24T11:21:20+00:00",
    "machine": {"cpu": {"model": "AMD EPYC", "physical": 2}},
    "seconds": 122.4,
    "versions": {"python": "3.11.7", "mxnet": "1.9.1"},
    "commit": "c8f91f7c4740",
    "mode": "full",
    "code": "x",
}


def test_page_says_when_and_where(tmp_path):
    notebook = nbformat.from_dict(read_chapter(write(tmp_path, HEADER + PARAMETERS)).notebook)
    notebook.metadata["gluon_resnet"]["executed"] = EXECUTED
    page, _ = pages.page(notebook, "02-blocks", "current", "en", "zh/02-blocks.html")
    assert page.cells[0].source.startswith("# A chapter\n")
    assert (
        "Run on 24 November 2026, in 122 s, on AMD EPYC, 2 cores; Python 3.11.7, mxnet 1.9.1, commit c8f91f7c4740."
        in page.cells[0].source
    )
    assert '<a href="zh/02-blocks.html" lang="zh-CN" hreflang="zh-CN">中文</a>' in page.cells[0].source
    chinese, _ = pages.page(notebook, "02-blocks", "current", "zh", "../02-blocks.html")
    assert "2026 年 11 月 24 日" in chinese.cells[0].source and ">English</a>" in chinese.cells[0].source
    for state in ("missing", "stale"):
        assert pages.WORDS["en"][state] in pages.page(notebook, "02-blocks", state)[0].cells[0].source


def test_page_cites_its_own_list(tmp_path):
    text = HEADER + PARAMETERS + "```{bibliography}\n:filter: docname in docnames\n```\n"
    first, _, last = pages.page(read_chapter(write(tmp_path, text)).notebook, "02-blocks", "missing")[0].cells
    assert "{cite}`en02-he2016deep`" in first.source and "```{bibliography}\n:keyprefix: en02-\n:filter:" in last.source


def test_pictures_have_sizes_and_words():
    drawing = '<svg xmlns="x" viewBox="0 0 360 525.4"><title>Residual block</title><desc>Two convolutions.</desc></svg>'
    drawn = nbformat.v4.new_output("display_data", data={"image/svg+xml": drawing, "image/svg+xml+zh": "<svg/>"})
    notebook = notebook_of(drawn)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# T"))
    page, without_alt = pages.page(notebook, "02-blocks", "missing")
    output = page.cells[1].outputs[0]
    assert output.metadata["image/svg+xml"] == {"width": 360, "height": 525} and "image/svg+xml+zh" not in output.data
    assert page.cells[1].metadata["mystnb"]["image"]["alt"] == "Residual block. Two convolutions" and not without_alt
    notebook.cells[1].outputs = [picture()]
    page, without_alt = pages.page(notebook, "02-blocks", "missing")
    assert page.cells[1].outputs[0].metadata["image/png"] == {"width": 30, "height": 20} and without_alt == ["probe"]


def test_chinese_page_needs_chinese_words(tmp_path):
    chapter = read_chapter(write(tmp_path, HEADER + PARAMETERS + CURVES.replace(', alt_zh: "一条线"', "")))
    english = nbformat.from_dict(chapter.notebook)
    english.cells[-1].outputs = [picture()]
    assert pages.page(english, "02-blocks", "missing")[1] == []
    chinese = weave.weave(write(tmp_path / "zh", CHINESE), english)
    assert pages.page(chinese, "02-blocks", "missing", "zh")[1] == ["curves"]


def test_solutions_are_called_so():
    notebook = notebook_of(tag="hide-cell")
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# T"))
    for lang, word in (("en", "Solution"), ("zh", "答案")):
        assert pages.page(notebook, "02-x", "missing", lang)[0].cells[1].metadata["mystnb"]["code_prompt_show"] == word


def test_links(tmp_path):
    good = (
        '<html><head><link rel="stylesheet" href="style.css?v=1"><script src="x.js"></script></head><body id="top">'
        '<a href="other.html#there">a</a><a href="#top">b</a><a href="https://example.org/x">c</a>'
        '<img src="data:image/png;base64,AA"></body></html>'
    )
    (tmp_path / "index.html").write_text(good)
    (tmp_path / "other.html").write_text('<p id="there">x</p>')
    (tmp_path / "style.css").write_text("body { background: url(data:image/png;base64,AA) }")
    (tmp_path / "x.js").write_text("")
    assert links.problems(tmp_path) == []
    for old, new, problem in [
        ("other.html#there", "none.html", "index.html:1: none.html: there is no such page"),
        ("#there", "#here", "index.html:1: other.html#here: there is no such place in the page"),
        ("#top", "#nowhere", "no such place"),
        ("https://example.org/x", "https://", "not the form of an address"),
        ("https://example.org/x", "ftp://example.org", "unknown scheme ftp"),
        ('src="x.js"', 'src="https://cdn.example.org/x.js"', "<script> loads from another host"),
        ('src="x.js"', 'src="//cdn.example.org/x.js"', "<script> loads from another host"),
        ("x.js", "y.js", "<script> loads a file that is not there"),
    ]:
        (tmp_path / "index.html").write_text(good.replace(old, new))
        found = links.problems(tmp_path)
        assert len(found) == 1 and problem in found[0], found
    (tmp_path / "index.html").write_text(good)
    (tmp_path / "style.css").write_text("@import 'https://fonts.example.org/a.css';")
    assert links.problems(tmp_path) == ["style.css: loads from another host: https://fonts.example.org/a.css"]


# The book's own chapters ----------------------------------------------------------------------------------------------


def test_chapters_keep_to_the_form():
    chapters = [read_chapter(path) for path in english_chapters()]
    assert chapters and [chapter.name[:2] for chapter in chapters] == [
        f"{number:02}" for number in range(1, len(chapters) + 1)
    ]
    for chapter in chapters:
        assert chapter.code_cells[0].metadata["name"] == "setup"


def test_kept_results_belong_to_the_chapters_code():
    for path in english_chapters():
        chapter = read_chapter(path)
        kept = chapter.kept()
        if kept is None:
            continue
        assert chapter.kept_state() == "current", f"{path.name} was changed after its run: make chapters-full"
        assert execution_of(kept)["mode"] == "full" and chapter.kept_path.stat().st_size <= MAX_BYTES
        code = [each for each in kept.cells if each.cell_type == "code"]
        assert source_hash(code) == chapter.hash
        for each in code:
            assert "photographs" not in tags(each) or not pages.has_picture(each), (path.name, each.metadata["name"])


def test_kept_results_belong_to_a_chapter():
    names = {path.stem for path in english_chapters()}
    assert {path.stem for path in (CHAPTERS / "executed").glob("*.ipynb")} <= names


def test_chinese_chapters_have_all_cells():
    for path in weave.chinese_chapters():
        weave.weave(path, weave.english_chapter(path).notebook)


def test_every_citation_is_in_the_list():
    known = set(
        re.findall(r"^@\w+\{([^,\s]+),", (CHAPTERS / "references.bib").read_text(encoding="utf-8"), re.MULTILINE)
    )
    for path in english_chapters() + weave.chinese_chapters():
        for found in pages.CITATION.finditer(path.read_text(encoding="utf-8")):
            assert {key.strip() for key in found.group(2).split(",")} <= known, (path.name, found.group())


# The table of a recipe ------------------------------------------------------------------------------------------------


def test_the_table_of_a_recipe_has_its_fields_defaults_and_comments():
    source = "class Recipe:\n    lr: float = 0.5  # rate\n    # Two lines\n    # of it.\n    n: int = 3\n"
    assert recipe_table.fields(source) == [("lr", "0.5", "rate"), ("n", "3", "Two lines of it.")]


def test_docs_have_the_recipe_as_it_is_now():
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert recipe_table.updated(text, recipe_table.SOURCE.read_text(encoding="utf-8")) == text
    rows = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", text, re.MULTILINE))
    assert {name: ast.literal_eval(value) for name, value in rows.items()} == asdict(gr.Recipe())


def test_a_document_without_marks_is_refused():
    with pytest.raises(ChapterError, match="no place for the table: expected a line <!-- recipe: begin"):
        recipe_table.updated("text", recipe_table.SOURCE.read_text(encoding="utf-8"))
