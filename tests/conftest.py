"""What the tests share. Nothing here or below needs a network; the suite's cache is a folder of its own."""

import contextlib
import ctypes
import gc
import gzip
import hashlib
import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import gluon_resnet  # noqa: F401  before mxnet, as everywhere
from gluon_resnet.data import fashion_mnist, sources  # noqa: E402

import mxnet as mx  # noqa: E402
import numpy  # noqa: E402
import pytest

from tests import quick

ROOT = Path(__file__).resolve().parent.parent
REAL_HOME = sources.home()  # the user's own cache, where the full data may be


def pytest_collection_modifyitems(items):
    """Mark the tests of tests/quick.py."""
    for item in items:
        if quick.is_quick(item, ROOT / "tests"):
            item.add_marker("quick")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config, log):
    """The scheduler of ``--dist loadfile``: see tests/slow_first.py."""
    if config.getoption("dist") == "loadfile":
        from tests.slow_first import SlowFilesFirst

        return SlowFilesFirst(config, log)
    return None


@pytest.fixture(autouse=True, scope="session")
def imported_objects_are_not_looked_at():
    """Half a million objects of the libraries stay until the end: the garbage collector need not look at them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """No test reads or writes the user's caches; mirrors of the tests' own are reached directly."""
    monkeypatch.setenv("GLUON_RESNET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MXNET_HOME", str(tmp_path / "mxnet"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(autouse=True)
def disk_not_waited_for(request, monkeypatch):
    """Only the tests in faults/ wait until the disk has what was written: it takes 10 ms a file."""
    if "faults" not in request.node.path.parts:
        monkeypatch.setattr(os, "fsync", lambda number: None)


@pytest.fixture(autouse=True)
def mxnet_as_found():
    """End in a test what it has begun in mxnet's threads, and ``npx.set_np()``."""
    yield
    with contextlib.suppress(mx.MXNetError):  # of an operator that a test has sent off on purpose
        mx.nd.waitall()
    mx.npx.reset_np()


@pytest.fixture(autouse=True, scope="module")
def memory_given_back():
    """Free what a file's tests have built after the last: networks refer to themselves and stay until Python looks."""
    yield
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture
def plain_curves(monkeypatch):
    """Runs have an empty picture as their curves.png: for tests of many runs that are not about their pictures."""
    from gluon_resnet import figures
    from gluon_resnet.training import curves

    monkeypatch.setattr(curves, "draw_curves", lambda *args, **options: figures.new_figure(1, 1))


@pytest.fixture
def np_mode():
    """``npx.set_np()`` for one test."""
    mx.npx.set_np()
    return mx.np


@pytest.fixture(params=["numpy arrays", "classic arrays"])
def both_modes(request):
    """The test runs twice: under ``npx.set_np()`` and without."""
    if request.param == "numpy arrays":
        mx.npx.set_np()
    return request.param


def array(values, dtype="float32"):
    """``values`` as the array type in force."""
    return (mx.np if mx.util.is_np_array() else mx.nd).array(numpy.asarray(values), dtype=dtype)


def random_array(*shape, seed=0):
    """Normal numbers of ``shape`` as the array type in force."""
    return array(numpy.random.RandomState(seed).randn(*shape))


def there_and_back(net, X):
    """net(X) in training mode, behind the backward pass of the sum of its squares."""
    with mx.autograd.record():
        Y = net(X)
        loss = (Y * Y).sum()
    loss.backward()
    return Y


def both_ways(net, X, weight):
    """[(net(X), the gradient of ``weight``)] as NumPy arrays of a pass there and back: imperative, then hybridized."""
    results = []
    for hybridize in (False, True):
        if hybridize:
            net.hybridize(static_alloc=True, static_shape=True)
        Y = there_and_back(net, X)
        results.append((Y.asnumpy(), weight.grad().asnumpy()))
    return results


def idx(values):
    """The bytes of an idx file of unsigned bytes, by hand."""
    values = numpy.asarray(values, dtype=numpy.uint8)
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def small_arrays(train=640, test=160, seed=7):
    """Pictures that can be learned in seconds: class c lights a 9x9 square of its own on a noisy ground."""
    random = numpy.random.RandomState(seed)

    def part(count):
        labels = numpy.arange(count) % 10
        images = random.randint(0, 60, size=(count, 28, 28))
        for image, label in zip(images, labels):
            row, column = divmod(label, 4)
            image[row * 9 : row * 9 + 9, column * 7 : column * 7 + 7] += 150
        return images.astype(numpy.uint8), labels.astype(numpy.uint8)

    return part(train), part(test)


