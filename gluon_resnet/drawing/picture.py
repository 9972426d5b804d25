"""What a caller gets: a finished drawing, which a notebook shows and which can be saved.

gr.draw("resnet18").save("resnet18.svg")
"""

from pathlib import Path
from typing import Any, Dict, Union

from ..errors import RunError
from ..files import writing
from .canvas import Canvas, Text
from .words import LANGUAGES, both


class Drawing:
    """A finished drawing: ``svg`` is its text in the language asked for, ``title`` and ``desc`` say what it shows.

    A notebook shows it (``image/svg+xml``) and also gets the Chinese picture (``image/svg+xml+zh``).
    """

    def __init__(self, canvas: Canvas, height: float, title: Text, desc: Text, lang: str = "en") -> None:
        self.lang = lang
        self._pictures = {language: canvas.svg(height, language, title, desc) for language in LANGUAGES}
        self.svg = self._pictures[lang]
        self.title, self.desc = (both(text)[LANGUAGES.index(lang)] for text in (title, desc))

    def __repr__(self) -> str:
        return f"<Drawing: {self.title}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, str]:
        return {"image/svg+xml": self.svg, "image/svg+xml+zh": self._pictures["zh"]}

    def save(self, path: Union[str, Path]) -> None:
        """Write the picture to ``path`` (.svg), whole or not at all; RunError if that cannot be done."""
        path = Path(path)
        if path.suffix != ".svg":
            raise RunError(f"{path}: drawings are written as .svg; name a file that ends in it")
        with writing(path, "name a file in a folder that exists and may be written") as temporary:
            temporary.write_text(self.svg, encoding="utf-8")
