"""What a drawing is to its caller: an SVG text that a notebook shows and that can be saved."""

from pathlib import Path

from ..errors import RunError
from ..files import writing
from .words import LANGUAGES, both


class Drawing:
    """A finished drawing: ``svg`` is its text in the language asked for, ``title`` and ``desc`` say what it shows.

    A notebook shows it (``image/svg+xml``) and is handed the Chinese picture beside it (``image/svg+xml+zh``).
    """

    def __init__(self, canvas, height, title, desc, lang="en"):
        self.lang = lang
        self._pictures = {each: canvas.svg(height, each, title, desc) for each in LANGUAGES}
        self.svg = self._pictures[lang]
        self.title, self.desc = (both(text)[LANGUAGES.index(lang)] for text in (title, desc))

    def __repr__(self):
        return f"<Drawing: {self.title}>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"image/svg+xml": self.svg, "image/svg+xml+zh": self._pictures["zh"]}

    def save(self, path):
        """Write the picture to ``path`` (.svg), whole or not at all; RunError where that cannot be done."""
        path = Path(path)
        if path.suffix != ".svg":
            raise RunError(f"{path}: drawings are written as .svg; name a file that ends in it")
        with writing(path, "name a file in a folder that exists and may be written") as temporary:
            temporary.write_text(self.svg, encoding="utf-8")
