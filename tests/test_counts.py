"""Counted things are in the singular or the plural, as their number says: text.count writes them everywhere."""

import ast
import re

from gluon_resnet.text import count

import pytest

from tests.conftest import ROOT

COUNTED = re.compile(
    r" (batches|cells|channels|classes|cores|epochs|examples|images|labels|layers|lines|networks|outputs|parts|passes|"
    r"pictures|predictions|records|rounds|rows|runs|seeds|servers|threads|values|workers)\b(?![/-])"
)
FORMS = ("", ",")  # of whole numbers; 0.9 cores is right
#: file: what is there is never one thing, or said by a book
OTHERS = {
    "audit/clean.py": {"images"},  # as in a limit
    "benchmarks/compare.py": {"rounds"},  # may be unknown: "? rounds"
    "benchmarks/depth.py": {"cores"},  # a share of one
    "byhand/conv.py": {"channels"},  # not divided by the groups, so several
    "commands/weights.py": {"channels"},  # neither 1 nor 3
    "data/hold_out.py": {"classes"},  # more than are held out
    "data/records.py": {"classes", "records"},  # "the others", if several
    "distributed/scaling.py": {"workers"},  # the last of a list
    "distributed/share.py": {"pictures", "workers"},  # of a group
    "editions/d2lzh.py": {"examples"},  # the book's own line
    "editions/limits.py": {"images"},  # more than are used
    "evaluation/evaluate.py": {"pictures"},  # of the same name
    "evaluation/predict.py": {"channels"},  # neither 1 nor 3
    "networks/blocks.py": {"channels"},  # not divided by the groups, so several
    "networks/layout.py": {"channels"},  # more than it gives
    "networks/specs.py": {"channels"},  # of a bottleneck
    "play/budget.py": {"epochs"},  # more than are run
    "runs/fashion_mnist.py": {"epochs"},  # as in a setting
    "runs/opening.py": {"pictures"},  # of a name, not a number
}


@pytest.mark.parametrize(
    "number, what, text",
    [
        (1, "epoch", "1 epoch"),
        (0, "epoch", "0 epochs"),
        (2, "batch", "2 batches"),
        (1, "class", "1 class"),
        (1000, "class", "1,000 classes"),
        (3, "pass", "3 passes"),
    ],
)
def test_one_and_several(number, what, text):
    assert count(number, what) == text


def test_every_count_is_written_by_count():
    """No f-string of the package has a number and a plural after it, as in ``f"{n} epochs"``."""
    found = {}
    for path in (ROOT / "gluon_resnet").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.JoinedStr):
                continue
            for value, after in zip(node.values, node.values[1:]):
                words = COUNTED.match(after.value) if isinstance(after, ast.Constant) else None
                if not isinstance(value, ast.FormattedValue) or not words:
                    continue
                form = "".join(getattr(part, "value", "") for part in getattr(value.format_spec, "values", ()))
                name = path.relative_to(ROOT / "gluon_resnet").as_posix()
                if form in FORMS and words[1] not in OTHERS.get(name, ()):
                    found.setdefault(name, []).append(ast.dump(value.value)[:60] + words[0])
    assert found == {}
