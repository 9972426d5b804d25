"""A chapter's page: its notebook, with a line that says when and where it was run, and with sizes for its images."""

import re
from datetime import datetime

import nbformat

from .chapters import execution_of, tags
from .pictures import png_size, svg_size, svg_words
from .weave import CHINESE

#: what a page says in its language; {} is filled in
WORDS = {
    "en": {
        "run": "Run on {date}, in {seconds} s, on {machine}; Python {python}, mxnet {mxnet}, commit {commit}.",
        "tiny": "Run in the chapters' tiny mode on {date}, in {seconds} s, on {machine}: the numbers are those of a "
        "trial.",
        "missing": "This chapter has not been run in full yet: its code is shown without results.",
        "stale": "The kept results are older than this chapter's code: it is shown without them.",
        "cores": "{model}, {cores} cores",
        "core": "{model}, one core",
        "other": "中文",
        "notebook": "Notebook",
        "solution": "Solution",
        "code": "Code of the figure",
    },
    "zh": {
        "run": "运行于 {date}，用时 {seconds} 秒，机器：{machine}；Python {python}，mxnet {mxnet}，提交 {commit}。",
        "tiny": "以各章的小规模模式运行于 {date}，用时 {seconds} 秒，机器：{machine}：数字只说明代码能够运行。",
        "missing": "本章尚未完整运行：只有代码，没有结果。",
        "stale": "保存的结果早于本章的代码：这里没有结果。",
        "cores": "{model}，{cores} 核",
        "core": "{model}，单核",
        "other": "English",
        "notebook": "下载笔记本",
        "solution": "答案",
        "code": "作图的代码",
    },
}
HTML_LANG = {"en": "en", "zh": "zh-CN"}
CITATION = re.compile(r"(\{cite(?::[a-z]+)?\}`)([^`]+)`")
CHAPTER = re.compile(r"(?<![A-Za-z\[`])([Cc]hapter ([1-9])|第([一二三四五六七八九])章)")
DIGITS = "一二三四五六七八九"


def _date(text, lang):
    when = datetime.fromisoformat(text)
    return f"{when.year} 年 {when.month} 月 {when.day} 日" if lang == "zh" else f"{when.day} {when:%B %Y}"


def execution_line(notebook, state, lang):
    """The sentence on when, where and in how long a page's code was run; ``state`` is the kept result's."""
    words, executed = WORDS[lang], execution_of(notebook)
    if state != "current":
        return words[state]
    cpu, versions = executed["machine"]["cpu"], executed["versions"]
    machine = words["cores" if cpu["physical"] > 1 else "core"].format(model=cpu["model"], cores=cpu["physical"])
    mxnet = next((version for name, version in versions.items() if name.startswith("mxnet")), None)
    return words["run" if executed["mode"] == "full" else "tiny"].format(
        date=_date(executed["date"], lang),
        seconds=f"{executed['seconds']:,.0f}",
        machine=machine,
        python=versions["python"],
        mxnet=mxnet,
        commit=executed["commit"] or "?",
    )


def _head(notebook, name, state, lang, other):
    """The block under a page's title: the notebook, the other language's page, and :func:`execution_line`."""
    links = [f'<a href="notebooks/{name}.ipynb" download>{WORDS[lang]["notebook"]}</a>']
    if other:
        to = "en" if lang == "zh" else "zh"
        links.append(f'<a href="{other}" lang="{HTML_LANG[to]}" hreflang="{HTML_LANG[to]}">{WORDS[lang]["other"]}</a>')
    return (
        f'```{{raw}} html\n<p class="executed">{" ".join(links)}\n'
        f"<span>{execution_line(notebook, state, lang)}</span></p>\n```"
    )


