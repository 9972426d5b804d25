"""What is in record files: how many records, which classes, formats and sizes. For faults: record_checks.py.

gluon-resnet records info birds_train.rec
print("\\n".join(info_lines(info("birds_train.rec"))))
"""

import io
import statistics
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Sequence

from ..errors import DataError
from ..text import count, one_line
from .images import with_image
from .recordio import ADVICE
from .records import RecordSource, read_description


def _range(values: Sequence[int]) -> Dict[str, Any]:
    return {"lowest": min(values), "median": statistics.median(values), "highest": max(values)}


def info(path: Any) -> Dict[str, Any]:
    """What is in the record file ``path``, as plain data: records, bytes, classes with their counts, formats, sizes.

    Only the headers of the images are read. DataError if the file is damaged.
    """
    source, sizes, lengths = RecordSource(path), [], []
    formats: Dict[str, int] = Counter()
    for i, name in enumerate(source.names):
        content = source.stored(i)
        try:
            kind, size = with_image(io.BytesIO(content), lambda image, notes: (str(image.format), image.size))
            formats[kind] += 1
            sizes.append(size)
        except Exception as error:  # Pillow's plugins raise many kinds of errors for damaged headers
            reason = "" if "cannot identify" in str(error) else f" ({error})"
            raise DataError(
                f"{path}: {name}: expected the file of a picture, such as a JPEG, found {len(content):,} bytes that "
                f"begin with {content[:8]!r} and whose header cannot be read{reason}; raw pixels are not read; {ADVICE}"
            ) from None
        lengths.append(len(content))
    counts, description = Counter(source.labels.tolist()), read_description(path)
    return {
        "file": str(path),
        "records": len(source),
        "bytes": Path(path).stat().st_size,
        "classes": [
            {"label": label, "name": name, "records": counts[label]} for label, name in enumerate(source.class_names)
        ],
        "formats": dict(Counter(formats).most_common()),
        "width": _range([width for width, _ in sizes]),
        "height": _range([height for _, height in sizes]),
        "shorter_side": _range([min(size) for size in sizes]),
        "picture_bytes": _range(lengths),
        "settings": description and description["settings"],
    }


def info_lines(content: Dict[str, Any]) -> List[str]:
    """:func:`info` as lines of text for a terminal."""
    ranges = [
        f"{title}: {', '.join(f'{key} {value:,g}' for key, value in content[key_of].items())}"
        for title, key_of in (
            ("width", "width"),
            ("height", "height"),
            ("shorter side", "shorter_side"),
            ("bytes a picture", "picture_bytes"),
        )
    ]
    formats = ", ".join(f"{number:,} {name}" for name, number in content["formats"].items())
    packed = "no .json next to it"
    if content["settings"]:
        packed = "packed with " + ", ".join(f"{key} {value}" for key, value in content["settings"].items())
    lines = [
        f"{content['file']}: {count(content['records'], 'record')}, {content['bytes']:,} bytes ({formats})",
        *ranges,
        *(f"class {entry['label']}, {entry['name']}: {entry['records']:,}" for entry in content["classes"]),
        packed,
    ]
    return [one_line(line) for line in lines]
