"""Weights by name from a real server on loopback: through the library, the public API and the command line."""

import contextlib
import fcntl
import hashlib
import io
import os
import re
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import gluon_resnet as gr
from gluon_resnet import cli
from gluon_resnet.errors import DataError, ModelError, WeightsError
from gluon_resnet.lab import arms
from gluon_resnet.machine import downloads
from gluon_resnet.runs.kinds import FashionMnistConfig, PicturesConfig
from gluon_resnet.weights import published
from gluon_resnet.weights.fetch_weights import fetch, place

import mxnet as mx
import numpy
import pytest
from mxnet.gluon.model_zoo import vision
from PIL import Image
from safetensors.numpy import save

from tests.conftest import array, relative_error
from tests.evaluation.test_evaluation import write_birds
from tests.file_server import serving
from tests.weights.test_weights import parameters, torchvision_resnet18

SMALL = bytes(range(256)) * 400  # 102,400 bytes that pass for a file of weights as long as nobody reads them


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSES", (0, 0, 0, 0, 0))


@pytest.fixture
def server():
    with serving(SMALL) as running:
        yield running


@pytest.fixture
def row(server):
    """timm's row a1 of ResNet-18, published by the test's own server."""
    return replace(
        published.find("imagenet:a1", "resnet18"), url=f"{server.url}/model.safetensors", hash=f"sha256:{sha256(SMALL)}"
    )


def in_cache():
    folder = downloads.home() / "weights"
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock") if folder.exists() else []


def refused(row):
    with pytest.raises(WeightsError) as refusal:
        fetch(row, say=lambda line: None)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_fetched_once_then_verified_in_the_cache(row, server):
    said = []
    path = fetch(row, said.append)
    assert path == downloads.home() / "weights" / "resnet18.a1_in1k.safetensors" and path.read_bytes() == SMALL
    host = server.url.partition("//")[2]
    assert said == [f"fetched resnet18.a1_in1k.safetensors from {host} into {path.parent}"]
    assert fetch(row, said.append) == path and len(said) == len(server.requests) == 1
    assert in_cache() == [path.name]


def test_cut_off_twice_and_resumed(row, server):
    server.cuts = [40_000, 30_000]
    assert fetch(row, lambda line: None).read_bytes() == SMALL
    assert [request.range for request in server.requests] == [None, "bytes=40000-", "bytes=70000-"]
    assert in_cache() == [row.file]


def test_given_up_and_resumed_by_the_next_call(row, server):
    server.cuts = [10_000] * 5
    line = refused(row)
    assert re.fullmatch(
        re.escape(f"{row.url}: broke off 5 times, the last time after 50,000 bytes (")
        + r".*\): what came is kept, and the same command goes on from there",
        line,
    )
    assert in_cache() == [f"{row.file}.part", f"{row.file}.part.version"]
    assert fetch(row, lambda line: None).read_bytes() == SMALL
    assert server.requests[-1].range == "bytes=50000-" and in_cache() == [row.file]


def test_a_lie_is_refused_and_deleted_and_both_hashes_are_shown(row, server):
    server.content = SMALL[::-1]
    assert refused(row) == (
        f"{row.url}: not the published file: expected SHA-256 {sha256(SMALL)}, found SHA-256 {sha256(SMALL[::-1])}; "
        f"it was deleted: try again, or put the right file at {place(row)}"
    )
    assert in_cache() == []


def test_of_a_hash_only_the_first_digits_may_be_known(row, server):
    row = replace(row, hash=f"sha256:{sha256(SMALL)[:8]}")
    assert fetch(row, lambda line: None).read_bytes() == SMALL
    place(row).unlink()
    wrong = replace(row, hash="sha256:00000000")
    assert f"expected SHA-256 00000000..., found SHA-256 {sha256(SMALL)}; it was deleted" in refused(wrong)


