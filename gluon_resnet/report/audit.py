"""An audit of a data set as a single HTML file to look at: near pairs, and label against prediction.

    write(read("audits/fashion-mnist"), train, test)     # index.html in the audit's folder

As page.py: no scripts, no links to other hosts or files, and Jinja escapes all that comes from files.
"""

import base64
import io
from pathlib import Path
from typing import Any, Dict, List

import numpy
import pandas as pd
from PIL import Image

from ..audit import counts, published
from ..audit.files import TEST, TRAIN, Arrays, Audit
from ..files import writing
from ..text import printable
from ..version import VERSION
from .templating import inline_png, templates

NAME = "index.html"
MOST = 200  # pairs, and doubted labels of each part, on the page; the CSV files have all
CONFUSED = 15  # rows of the table of labels and predictions


def _source(image: numpy.ndarray) -> str:
    """One image uint8 (H, W) as a data URL; dark on white, as the article was photographed."""
    stream = io.BytesIO()
    Image.fromarray(255 - image).save(stream, format="png")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _pairs(table: pd.DataFrame, images: Dict[str, numpy.ndarray]) -> List[Dict[str, Any]]:
    return [
        {
            "images": [_source(images[row.part_a][row.index_a]), _source(images[row.part_b][row.index_b])],
            "names": [f"{row.part_a} {row.index_a}", f"{row.part_b} {row.index_b}"],
            "labels": row.label_a if row.label_a == row.label_b else f"{row.label_a} / {row.label_b}",
            "differ": row.label_a != row.label_b,
            "distance": f"{row.distance:.0f}",
        }
        for row in table.head(MOST).itertuples(index=False)
    ]


def _doubts(table: pd.DataFrame, images: numpy.ndarray) -> List[Dict[str, Any]]:
    return [
        {
            "image": _source(images[row.index]),
            "name": f"{row.part} {row.index}",
            "label": row.label,
            "prediction": row.prediction,
            "probability": f"{row.probability:.2f}",
            "probability_of_label": f"{row.probability_of_label:.2g}",
        }
        for row in table.head(MOST).itertuples(index=False)
    ]


def _figures(audit: Audit) -> List[Any]:
    """(title, value, note) of the counts."""
    pairs = counts.of_pairs(audit.duplicates)

    def total(kind: str) -> int:
        return sum(pairs[kind][place] for place in counts.PLACES)

    figures = [
        ("identical pairs", f"{total('identical'):,}", "the same bytes"),
        ("near pairs", f"{total('near'):,}", f"nearer than {audit.about['distance']:g}"),
        ("test images", f"{len(audit.leaked()):,}", "with a near duplicate in the training part"),
    ]
    if audit.labels is not None:
        doubted = counts.of_labels(audit.labels)
        figures += [
            ("doubted labels, training part", f"{doubted[TRAIN]:,}", f"of {audit.about['images'][TRAIN]:,}"),
            ("doubted labels, test part", f"{doubted[TEST]:,}", f"of {audit.about['images'][TEST]:,}"),
        ]
    return figures


def _compared(audit: Audit) -> List[Any]:
    """Rows (what, here, published, source), if the images are Fashion-MNIST's own."""
    if not audit.about["verified"]:
        return []
    pairs = counts.of_pairs(audit.duplicates)
    rows = [
        (
            f"identical pairs {words}",
            f"{pairs['identical'][place]:,}",
            str(published.IDENTICAL[place]),
            published.IDENTICAL_SOURCE,
        )
        for place, words in counts.PLACES.items()
    ]
    if audit.labels is not None:
        doubted = counts.of_labels(audit.labels)[TRAIN]
        rows.append(
            (
                "doubted labels in the training part",
                f"{doubted:,}",
                f"{published.WRONG_LABELS} wrong ones",
                published.WRONG_LABELS_SOURCE,
            )
        )
    return rows


def _confused(labels: pd.DataFrame) -> List[Any]:
    """Rows (label, prediction, number of doubted labels in the training part, in the test part), most first."""
    grouped = labels.groupby(["label", "prediction"])["part"]
    table = pd.DataFrame(
        {part: grouped.apply(lambda parts, part=part: int((parts == part).sum())) for part in (TRAIN, TEST)}
    )
    table = table.assign(all=table[TRAIN] + table[TEST]).sort_values("all", ascending=False, kind="stable")
    return [(*pair, f"{row[TRAIN]:,}", f"{row[TEST]:,}") for pair, row in table.head(CONFUSED).iterrows()]


def page(audit: Audit, train: Arrays, test: Arrays) -> str:
    """The audit as HTML text; ``train`` and ``test`` are the images and labels that were looked at."""
    images = {TRAIN: train[0], TEST: test[0]}
    across = audit.duplicates["part_a"] != audit.duplicates["part_b"]
    labels = audit.labels
    return printable(
        templates()
        .get_template("audit.html")
        .render(
            version=VERSION,
            about=audit.about,
            title="Fashion-MNIST audited" if audit.about["verified"] else "Images in Fashion-MNIST's format, audited",
            most=MOST,
            figures_rows=_figures(audit),
            compared=_compared(audit),
            lines=counts.lines(audit),
            picture_of_pairs=inline_png(audit.path / "pairs.png", "remove the folder, and audit again"),
            groups=[
                ("between the parts", int(across.sum()), _pairs(audit.duplicates[across], images)),
                ("within a part", int((~across).sum()), _pairs(audit.duplicates[~across], images)),
            ],
            confused=None if labels is None else _confused(labels),
            doubted=[]
            if labels is None
            else [
                (words, int((labels["part"] == part).sum()), _doubts(labels[labels["part"] == part], images[part]))
                for part, words in ((TEST, "Test part"), (TRAIN, "Training part"))
            ],
        )
    )


def write(audit: Audit, train: Arrays, test: Arrays) -> Path:
    """Write index.html into the folder of an audit; its path. Raises RunError if that fails."""
    out, text = audit.path / NAME, page(audit, train, test)
    with writing(out, "make room, or name another folder with --out") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return out
