"""Finding, fetching and verifying, against a mirror on loopback and a stand-in for apt-get; no network."""

import contextlib
import gzip
import http.server
import os
import stat
import threading

from gluon_resnet.data import fashion_mnist, fetch, sources
from gluon_resnet.errors import DataError

import pytest

from tests.conftest import Tty, idx, small_arrays, write_idx_folder


@pytest.fixture
def table(small_is_published):
    return small_is_published


def with_mirrors(table, *mirrors):
    return sources.DataSet(**{**vars(table), "mirrors": mirrors})


@pytest.fixture
def mirror(tmp_path):
    """A folder served over HTTP on loopback: (folder, URL, list of paths asked for)."""
    folder, asked = tmp_path / "mirror", []
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_apt(monkeypatch):
    monkeypatch.setattr(fetch.shutil, "which", lambda program: None)


@pytest.mark.parametrize("gzipped", [False, True])
def test_a_given_folder(table, tmp_path, gzipped):
    folder = write_idx_folder(tmp_path / "given", small_arrays(), gzipped)
    what, where, contents = fetch.load(table, folder)
    assert (what, where) == ("the folder given", folder)
    assert contents["t10k-labels-idx1-ubyte"][1] == idx(small_arrays()[1][1])


def test_places_are_looked_at_in_turn(table, tmp_path, monkeypatch):
    places = [
        ("the suite's cache", sources.home() / "fashion-mnist"),
        ("mxnet's cache", tmp_path / "mxnet" / "datasets" / "fashion-mnist"),
        ("Debian's dataset-fashion-mnist", tmp_path / "usr"),
    ]
    table = sources.DataSet(**{**vars(table), "debian_folder": str(tmp_path / "usr")})
    for what, folder in reversed(places):
        write_idx_folder(folder, small_arrays(), gzipped=True)
        assert fetch.load(table)[:2] == (what, folder)


def test_a_damaged_cache_is_passed_over_and_said(table, tmp_path):
    cache = write_idx_folder(sources.home() / "fashion-mnist", small_arrays())
    good = write_idx_folder(tmp_path / "mxnet" / "datasets" / "fashion-mnist", small_arrays())
    path = cache / "train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    said = []
    assert fetch.load(table, say=said.append)[1] == good
    assert len(said) == 1 and "passing over the suite's cache" in said[0] and "wrong SHA-256" in said[0]


def test_download_from_a_mirror(table, mirror):
    folder, url, asked = mirror
    write_idx_folder(folder, small_arrays(), gzipped=True)
    table, said = with_mirrors(table, url), []
    terminal = Tty()
    with contextlib.redirect_stderr(terminal):
        what, where, contents = fetch.load(table, say=said.append)
    assert (what, where) == ("download (mirrors)", sources.home() / "fashion-mnist")
    assert len(asked) == len(said) == 4 and all(line.startswith("fetched ") for line in said)
    assert sorted(os.listdir(where)) == sorted(file.name for file in table.files)
    assert "B/s" in terminal.getvalue()  # the progress bar
    assert fetch.load(table, say=said.append)[0] == "the suite's cache" and len(asked) == 4


def test_only_the_damaged_file_is_fetched_again(table, mirror):
    folder, url, asked = mirror
    write_idx_folder(folder, small_arrays(), gzipped=True)
    cache = write_idx_folder(sources.home() / "fashion-mnist", small_arrays())
    (cache / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
    fetch.load(with_mirrors(table, url), say=lambda line: None)
    assert [path.split()[0] for path in asked] == ["/t10k-labels-idx1-ubyte.gz"]


def test_the_second_mirror_helps_out(table, mirror):
    folder, url, asked = mirror
    write_idx_folder(folder, small_arrays(), gzipped=True)
    dead = "http://127.0.0.1:9"  # discard: nothing listens
    assert fetch.load(with_mirrors(table, dead, url + "/none", url), say=lambda line: None)[0] == "download (mirrors)"


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda content: gzip.compress(b"\x01" + gzip.decompress(content)[1:]), "found .* with"),
        (lambda content: content[: len(content) // 2], "found .* with"),
        (lambda content: gzip.compress(gzip.decompress(content) + b"more"), "more than the"),
        (lambda content: b"<html>moved</html>", "not a gzip file"),
        (None, "HTTP 404"),
    ],
)
def test_a_bad_download_leaves_nothing_behind(table, mirror, no_apt, damage, words):
    folder, url, _ = mirror
    write_idx_folder(folder, small_arrays(), gzipped=True)
    path = folder / "train-images-idx3-ubyte.gz"
    content = path.read_bytes()
    path.unlink() if damage is None else path.write_bytes(damage(content))
    with pytest.raises(DataError, match=words) as caught:
        fetch.load(with_mirrors(table, url), say=lambda line: None)
    assert "\n" not in str(caught.value) and "--data" in str(caught.value)
    assert os.listdir(sources.home() / "fashion-mnist") == []


