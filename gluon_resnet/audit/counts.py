"""What an audit counted, and the same in words, next to what was published."""

from typing import Dict, List, Mapping

import pandas as pd

from ..text import count
from . import published
from .files import TEST, TRAIN, Audit

PLACES = {TRAIN: "in the training part", TEST: "in the test part", "across": "across"}


def of_pairs(table: pd.DataFrame) -> Dict[str, Dict[str, int]]:
    """Counts of pairs by place: {"identical" or "near": {"train", "test", "across", "labels differ"}}.

    ``table`` is duplicates.csv. Near pairs are those that are not identical.
    """
    counts = {}
    for kind, rows in (("identical", table[table["distance"] == 0]), ("near", table[table["distance"] > 0])):
        across = rows["part_a"] != rows["part_b"]
        counts[kind] = {
            **{part: int((~across & (rows["part_a"] == part)).sum()) for part in (TRAIN, TEST)},
            "across": int(across.sum()),
            "labels differ": int((rows["label_a"] != rows["label_b"]).sum()),
        }
    return counts


def of_labels(table: pd.DataFrame) -> Dict[str, int]:
    """{part: number of doubted labels} of labels.csv."""
    return {part: int((table["part"] == part).sum()) for part in (TRAIN, TEST)}


def _by_place(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[place]:,} {words}" for place, words in PLACES.items())


def lines(audit: Audit) -> List[str]:
    """The counts of an audit in words, a line each, with the published ones if the images are Fashion-MNIST's own."""
    pairs, sizes = of_pairs(audit.duplicates), audit.about["images"]
    differ = pairs["identical"]["labels differ"] + pairs["near"]["labels differ"]
    known, verified = ", ".join(str(published.IDENTICAL[place]) for place in PLACES), audit.about["verified"]
    said = [
        f"identical pairs: {_by_place(pairs['identical'])}"
        + (f" (published: {known}: {published.IDENTICAL_SOURCE})" if verified else ""),
        f"near pairs, distance below {audit.about['distance']:g}: {_by_place(pairs['near'])}",
        f"test images with a near duplicate in the training part: {len(audit.leaked()):,}; pairs whose labels differ: "
        f"{differ:,}",
    ]
    if audit.labels is None:
        return said + ["labels: not looked at; --folds 5 trains networks that do"]
    about, doubted = audit.about["labels"], of_labels(audit.labels)
    words = ", ".join(f"{doubted[part]:,} of {sizes[part]:,} {PLACES[part]}" for part in (TRAIN, TEST))
    return said + [
        f"doubted labels: {words}"
        + (f" (published: {published.WRONG_LABELS} wrong ones: {published.WRONG_LABELS_SOURCE})" if verified else ""),
        f"the networks of {count(about['folds'], 'fold')} ({about['recipe']}): accuracy {about['accuracy'][TRAIN]:.4f} "
        f"on images that they were not trained on, together {about['accuracy'][TEST]:.4f} on the test part",
    ]