def write_idx_folder(folder, arrays, gzipped=False):
    """The four idx files of ``arrays`` in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, (images, labels) in zip(("train", "t10k"), arrays):
        for kind, values in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            name, content = f"{prefix}-{kind}", idx(values)
            if gzipped:
                name, content = name + ".gz", gzip.compress(content, mtime=0)
            (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def small_folder(tmp_path):
    """A folder of four small idx files, not Fashion-MNIST's own."""
    return write_idx_folder(tmp_path / "small", small_arrays())


@pytest.fixture
def small_is_published(monkeypatch):
    """As if the small files were the published ones: their sizes and SHA-256 are in the table. Mirrors: none."""
    files = []
    for prefix, (images, labels) in zip(("train", "t10k"), small_arrays()):
        for kind, values in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            content = idx(values)
            files.append(sources.DataFile(f"{prefix}-{kind}", len(content), hashlib.sha256(content).hexdigest()))
    table = sources.DataSet(
        "Fashion-MNIST", "fashion-mnist", tuple(files), (), "dataset-fashion-mnist", "/nowhere/fashion-mnist"
    )
    monkeypatch.setattr(fashion_mnist, "FASHION_MNIST", table)
    return table


class CommandLine:
    """``run_cli("shapes", "resnet18")`` runs the command line in this process; ``run_cli.process`` in one of its own.

    Both give a finished process. The first saves the two seconds that importing mxnet takes; the second is for what
    depends on a fresh process, such as threads, signals and the environment.
    """

    def __call__(self, *args, cwd=None):
        from gluon_resnet import cli

        before, numpy_arrays = os.getcwd(), mx.util.is_np_array()
        os.chdir(cwd or before)
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
        status = 0
        fresh_names = mx.name.NameManager()  # layers are numbered from 0, as in a process of its own
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]), fresh_names:
            try:
                cli.main([str(arg) for arg in args])
            except SystemExit as ended:
                status = ended.code or 0
            finally:
                os.chdir(before)
        (mx.npx.set_np if numpy_arrays else mx.npx.reset_np)()  # as it was: a command may switch it
        out, err = (stream.buffer.getvalue().decode() for stream in streams)
        return subprocess.CompletedProcess(args, status, out, err)

    def process(self, *args, env=None, **options):
        environ = {**os.environ, **(env or {})}
        return subprocess.run(
            [sys.executable, "-m", "gluon_resnet", *map(str, args)],
            text=True,
            env=environ,
            capture_output=True,
            timeout=300,
            **options,
        )


@pytest.fixture
def run_cli():
    """The command line: see :class:`CommandLine`."""
    return CommandLine()


def with_onednn_log(code, *words):
    """What Python ``code``, run with the arguments ``words`` in a process of its own, and oneDNN's log printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "DNNL_VERBOSE": "1"},
    )
    return done.stdout


def one_line_error(process):
    """The single line that a failed command printed; the test fails if it was not one line and exit status 2."""
    assert process.returncode == 2, (process.returncode, process.stdout, process.stderr)
    lines = [line for line in process.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("gluon-resnet: "), process.stderr
    assert "Traceback" not in process.stderr
    return lines[0]


@pytest.fixture
def refusal(capsys):
    """``refusal("train", "pictures", ...)``: the single line of a command that fails in this process."""
    from gluon_resnet import cli

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(arg) for arg in args])
        printed = capsys.readouterr()
        lines = printed.err.splitlines()
        assert ended.value.code == 2 and len(lines) == 1 and lines[0].startswith("gluon-resnet: "), lines
        assert printed.out == "" and "Traceback" not in lines[0]
        return lines[0]

    return run


def trainable(net):
    """Number of trainable parameters of an initialized network."""
    return sum(int(numpy.prod(param.shape)) for param in net.collect_params().values() if param.grad_req != "null")


class Tty(io.StringIO):
    """What is written to a terminal."""

    def isatty(self):
        return True


def relative_error(found, expected):
    """Largest difference relative to the largest expected value."""
    found, expected = (numpy.asarray(value, dtype=numpy.float64) for value in (found, expected))
    return abs(found - expected).max() / abs(expected).max()
