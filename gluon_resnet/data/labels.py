"""Names of classes: ImageNet's 1,000 come with gluoncv, others from a text file with one a line.

For example:

    read_labels(None, 1000)[282]                          # 'tiger cat'
"""

from pathlib import Path
from typing import List, Union

from ..errors import DataError
from ..text import count


def _imagenet() -> List[str]:
    from gluoncv.data.imagenet.classification import ImageNet1kAttr

    return list(ImageNet1kAttr().classes)


def read_labels(path: Union[str, Path, None], num_classes: int) -> List[str]:
    """``num_classes`` names from the file at ``path``; without a file ImageNet's for 1,000 classes, otherwise numbers.

    Raises DataError if the file cannot be read or has another number of lines.
    """
    if path is None:
        return _imagenet() if num_classes == 1000 else [f"class {number}" for number in range(num_classes)]
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # some editors write a mark at the start
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text in UTF-8 (byte {error.start}): expected a label a line") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    labels = [line.strip() for line in text.rstrip().split("\n")]
    if len(labels) != num_classes:
        raise DataError(
            f"{path}: {count(len(labels), 'label')}: expected {num_classes:,}, one a line, as the network has classes"
        )
    if "" in labels:
        raise DataError(f"{path}: line {labels.index('') + 1} is empty: expected a label")
    return labels
