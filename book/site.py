"""What the pages are given beyond Sphinx and its theme: their language, and pictures that keep their place."""

from sphinx.writers.html5 import HTML5Translator

from .pages import HTML_LANG


class Translator(HTML5Translator):
    """Sphinx's own, but a picture's size becomes its attributes, which a style sheet can scale in proportion."""

    def visit_image(self, node):
        """The picture without its size as a style, and with it as attributes."""
        sizes = {name: str(node.attributes.pop(name)).replace("px", "") for name in ("width", "height") if name in node}
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
