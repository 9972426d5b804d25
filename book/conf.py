"""Sphinx's settings for the book: `make book`. The source folder is the one that assemble.py writes.

Its folder zh is a book of its own, built with ``-D language=zh_CN``.
"""

import importlib
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import gluon_resnet  # noqa: E402  before mxnet, which the reference imports

from book import reference, search_words, site  # noqa: E402

project = "gluon-resnet"
author = "gluon-resnet's authors"
copyright = "2026, gluon-resnet's authors"
version = release = gluon_resnet.__version__
language = "en"
locale_dirs = [str(HERE / "locale")]
exclude_patterns = ["zh", "extra"]

extensions = [
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]

# Chapters were run by run.py: nothing is run here
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
myst_update_mathjax = False

bibtex_bibfiles = [str(HERE.parent / "chapters" / "references.bib")]
bibtex_default_style = "as-written"  # of site.py
suppress_warnings = ["bibtex.duplicate_label"]  # numbers begin anew on each page, with its own list of sources

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # as they are written, not as they print: some would name this machine's folders
autosummary_generate = False
napoleon_numpy_docstring = False

# MathJax and its fonts are files of the book; a menu at each formula would be one more stop of the Tab key
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {
    "options": {
        "enableMenu": False,
        "ignoreHtmlClass": "tex2jax_ignore|mathjax_ignore|document",
        "processHtmlClass": "tex2jax_process|mathjax_process|math|output_area",
    }
}

html_theme = "furo"
html_title = "gluon-resnet"
html_static_path = [str(HERE / "_static")]
templates_path = [str(HERE / "_templates")]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/language.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_copy_source = False
html_domain_indices = False  # a list of modules, whose signs to fold it have no sizes; the reference lists them, too
html_show_sourcelink = False
html_scaled_image_link = False
html_search_language = search_words.NAME
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

# what a reader types: code, and of a session with a shell the lines after "$"; no outputs
copybutton_selector = "div:not(.output) > div.highlight > pre"
copybutton_prompt_text = "$ "

linkcheck_timeout = 20


def _copy_mathjax(app, error):
    """Of MathJax what the pages load: 4 MB of 24."""
    if error or app.builder.format != "html":
        return
    package = Path(importlib.import_module("sphinx-mathjax-offline").__file__).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for name in ("output/chtml/fonts", "input/tex/extensions"):
        shutil.copytree(package / name, target / name, dirs_exist_ok=True)
    shutil.copy(package / "tex-chtml.js", target)


def setup(app):
    """What this book adds to Sphinx."""
    app.connect("autodoc-process-docstring", reference.plain_docstring, priority=400)  # napoleon's is 500
    app.connect("build-finished", _copy_mathjax)
    search_words.register(app)
    site.register(app)
    return {"parallel_read_safe": True}