def test_no_network_and_no_apt(table, no_apt):
    with pytest.raises(DataError) as caught:
        fetch.load(with_mirrors(table, "http://127.0.0.1:9"), say=lambda line: None)
    message = str(caught.value)
    for word in (
        "127.0.0.1:9: ConnectionError",
        "no apt-get",
        "apt-get install dataset-fashion-mnist",
        "--data",
        "train-images-idx3-ubyte",
    ):
        assert word in message
    assert "\n" not in message


def stand_in(folder, name, script):
    """A program ``name`` in ``folder`` that runs a shell script."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def apt(tmp_path, monkeypatch):
    """Stand-ins for apt-get and dpkg-deb; gives the folder that "the package" unpacks."""
    programs, tree = tmp_path / "programs", tmp_path / "package"
    stand_in(programs, "apt-get", 'case "$*" in *download*) touch dataset-fashion-mnist_1_all.deb ;; esac\n')
    stand_in(programs, "dpkg-deb", f'mkdir -p "$3" && cp -r {tree}/. "$3"\n')
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return tree


def test_debians_package_without_root(table, apt):
    write_idx_folder(apt / "nowhere" / "fashion-mnist", small_arrays(), gzipped=True)
    what, where, _ = fetch.load(table, say=lambda line: None)
    assert (what, where) == ("download (apt-get)", sources.home() / "fashion-mnist")
    assert sorted(os.listdir(where)) == sorted(file.name for file in table.files)


def test_apt_without_lists_makes_its_own(table, apt, tmp_path):
    write_idx_folder(apt / "nowhere" / "fashion-mnist", small_arrays(), gzipped=True)
    log = tmp_path / "log"
    stand_in(
        tmp_path / "programs",
        "apt-get",
        f'echo "$*" >> {log}\ncase "$*" in download*) echo "E: Unable to locate package" >&2; exit 100 ;;\n'
        "*download*) touch dataset-fashion-mnist_1_all.deb ;; esac\n",
    )
    assert fetch.load(table, say=lambda line: None)[0] == "download (apt-get)"
    calls = log.read_text().splitlines()
    assert calls[0] == "download dataset-fashion-mnist" and calls[1].endswith(" update")
    assert "Dir::State::Lists" in calls[2]


def test_an_apt_that_fails_is_quoted(table, apt, tmp_path):
    stand_in(tmp_path / "programs", "apt-get", 'echo "E: Could not resolve the host" >&2; exit 100\n')
    with pytest.raises(DataError, match="apt-get.*E: Could not resolve the host"):
        fetch.load(table, say=lambda line: None)


def test_a_package_with_other_bytes_is_refused(table, apt):
    write_idx_folder(apt / "nowhere" / "fashion-mnist", small_arrays(seed=8), gzipped=True)
    with pytest.raises(DataError, match="train-images-idx3-ubyte: expected .* with SHA-256"):
        fetch.load(table, say=lambda line: None)
    assert os.listdir(sources.home() / "fashion-mnist") == []


def test_a_cache_that_cannot_be_made(table, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GLUON_RESNET_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(DataError, match="cannot be made.*GLUON_RESNET_HOME"):
        fetch.load(table, say=lambda line: None)


def test_the_published_table():
    """facts.md's sizes; SHA-256 sums are 64 hexadecimal digits, all different; mirrors speak HTTPS."""
    files = fashion_mnist.FASHION_MNIST.files
    assert [file.size for file in files] == [47_040_016, 60_008, 7_840_016, 10_008]
    assert len({file.sha256 for file in files}) == 4 and all(len(bytes.fromhex(file.sha256)) == 32 for file in files)
    assert all(mirror.startswith("https://") for mirror in fashion_mnist.FASHION_MNIST.mirrors)
