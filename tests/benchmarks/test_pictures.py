"""The picture benchmark's arithmetic with measurements made up; its workers for real, on small pictures."""

import contextlib
import io
import json
import runpy
import sys

from gluon_resnet.benchmarks import pictures, processes
from gluon_resnet.errors import BackendError, ConfigError, DataError

import pytest

from tests.data.test_records import write_pictures


def measurement(rate, mean=0.5, examples=18, **more):
    return {
        "version": "Pillow 10.4.0",
        "threads": 2,
        "peak_memory_bytes": 2**30,
        "examples_per_sec": rate,
        "examples": examples,
        "seconds": examples / rate,
        "mean_of_last_batch": mean,
        "others_cores": 0.0,
        **more,
    }


def test_the_ways_alternate_and_medians_are_compared_with_the_decoder(tmp_path, monkeypatch):
    asked = []

    def run(python, worker, settings, environ):
        asked.append((settings["way"], settings["threads"]))
        decoder = settings["way"] == "decoder"
        rate = 1000.0 * settings["threads"] if decoder else {0: 300.0, 1: 500.0, 2: 100.0}[(len(asked) - 1) // 9]
        return measurement(rate, None if decoder else 0.5)

    monkeypatch.setattr(pictures, "run_worker", run)
    folder = write_pictures(tmp_path / "photos")
    text = pictures.pictures(folder, 3, 2, 8, 32, tmp_path / "out", say=lambda line: None)
    one_round = [
        ("folder", 2),
        ("records", 2),
        ("kept", 2),
        ("folder_exact", 2),
        ("records_exact", 2),
        ("loop", 1),
        ("record_iter", 2),
        ("decoder", 1),
        ("decoder", 2),
    ]
    assert asked == one_round * 3
    lines = [[cell.strip() for cell in line.split("|")[1:]] for line in text.splitlines() if line.startswith("|")]
    rows = {line[0]: line[1:] for line in lines}
    assert rows["gluon-resnet, record file"][2:8] == ["300", "100", "500", "1.00x", "1.00x", "0.30x"]
    # 2000 over 300, over 500 and over 100
    assert rows["cv2.imdecode alone, two threads"][5:8] == ["6.67x", "6.67x", "2.00x"]
    assert "2 passes over 18 pictures of photos" in text
    assert (tmp_path / "out" / "pictures.md").read_text() == text + "\n"
    stored = json.loads((tmp_path / "out" / "pictures.json").read_text())
    assert stored["measured"]["mx.io.ImageRecordIter"][1]["examples_per_sec"] == 500 and stored["pictures"] == 18


def test_every_way_reads_the_same_small_pictures(tmp_path, monkeypatch):
    run_worker = processes.run_worker

    def run(python, worker, settings, environ):
        """The first way in a process of its own, as all are when it counts; the others in this one, which is quick."""
        if settings["way"] == "folder":
            return run_worker(python, worker, settings, environ)
        monkeypatch.setattr(sys, "argv", [worker, json.dumps(settings)])
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            runpy.run_path(str(processes.WORKERS / worker), run_name="__main__")
        return json.loads(printed.getvalue())

    monkeypatch.setattr(pictures, "run_worker", run)
    for folder in (processes.WORKERS, processes.MACHINE):
        monkeypatch.syspath_prepend(str(folder))
    folder, said = write_pictures(tmp_path / "photos", 7), []
    text = pictures.pictures(folder, 1, 2, 8, 32, tmp_path / "out", say=said.append)
    measured = json.loads((tmp_path / "out" / "pictures.json").read_text())["measured"]
    assert {one["examples"] for found in measured.values() for one in found} == {42} and len(said) == len(measured) == 9
    assert measured["cv2.imdecode alone, one thread"][0]["version"].startswith("OpenCV")
    assert "gluon-resnet, folder" in text


@pytest.mark.parametrize(
    "wrong, match",
    [
        ({"examples": 17}, "'b' read 17 pictures: expected 18"),
        ({"mean": 0.55}, "'b' has the mean 0.550"),
        ({"mean": float("nan")}, "'b' has the mean nan"),
    ],
)
def test_rates_of_different_pictures_are_not_reported(wrong, match):
    with pytest.raises(BackendError, match=match):
        pictures.check({"a": [measurement(1)], "b": [measurement(1, **wrong)]})


def test_without_the_decoder_no_ratio_is_made_up():
    table = pictures.table({"gluon-resnet, folder": [measurement(5)]})
    for column in ("over the loop", "over ImageRecordIter", "of the decoder's"):
        assert list(table[column]) == ["not measured"]


def test_what_cannot_be_measured_is_refused(tmp_path):
    folder = write_pictures(tmp_path / "photos", 1)
    with pytest.raises(ConfigError, match="rounds is 0"):
        pictures.pictures(folder, rounds=0, out=tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        pictures.pictures(folder, out=tmp_path / "file" / "out")
    (folder / "ash" / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match="expected class folders with whole pictures only"):
        pictures.pictures(folder, out=tmp_path / "out")