def _give_sizes(output):
    """Width and height, which the page needs before it has the picture, into an output's metadata."""
    for mime, measure in (("image/svg+xml", svg_size), ("image/png", png_size)):
        content = output.get("data", {}).get(mime)
        size = measure(content) if content else None
        if size and "width" not in output["metadata"].get(mime, {}):
            output["metadata"][mime] = dict(zip(("width", "height"), size))


def has_picture(cell):
    """Does a code cell's output hold a picture?"""
    return any(mime.startswith("image/") for output in cell.get("outputs", []) for mime in output.get("data", {}))


def _give_alt(cell):
    """The cell's alternative text; whether there is one. A drawing says itself what it shows."""
    image = cell.metadata.setdefault("mystnb", {}).setdefault("image", {})
    image.pop("alt_zh", None)
    if not image.get("alt"):
        drawings = [
            output["data"]["image/svg+xml"] for output in cell.outputs if "image/svg+xml" in output.get("data", {})
        ]
        image["alt"] = svg_words(drawings[0]) if drawings else ""
    return bool(image["alt"])


def _page_cell(cell, lang):
    """Prepare a code cell for MyST-NB in place; False where it has a picture without an alternative text."""
    mystnb = cell.metadata.setdefault("mystnb", {})
    for tag, word in (("hide-cell", "solution"), ("hide-input", "code")):
        if tag in tags(cell):
            mystnb["code_prompt_show"] = mystnb["code_prompt_hide"] = WORDS[lang][word]
    for output in cell.outputs:
        for mime in [mime for mime in output.get("data", {}) if mime.endswith(CHINESE)]:
            del output["data"][mime]
            output["metadata"].pop(mime, None)
        _give_sizes(output)
    if has_picture(cell):
        return _give_alt(cell)
    mystnb.pop("image", None)
    return True


def _with_own_bibliography(source, prefix):
    """MyST text whose citations lead to the list at the end of this page, not to another chapter's."""

    def prefixed(match):
        keys = ",".join(prefix + key.strip() for key in match.group(2).split(","))
        return f"{match.group(1)}{keys}`"

    source = re.sub(r"(```\{bibliography\}[^\n]*\n)", rf"\g<1>:keyprefix: {prefix}\n", source)
    return CITATION.sub(prefixed, source)


def with_links_to_chapters(source, name, chapters, lang):
    """MyST text in which "chapter 3" leads to that chapter.

    Args:
        source: the text; headings, and code between backquotes, are left as they are.
        name: the chapter that the text is of, which gets no link to itself.
        chapters: {number: name} of the chapters in this language. A Chinese text leads to the English chapter if there
            is no other.
        lang: "en" or "zh".
    """

    def link(match):
        words, number = match.group(1), int(match.group(2) or 1 + DIGITS.index(match.group(3)))
        if name.startswith(f"{number:02}-"):
            return words
        if number in chapters[lang]:
            return f"[{words}]({chapters[lang][number]}.ipynb)"
        return f'<a href="../{chapters["en"][number]}.html" hreflang="en">{words}</a>'

    lines = source.split("\n")
    return "\n".join(line if line.startswith("#") else CHAPTER.sub(link, line) for line in lines)


def page(notebook, name, state, lang="en", other=None, chapters=None):
    """(notebook of a chapter's page, [names of its cells whose pictures lack an alternative text]).

    ``state`` is that of its kept result; ``other`` the address of the same chapter in the other language, or None;
    ``chapters`` are those of :func:`with_links_to_chapters`, None for no links.
    """
    notebook, without_alt = nbformat.from_dict(notebook), []
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell["source"] = _with_own_bibliography(cell["source"], f"{lang}{name[:2]}-")
            if chapters:
                cell["source"] = with_links_to_chapters(cell["source"], name, chapters, lang)
        elif not _page_cell(cell, lang):
            without_alt.append(cell.metadata["name"])
    first = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
    title, _, rest = first["source"].partition("\n")
    first["source"] = f"{title}\n\n{_head(notebook, name, state, lang, other)}\n{rest}"
    return notebook, without_alt
