"""The list of settings: every field that --set takes, with the comment next to it in the source."""

from dataclasses import fields

from gluon_resnet.runs.config import parse_setting
from gluon_resnet.runs.kinds import KINDS
from gluon_resnet.runs.settings import settings

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_has_its_default_and_a_meaning(kind):
    rows = [row for rows in settings(kind.config).values() for row in rows]
    assert sorted(row.name for row in rows) == sorted(field.name for field in fields(kind.config))
    assert [row.name for row in rows if not row.meaning] == []
    for row in rows:
        value = parse_setting(f"{row.name}={row.default}")[1]
        default = getattr(kind.config(), row.name)
        assert (tuple(value) if isinstance(value, list) else value) == default, row


def test_the_list_has_the_words_of_the_source(run_cli):
    done = run_cli("train", "fashion-mnist", "--list-settings", "--epochs", "0")  # nothing else is looked at
    assert done.returncode == 0, done.stderr
    printed = " ".join(done.stdout.split())
    for line in (
        "momentum=0.0 of sgd, nag and muon",
        "keep=3 checkpoints that are kept while the run goes on",
        "resize=96 side of the images in pixels",
        "step_epochs=[] schedule step: the rate falls after each of these",
        "norm_batches=20 Training batches from which batch-norm statistics are re-estimated before each test",
    ):
        assert line in printed
    source = (ROOT / "gluon_resnet" / "training" / "recipe.py").read_text()
    assert "# of sgd, nag and muon\n" in source  # the one place that says it
    assert "validation_split=0.2" in run_cli("train", "pictures", "--list-settings").stdout
