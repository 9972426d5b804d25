"""What all pages are made with: the templates, where everything is escaped, and pictures inside the page.

templates().get_template("audit.html").render(...)
inline_png(Path("pairs.png"), "audit again")     # {"src": "data:image/png;base64,...", "width": ..., "height": ...}
"""

import base64
from pathlib import Path
from typing import Any, Dict

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image, UnidentifiedImageError

from ..errors import RunError


def templates() -> Environment:
    """The templates of this package; a name that a page lacks is an error."""
    return Environment(
        loader=PackageLoader(__package__ or ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def inline_png(path: Path, advice: str) -> Dict[str, Any]:
    """{"src", "width", "height"} of a PNG file: its bytes as a data URL, and its size in pixels.

    Raises RunError, which ends in ``advice``, if the file cannot be read or is damaged.
    """
    try:
        content = path.read_bytes()
        with Image.open(path) as image:
            width, height = image.size
            image.verify()
    except (UnidentifiedImageError, SyntaxError) as error:  # PIL's complaint about a broken PNG
        raise RunError(f"{path}: damaged ({error}): expected a PNG file; {advice}") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror or error}): expected a PNG file; {advice}") from None
    return {"src": f"data:image/png;base64,{base64.b64encode(content).decode()}", "width": width, "height": height}
