"""What the pages have beyond Sphinx and its theme: two languages, pictures that keep their place, whole solutions."""

from pathlib import Path

import imagesize
from docutils import nodes
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.template import field, sentence
from sphinx.writers.html5 import HTML5Translator

from .pages import HTML_LANG, WORDS

CHINESE = "zh_CN"  # the language of the build of the folder zh
TITLE_IN_CHINESE = "gluon-resnet 中文版"


class Translator(HTML5Translator):
    """Sphinx's own, but a picture's size becomes its attributes, which a style sheet can scale in proportion."""

    def _file_sizes(self, node):
        """{"width": pixels, "height": pixels} of the picture's file, for a picture that was not given a size."""
        path = Path(self.builder.srcdir) / node["uri"]
        return dict(zip(("width", "height"), map(str, imagesize.get(path)))) if path.is_file() else {}

    def visit_image(self, node):
        """Write the picture with its size as attributes instead of a style."""
        sizes = {name: str(node.attributes.pop(name)).replace("px", "") for name in ("width", "height") if name in node}
        sizes = sizes or self._file_sizes(node)
        begun = len(self.body)
        super().visit_image(node)
        attributes = "".join(f' {name}="{size}"' for name, size in sizes.items() if size.isdigit())
        self.body[begun:] = [
            part.replace("<img ", f'<img{attributes} loading="lazy" ', 1) for part in self.body[begun:]
        ]


class TitlesAsWritten(PlainStyle):
    """BibTeX's plain style, but titles keep their capitals: most are names of methods and data sets."""

    def format_title(self, e, which_field, as_sentence=True):
        """The title of an entry, with a full stop if ``as_sentence``."""
        return sentence[field(which_field)] if as_sentence else field(which_field)


def _chinese_settings(app, config):
    """The book of the folder zh is built by a call of its own, with ``-D language=zh_CN``."""
    if config.language == CHINESE:
        config.html_title = TITLE_IN_CHINESE
    config.html_extra_path = [str(Path(app.srcdir) / "extra")]


def _other_language(app, pagename, templatename, context, doctree):
    """Name, language and address of the same page in the other language, or of that book's title page."""
    lang, other = ("zh", "en") if app.config.language == CHINESE else ("en", "zh")
    folder = Path(app.srcdir).parent if lang == "zh" else Path(app.srcdir) / "zh"
    name = pagename if (folder / f"{pagename}.ipynb").is_file() else "index"
    context["other_language"] = {
        "name": WORDS[lang]["other"],
        "lang": HTML_LANG[other],
        "address": f"{context['content_root']}{'../' if lang == 'zh' else 'zh/'}{name}.html",
    }


def _whole_solutions(app, doctree):
    """Put the code of a solution, a hidden cell after its text, into the same box: one bar to open, not two."""
    for box in list(doctree.findall(nodes.container)):
        if box.get("design_component") != "dropdown":
            continue
        following = box.next_node(descend=False, siblings=True)
        while isinstance(following, nodes.container) and following.get("hide_mode") == "all":
            cell, following = following, following.next_node(descend=False, siblings=True)
            cell.parent.remove(cell)
            del cell["hide_mode"]
            box += cell


def register(app):
    """Connect it all."""
    app.set_translator("html", Translator, override=True)
    register_plugin("pybtex.style.formatting", "as-written", TitlesAsWritten)
    app.connect("config-inited", _chinese_settings)
    app.connect("html-page-context", _other_language)
    app.connect("doctree-read", _whole_solutions)
