"""What a log gets: whole lines, no bar that is drawn over and over."""

import ast

from tests.conftest import ROOT
from tests.data.test_image_folder import bird_folder

PACKAGE = ROOT / "gluon_resnet"


def test_a_training_that_writes_to_a_log_writes_no_carriage_return(run_cli, tmp_path):
    bird_folder(tmp_path / "birds", number=3)
    small = ["--model", "resnet8@narrow", "--image-size", 32, "--batch-size", 3, "--epochs", 1]
    trained = run_cli("train", "pictures", tmp_path / "birds", *small, "--out", tmp_path / "run")
    rates = run_cli("train", "pictures", tmp_path / "birds", *small, "--find-lr", tmp_path / "lr.png")
    evaluated = run_cli("evaluate", tmp_path / "run")
    for done in (trained, evaluated):
        assert done.returncode == 0, done.stderr
    for done in (trained, rates, evaluated):
        assert "\r" not in done.stdout + done.stderr and "it/s" not in done.stderr


def test_every_bar_is_left_out_where_nothing_can_be_drawn_over():
    """tqdm's ``disable=None`` is: not in a log. display.py asks the stream itself, for it writes lines instead."""
    calls = [
        (path.relative_to(PACKAGE).as_posix(), node)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tqdm"
    ]
    drawn = [
        name
        for name, call in calls
        if not any(word.arg == "disable" and getattr(word.value, "value", 0) is None for word in call.keywords)
    ]
    assert len(calls) > 7 and drawn == ["training/display.py"]
