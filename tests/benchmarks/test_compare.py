"""Two result files compared, on files written by hand."""

import json

from gluon_resnet.benchmarks import compare

import pytest

from tests.benchmarks.made_up import cells
from tests.conftest import one_line_error

CPU = {"model": "AMD EPYC", "instruction_sets": ["avx2"], "physical": 2}


def result(path, rows, bounds=None, **more):
    """A result file with {row: examples a second of each round}."""
    content = {
        "benchmark": "train",
        "rounds": 3,
        "size": 96,
        "measured": {row: [{"examples_per_sec": rate} for rate in rates] for row, rates in rows.items()},
        "bounds": bounds or {},
        "system": {"cpu": CPU, "platform": "Linux", "git_commit": "abc"},
        **more,
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def old(tmp_path):
    rows = {"ours": [100, 110, 105], "d2l": [30, 31, 32], "slower": [9, 10, 11], "gone": [1]}
    return result(tmp_path / "old.json", rows, {"float32_gflops": [200, 210]})


def test_a_change_outside_the_spread_is_told_from_one_inside(run_cli, old, tmp_path):
    rows = {"ours": [111, 130, 120], "d2l": [28, 40, 35], "slower": [8, 8.5, 7], "fresh": [1]}
    new = result(tmp_path / "new.json", rows, {"float32_gflops": [150, 190]}, rounds=2)
    done = run_cli("bench", "compare", old, new)
    assert done.returncode == 0, done.stderr
    found = cells(done.stdout)
    assert found["ours"] == ["105", "100-110", "120", "111-130", "1.14x", "**faster**"]
    assert found["d2l"] == ["31", "30-32", "35", "28-40", "1.13x", "no"]
    assert found["slower"][4:] == ["0.80x", "**slower**"]
    assert found["bound: matrix product, float32 (GFLOP/s)"] == [
        "205",
        "200-210",
        "170",
        "150-190",
        "0.83x",
        "**slower**",
    ]
    assert "Only in the old file: gone." in done.stdout and "Only in the new file: fresh." in done.stdout
    assert "machines differ" not in done.stdout


def test_another_machine_is_said(old, tmp_path):
    system = {"cpu": {**CPU, "model": "Xeon"}, "platform": "Linux", "git_commit": "abc"}
    new = result(tmp_path / "new.json", {"ours": [1]}, system=system)
    assert "The two machines differ" in compare.text(old, new)


@pytest.mark.parametrize(
    "content, words",
    [
        (None, "cannot be read"),
        ("", "found no JSON"),
        ("[" * 100_000, "found no JSON"),
        ("[1, 2]", 'found no "measured" rows'),
        ({"measured": {}}, 'found no "measured" rows'),
        ({"benchmark": 3}, 'no name of a "benchmark"'),
        ({"system": {"cpu": {}}}, "no description of its machine"),
        ({"system": {"cpu": {**CPU, "instruction_sets": 4}}}, "no description of its machine"),
        ({"measured": {"ours": []}}, "rounds without a positive"),
        ({"measured": {"ours": [{"examples_per_sec": 0}]}}, "rounds without a positive"),
        ({"measured": {"ours": [{"examples_per_sec": "fast"}]}}, "rounds without a positive"),
        ({"bounds": {"float32_gflops": [None]}}, '"bounds" that are not positive numbers'),
        ({"benchmark": "depth"}, "benchmark is 'depth', and 'train' in"),
        ({"size": 32}, "size is 32, and 96 in"),
    ],
)
def test_a_bad_file_is_one_line(run_cli, old, tmp_path, content, words):
    new = tmp_path / "new.json"
    if isinstance(content, dict):
        result(new, {"ours": [1, 2]}, **{name: content[name] for name in content if name != "measured"})
        if "measured" in content:
            new.write_text(json.dumps({**json.loads(new.read_text()), **content}))
    elif content is not None:
        new.write_text(content)
    line = one_line_error(run_cli("bench", "compare", old, new))
    assert words in line and str(new) in line


def test_a_file_that_is_no_text(run_cli, old, tmp_path):
    (tmp_path / "new.json").write_bytes(b"\xff\xfe\x00")
    assert "found no JSON" in one_line_error(run_cli("bench", "compare", old, tmp_path / "new.json"))
    assert "cannot be read" in one_line_error(run_cli("bench", "compare", old, tmp_path))