@pytest.mark.parametrize("algorithm, name", [("md5", "MD5"), ("sha1", "SHA-1")])
def test_other_algorithms(row, algorithm, name):
    digits = hashlib.new(algorithm, SMALL).hexdigest()
    assert fetch(replace(row, hash=f"{algorithm}:{digits}"), lambda line: None).read_bytes() == SMALL
    assert f"expected {name} {digits[::-1]}, found {name} {digits}: remove it" in refused(
        replace(row, hash=f"{algorithm}:{digits[::-1]}")
    )


def test_a_missing_file(row, server):
    server.statuses = [404]
    host = server.url.partition("//")[2]
    assert refused(row) == (
        f"{row.url}: {host} does not send the file (HTTP 404): download it on another machine and put it at "
        f"{place(row)}; it has SHA-256 {sha256(SMALL)}"
    )
    assert in_cache() == []


def test_offline(row):
    row = replace(row, url="http://127.0.0.1:9/model.safetensors", hash="sha256:11ad3fa6")
    assert refused(row) == (
        f"http://127.0.0.1:9/model.safetensors: 127.0.0.1:9 cannot be reached (ConnectionError): download it on "
        f"another machine and put it at {place(row)}; it has SHA-256 11ad3fa6..."
    )
    assert refused(replace(row, hash="")).endswith("download it on another machine and give its path instead of a name")


def test_offline_on_the_command_line(row, refusal, monkeypatch):
    publish(monkeypatch, published.find("a1", "resnet18"), "http://127.0.0.1:9", row.hash)
    line = refusal("predict", "cat.png", "--model", "resnet18", "--weights", "a1")
    assert line.startswith(
        "gluon-resnet: http://127.0.0.1:9/model.safetensors: 127.0.0.1:9 cannot be reached (Connection"
    )


