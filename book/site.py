"""What the pages are given beyond Sphinx and its theme: their language, and pictures that keep their place."""

from pathlib import Path

import imagesize
from sphinx.writers.html5 import HTML5Translator

from .pages import HTML_LANG


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


def _language(app, pagename, templatename, context, doctree):
    """Pages of the folder zh are Chinese."""
    if pagename.startswith("zh/"):
        context["language"] = HTML_LANG["zh"]


def register(app):
    """Connect it all."""
    app.set_translator("html", Translator, override=True)
    app.connect("html-page-context", _language)