def test_a_slow_server(row, server, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", (5, 0.1))
    server.stalls = True
    assert "broke off 5 times, the last time after 0 bytes (nothing for 0.1 s)" in refused(row)


def test_a_file_without_an_end(row, server):
    row = replace(row, depth=18)
    server.content, server.says_length = bytes(row.size + row.size // 10 + 1_000_001), False
    assert f"sends more than the {row.size + row.size // 10 + 1_000_000:,} bytes that it can have" in refused(row)
    assert in_cache() == []


def test_a_file_that_the_reader_put_there(row, server):
    place(row).parent.mkdir(parents=True)
    place(row).write_bytes(SMALL)
    assert fetch(row) == place(row) and server.requests == []
    place(row).write_bytes(b"damaged")
    assert refused(row) == (
        f"{place(row)}: not the published file: expected SHA-256 {sha256(SMALL)}, found SHA-256 {sha256(b'damaged')}: "
        f"remove it to have the right one fetched from {row.url}"
    )
    assert place(row).read_bytes() == b"damaged" and server.requests == []  # the reader's file is left alone


def test_a_cache_that_cannot_be_written(row, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GLUON_RESNET_HOME", str(tmp_path / "file"))
    assert refused(row).endswith(
        "cannot be written (Not a directory); set GLUON_RESNET_HOME to a folder you may write to"
    )


def test_another_process_that_fetches_is_waited_for(row, server):
    folder = downloads.home() / "weights"
    folder.mkdir(parents=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = threading.Thread(target=fetch, args=(row, lambda line: None), daemon=True)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive() and server.requests == []
        place(row).write_bytes(SMALL)  # the other one is done
    waiting.join(10)
    assert not waiting.is_alive() and server.requests == []


# Hashes that the Hub names --------------------------------------------------------------------------------------------


def test_without_a_hash_in_the_table_the_hubs_is_taken(row, server):
    row, server.headers = replace(row, hash=""), {"X-Linked-Etag": f'"{sha256(SMALL)}"'}
    server.redirects = {"/model.safetensors": "/cdn"}  # where the header is not sent with the file itself
    fetch(row, lambda line: None)
    assert [(request.method, request.path) for request in server.requests] == [
        ("HEAD", "/model.safetensors"),
        ("GET", "/model.safetensors"),
        ("GET", "/cdn"),
    ]
    assert in_cache() == [row.file, f"{row.file}.sha256"]
    server.requests.clear()
    assert fetch(row) == place(row) and server.requests == []
    place(row).write_bytes(b"damaged later")
    assert f"expected SHA-256 {sha256(SMALL)}, found SHA-256 {sha256(b'damaged later')}" in refused(row)


def test_a_lie_to_the_hubs_hash(row, server):
    row, server.headers = replace(row, hash=""), {"X-Linked-Etag": f'"{sha256(b"another")}"'}
    assert f"expected SHA-256 {sha256(b'another')}, found SHA-256 {sha256(SMALL)}; it was deleted" in refused(row)
    assert in_cache() == []


def test_nothing_is_taken_that_nobody_can_vouch_for(row, server):
    row = replace(row, hash="")
    assert "does not send the file (it does not say which SHA-256 the file has)" in refused(row)
    assert in_cache() == []
    place(row).write_bytes(SMALL)
    assert refused(row).startswith(
        f"{place(row)}: cannot be verified: the table does not have its hash, and 127.0.0.1:"
    )
    offline = replace(row, url="http://127.0.0.1:9/model.safetensors")
    assert "127.0.0.1:9 does not say it (ConnectionError): to use the file as it is, give its path" in refused(offline)
    server.headers = {"X-Linked-Etag": f'"{sha256(SMALL)}"'}
    assert fetch(row) == place(row) and in_cache() == [row.file, f"{row.file}.sha256"]
    assert fetch(offline) == place(row)


# Files in a .zip file -------------------------------------------------------------------------------------------------


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.fixture
def zoo_row(server):
    """The model zoo's row of ResNet-18, published by the test's own server."""
    row = published.find("imagenet", "resnet18@mxnet")
    server.content = zipped(**{row.file: SMALL})
    return replace(row, url=f"{server.url}/resnet18_v1.zip", hash=f"sha1:{hashlib.sha1(SMALL).hexdigest()}")


def test_a_zip_file_is_unpacked_and_what_is_in_it_verified(zoo_row, server):
    server.cuts = [200]
    assert fetch(zoo_row, lambda line: None).read_bytes() == SMALL
    assert in_cache() == ["resnet18_v1-a0666292.params"] and server.requests[1].range == "bytes=200-"


def test_zip_files_that_are_refused(zoo_row, server):
    for content, words in (
        (zipped(other=SMALL), f"not a .zip file with {zoo_row.file} in it"),
        (b"<html>moved</html>", "File is not a zip file"),
        (zipped(**{zoo_row.file: SMALL[1:]}), "not the published file: expected SHA-1 "),
        (zipped(**{zoo_row.file: bytes(60_000_000)}), "unpacks to more than 52,476,092 bytes"),
    ):
        server.content = content
        assert words in refused(zoo_row)
        assert in_cache() == [], words


def test_offline_a_zip_file_is_to_be_unpacked(zoo_row):
    offline = replace(zoo_row, url="http://127.0.0.1:9/resnet18_v1.zip")
    assert f"download it on another machine, unpack {zoo_row.file} from it and put it at {place(zoo_row)}" in refused(
        offline
    )


# The public API and the command line ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    """{torchvision's key: array} of a ResNet-18 with 1,000 classes, and its file."""
    tensors = torchvision_resnet18(1000)
    return tensors, save(tensors)


def publish(monkeypatch, row, host, hash):
    """Put a row into the table whose file the test's own server has, in place of the one with its tag."""
    own = replace(row, url=f"{host}/{Path(row.url).name}", hash=hash)
    monkeypatch.setattr(published, "ROWS", tuple(own if each == row else each for each in published.ROWS))


@pytest.fixture
def a1(trained, server, monkeypatch):
    """timm's a1 of ResNet-18 is on the test's own server, which breaks off twice."""
    server.content, server.cuts = trained[1], [20_000_000, 10_000_000]
    publish(monkeypatch, published.find("a1", "resnet18"), server.url, f"sha256:{sha256(server.content)}")
    return server


def test_pretrained_through_the_public_api(a1, trained, both_modes, capsys):
    net = gr.resnet18(pretrained="a1")
    assert [request.range for request in a1.requests] == [None, "bytes=20000000-", "bytes=30000000-"]
    lines = [line.strip() for line in re.split("[\r\n]", capsys.readouterr().err) if "broke off" in line]
    assert len(lines) == 2 and lines[0].startswith("resnet18.a1_in1k.safetensors: broke off after 20,000,000 bytes")
    assert net.spec.name == "resnet18@torchvision" and net.spec.num_classes == 1000
    own, tensors = parameters(net), trained[0]
    assert (own["0.weight"] == tensors["conv1.weight"]).all() and (own["9.bias"] == tensors["fc.bias"]).all()
    assert (own["7.1.bn2.running_var"] == tensors["layer4.1.bn2.running_var"]).all()
    assert net(array(numpy.zeros((1, 3, 64, 64)))).shape == (1, 1000)
    again = gr.get_model("resnet18@torchvision", pretrained="imagenet:a1_in1k")  # out of the cache
    assert len(a1.requests) == 3 and (parameters(again)["0.weight"] == own["0.weight"]).all()
    other = gr.resnet18("torchvision", 7)
    assert len(gr.load_weights(other, "imagenet:a1", new_head=True)) == 100
    assert (parameters(other)["0.weight"] == own["0.weight"]).all() and len(a1.requests) == 3


def test_pretrained_through_the_command_line(a1, trained, capsys, tmp_path, monkeypatch):
    """predict fetches, resumes, and prepares the image as published: 288 pixels, bicubic."""
    monkeypatch.chdir(tmp_path)
    image = Image.fromarray(numpy.random.RandomState(0).randint(0, 256, (400, 300, 3), dtype=numpy.uint8))
    image.save("noise.png")
    cli.main(["predict", "noise.png", "--model", "resnet18", "--weights", "imagenet:a1", "--top", "2"])
    out, err = capsys.readouterr()
    assert [request.range for request in a1.requests] == [None, "bytes=20000000-", "bytes=30000000-"]
    assert err.count("; going on") == 2 and "fetched resnet18.a1_in1k.safetensors from 127.0.0.1:" in err
    assert out.rstrip().endswith("resnet18@torchvision from imagenet:a1, engine gluon")
    small = image.resize((288, 384), Image.BICUBIC).crop((0, 48, 288, 336))
    X = (numpy.asarray(small, numpy.float32) / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    logits = gr.resnet18(pretrained="a1")(mx.nd.array(X.transpose(2, 0, 1)[None])).asnumpy()[0]
    labels = gr.read_labels(None, 1000)
    assert [line for line in out.splitlines() if labels[logits.argmax()] in line][0].split()[1] == "1"
    p = numpy.exp(logits.astype(float) - logits.max())
    assert f"{(p / p.sum()).max():.3f}" in out and len(a1.requests) == 3


def test_every_command_takes_a_name(a1, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64), "red").save("red.png")
    for words, shown in (
        (["export", "resnet18", "--out", "net.safetensors"], "resnet18@torchvision from a1 in net.safetensors: "),
        (["microscope", "red.png", "--model", "resnet18", "--size", "64"], "none past 0.0001"),
        (["shapes", "resnet18"], "(1, 1000)"),
        (["summary", "resnet18", "--format", "csv"], '"(1, 1000)",513000,'),
    ):
        with contextlib.suppress(SystemExit):  # the microscope exits with 0 or 1
            cli.main([*words, "--weights", "a1"])
        assert shown in capsys.readouterr().out, words
    assert len(a1.requests) == 3


def test_training_starts_from_a_name_and_its_command_keeps_it(a1, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_birds(tmp_path / "birds", 4, 1)
    words = ["--model", "resnet18", "--weights", "imagenet:a1", "--new-head", "--epochs", "1", "--image-size", "32"]
    cli.main(["train", "pictures", "birds", *words, "--batch-size", "2", "--lr", "1e-9", "--out", "run"])
    assert "run folder: run" in capsys.readouterr().out and len(a1.requests) == 3
    run = gr.network_of_run("run")
    assert "weights=imagenet:a1" in run.config.command().split()
    assert abs(run.params["0.weight"] - gr.read_network("a1", "resnet18")[1]["0.weight"]).max() < 1e-6
    assert PicturesConfig(weights="a.pth").command().endswith(f"weights={tmp_path / 'a.pth'}")
    words = FashionMnistConfig(weights="imagenet").command().split()
    assert words[words.index("--weights") + 1] == "imagenet"


def test_an_experiment_starts_from_a_name_a_file_or_a_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("GLUON_RESNET_REAL_DATA", raising=False)
    (tmp_path / "net.pth").write_text("")
    assert arms._weights("imagenet:a1", "net.pth") == "imagenet:a1"
    assert arms._weights(None, "imagenet") == "imagenet"
    assert arms._weights(str(tmp_path), "net.pth") == arms._weights(str(tmp_path / "net.pth"), "other.pth")
    with pytest.raises(DataError, match="no net.pth in"):
        arms._weights(None, "net.pth")


def test_classes_and_families_that_there_are_no_weights_for(server):
    with pytest.raises(ModelError) as refusal:
        gr.resnet50(num_classes=4, pretrained=True)
    assert str(refusal.value) == (
        "num_classes is 4: the weights imagenet of resnet50@torchvision have 1,000 classes; for others build the "
        "network and take all but the classifier: load_weights(net, 'imagenet', new_head=True)"
    )
    with pytest.raises(
        WeightsError, match="^imagenet: no published weights of resnet50@d2l are known: expected a model of"
    ):
        gr.resnet50("d2l", pretrained=True)
    with pytest.raises(WeightsError, match="^imagenet:a1hh: no tag of resnet50: did you mean a1h"):
        gr.resnet50(pretrained="a1hh")
    with pytest.raises(ModelError, match="unknown family 'kears': did you mean keras?"):
        gr.resnet50("kears", pretrained=True)
    assert gr.resnet50().spec.name == "resnet50@d2l" and gr.resnet50("keras", 4).spec.num_classes == 4
    assert server.requests == []


def test_the_model_zoos_own_file(server, monkeypatch, tmp_path, both_modes):
    theirs = vision.resnet18_v1(classes=1000)
    theirs.initialize(mx.init.Xavier())
    X = array(numpy.random.RandomState(0).randn(1, 3, 64, 64))
    expected = theirs(X).asnumpy()
    theirs.save_parameters(str(tmp_path / "zoo.params"))
    row, content = published.find("imagenet", "resnet18@mxnet"), (tmp_path / "zoo.params").read_bytes()
    server.content = zipped(**{row.file: content})
    publish(monkeypatch, row, server.url, f"sha1:{hashlib.sha1(content).hexdigest()}")
    net = gr.resnet18("mxnet", pretrained=True)
    assert relative_error(net(X).asnumpy(), expected) < 1e-5


@pytest.mark.real
def test_real_weights_by_name_say_what_is_in_a_photograph(server, monkeypatch, tmp_path, capsys):
    """Top-1 is that of the README next to these weights, which another program measured with another filter."""
    real = os.environ.get("GLUON_RESNET_REAL_DATA")
    if not real:
        pytest.skip("GLUON_RESNET_REAL_DATA is not set")
    path, folder = tmp_path / "resnet50.safetensors", Path(real, "weights")
    expand = [sys.executable, str(folder / "expand_weights.py"), str(folder / "pqf_resnet50_large.npz"), str(path)]
    subprocess.run(expand, check=True, stdout=subprocess.DEVNULL)
    server.content, server.cuts = path.read_bytes(), [30_000_000, 30_000_000]
    publish(monkeypatch, published.find("tv", "resnet50"), server.url, f"sha256:{sha256(server.content)[:8]}")
    cli.main(["predict", str(Path(real, "images", "tiger_cat_256.png")), "--weights", "imagenet:tv", "--top", "1"])
    out, err = capsys.readouterr()
    line = next(line for line in out.splitlines() if "tiger cat" in line)
    assert float(line.split()[-1]) == pytest.approx(0.389, abs=0.05) and err.count("; going on") == 2
    assert [request.range for request in server.requests] == [None, "bytes=30000000-", "bytes=60000000-"]
