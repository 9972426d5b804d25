"""Chapters played from the command line, in a kernel of their own."""

import re
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from gluon_resnet.errors import DataError
from gluon_resnet.play import budget, formats, runner, sources

import nbformat
import pytest

from tests.play.test_formats import code, notebook

FIRST = (
    "!pip install d2l==0.14.3\n%matplotlib inline\nfrom d2l import mxnet as d2l\n"
    "from mxnet import gluon, init, np, npx\nnpx.set_np()"
)


@pytest.fixture
def small_data(small_folder, monkeypatch):
    monkeypatch.setenv("GLUON_RESNET_DATA_FASHION_MNIST", str(small_folder))


class KeptKernel(runner._Kernel):
    """A kernel that goes on after a chapter."""

    def close(self):
        pass

    def end(self):
        super().close()


@pytest.fixture(scope="module")
def kept_kernel(tmp_path_factory):
    """A kernel for several chapters: starting one takes two seconds."""
    folder = tmp_path_factory.mktemp("kernel")
    kernel = KeptKernel(folder, folder)
    yield kernel
    kernel.end()


@pytest.fixture
def shared_kernel(kept_kernel, monkeypatch):
    """The chapters of a test are played in ``kept_kernel``: for tests that are not about a fresh kernel."""
    kept_kernel.notebook.cells.clear()
    monkeypatch.setattr(runner, "_Kernel", lambda folder, scratch: kept_kernel)


def played(run_cli, path, *options):
    """(the finished command, the executed notebook, the page) of ``play PATH``."""
    process = run_cli("play", path, "--out", path.parent / "out", *options)
    stem = path.parent / "out" / path.stem
    assert stem.with_suffix(".ipynb").is_file(), process.stderr
    return process, nbformat.read(stem.with_suffix(".ipynb"), as_version=4), stem.with_suffix(".html").read_text()


def code_cells(content):
    return [cell for cell in content.cells if cell.cell_type == "code"]


def test_a_chapter_from_end_to_end(tmp_path, small_data, run_cli):
    loop = (
        "num_epochs, batch_size = 10, 64\n"
        "net = gluon.nn.Sequential()\n"
        "net.add(gluon.nn.Dense(10))\n"
        "net.initialize(init.Normal(sigma=0.01), ctx=npx.gpu())\n"
        "train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size)\n"
        "trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1})\n"
        "d2l.train_ch3(net, train_iter, test_iter, gluon.loss.SoftmaxCrossEntropyLoss(), num_epochs, trainer)"
    )
    own = (
        "count = 0\nfor epoch in range(7):\n    for i, (X, y) in enumerate(test_iter):\n"
        "        if (i + 1) % (len(test_iter) // 5) == 0:\n            count += 1\n"
        "def steps(lr, max_epochs):\n    'Words.'\n    return max_epochs, steps.__doc__\n"
        "assert steps(0.1, 500) == (2, 'Words.')\ntest_acc = 0\nassert test_acc > 0.7, test_acc\n"
        "print('<script>', count, epoch)"
    )
    path = notebook(
        tmp_path / "a.ipynb", code(FIRST), code("np.ones((2, 3)).shape", "(2, 3)"), code(loop), code(own, "x 1 1")
    )
    process, content, page = played(run_cli, path, "--epochs", 2)
    assert process.returncode == 0, process.stderr
    for mend in (
        "skipped: !pip install d2l==0.14.3",
        "gpu(0) asked for, no GPU here: cpu(0) used",
        "d2l.train_ch3: in gluonbook 0.6 to 0.8; d2lzh 1.0; d2l 0.8 to 0.17",
        "10 epochs: 2 run",
        "7 epochs: 2 run",
        "500 epochs: 2 run",
        "with fewer than 5 batches, num_batches // 5 is 0: 1 used",
        "an assertion of test_acc does not hold after so little training, and is let pass",
    ):
        assert f"mended: {mend}" in process.stdout
        assert mend.replace("<", "&lt;").replace(">", "&gt;") in page
    cells = code_cells(content)
    assert cells[0].source == FIRST and cells[1].outputs[0]["data"]["text/plain"] == "(2, 3)"
    assert any("image/svg+xml" in output.get("data", {}) for output in cells[2].outputs)
    assert cells[3].outputs[-1]["text"] == "<script> 6 1\n"  # 160 test images are 3 batches, of which all count
    assert "<script" not in page and "&lt;script&gt; 6 1" in page and "data:image/svg+xml;base64," in page
    assert not re.search(r"(?:src|href)=[\"']https?:", page)
    assert "2 printed values: 1 same, 0 differ, 1 not judged" in process.stdout


def fails_in_one_line(run_cli, path, source, status, words, *options):
    """Play ``source`` between two cells: how the command, the notebook and the page tell that it failed."""
    notebook(path, code("from d2l import mxnet as d2l"), code(source), code("print('not run')"))
    process, content, page = played(run_cli, path, *options)
    (line,) = [line for line in process.stderr.splitlines() if line.startswith("gluon-resnet: ")]
    assert process.returncode == status and words in f"{line}\n" and line.startswith(f"gluon-resnet: {path}:")
    assert "failed after 1 of 3 cells" in process.stdout and not code_cells(content)[2].outputs
    assert "failed after 1 of 3 cells" in page and "not run" in page
    return line


@pytest.mark.parametrize(
    "source, status, words",
    [
        ("x = 1\n1 / 0", 1, "cell 2: ZeroDivisionError: division by zero"),
        ("d2l.train_rnn_ch9", 2, "cell 2: AttributeError: d2l has no 'train_rnn_ch9' (in no release); did you mean"),
        ("from d2l import train_ch_6", 2, "d2l has no 'train_ch_6' (in no release); did you mean train_ch6?"),
        ("import mxnet as mx\nmx.nd.ones(3).reshape((2, 2))", 1, "cell 2: MXNetError: NDArray.Reshape: Check"),
        ("print 'x'", 1, "cell 2: SyntaxError: Missing parentheses in call to 'print'. Did you mean print("),
    ],
)
def test_a_cell_that_fails_is_one_line(tmp_path, shared_kernel, run_cli, source, status, words):
    path = tmp_path / "a.ipynb"
    line = fails_in_one_line(run_cli, path, source, status, words)
    if "Zero" in words:
        number = int(re.match(r"gluon-resnet: .*?:(\d+): cell", line)[1])
        assert "x = 1" in path.read_text().splitlines()[number - 2]


@pytest.mark.parametrize(
    "source, status, words, options",
    [
        ("import time\ntime.sleep(60)", 2, "cell 2: still running after 3 s", ["--cell-timeout", "3s"]),
        ("import os\nos._exit(1)", 1, "cell 2: the kernel died", []),
    ],
)
def test_a_cell_that_never_ends_or_ends_the_kernel_is_one_line(tmp_path, run_cli, source, status, words, options):
    fails_in_one_line(run_cli, tmp_path / "a.ipynb", source, status, words, *options)


def test_a_cell_that_is_tagged_may_fail_and_a_script_has_its_own_arguments(tmp_path, shared_kernel, run_cli):
    source = "import argparse\nprint(argparse.ArgumentParser().parse_args())"
    path = notebook(tmp_path / "a.ipynb", code("1 / 0", tags=["raises-exception"]), code(source))
    process, content, page = played(run_cli, path)
    assert process.returncode == 0 and "all 2 cells ran" in process.stdout
    assert "ZeroDivisionError" in page and code_cells(content)[1].outputs[0]["text"] == "Namespace()\n"


def test_the_first_editions_cells_in_tiny_mode(tmp_path, small_data, run_cli):
    path = tmp_path / "v1.md"
    path.write_text(
        "```{.python .input}\nimport d2lzh as d2l\nfrom mxnet import gluon, init, nd\nfrom mxnet.gluon import nn\n```\n"
        "```{.python .input}\nbatch_size, num_epochs, ctx = 256, 5, d2l.try_gpu()\n"
        "train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size)\nnet = nn.Sequential()\n"
        "net.add(nn.Conv2D(4, 3), d2l.Residual(4), nn.Dense(10))\n"
        "net.initialize(force_reinit=True, ctx=ctx, init=init.Xavier())\n"
        "trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1})\n"
        "d2l.train_ch5(net, train_iter, test_iter, batch_size, trainer, ctx, num_epochs)\n```\n"
        "```{.python .input}\ndata = gluon.data.vision.FashionMNIST(train=True)\n"
        "print(len(data), len(gluon.data.DataLoader(data, batch_size=batch_size)))\n"
        "own = gluon.data.ArrayDataset(nd.arange(900))\n"
        "print(len(list(gluon.data.DataLoader(own, 8, shuffle=True))), len(gluon.data.DataLoader(own, 8)))\n```\n"
    )
    process, content, _ = played(run_cli, path, "--tiny")
    assert process.returncode == 0, process.stderr
    text = "".join(output.get("text", "") for output in code_cells(content)[1].outputs)
    assert code_cells(content)[2].outputs[0]["text"] == "80 5\n10 113\n"
    assert re.fullmatch(r"training on cpu\(0\)\nepoch 1, loss \S+, train acc \S+, test acc \S+, time \S+ sec\n", text)
    assert (
        "Sequential: run as one compiled graph" in process.stdout
        and "batches of 256 examples: 16 used" in process.stdout
    )


def test_modules_that_only_the_author_had(tmp_path, small_data, run_cli):
    source = (
        "from google.colab import drive, files\ndrive.mount('/content/drive')\n"
        "import sys\nsys.path.append('..')\nimport utils\nfrom utils import SGD\nfrom mxnet import nd\n"
        "data, _ = utils.load_data_fashion_mnist(batch_size=32)\nprint(len(data), files.upload())"
    )
    process, content, _ = played(run_cli, notebook(tmp_path / "a.ipynb", code(source)))
    assert process.returncode == 0 and code_cells(content)[0].outputs[0]["text"] == "20 {}\n"
    assert "mended: utils: the file of functions that the drafts of the Chinese first edition" in process.stdout
    assert "mended: google.colab.drive.mount() does nothing: this is not Google Colab" in process.stdout
    own = notebook(tmp_path / "b.ipynb", code("import mxnet, utils\nutils.plot()"), code("from google.colab import x"))
    assert formats.read(own).stand_ins == ["google.colab"]  # another file of this name is not restored


HOUSES = "import mxnet, pandas\nprint(len(pandas.read_csv('../data/kaggle_house_pred_train.csv')))"


def test_a_data_file_that_is_not_next_to_a_chapter_is_named(tmp_path, shared_kernel, run_cli):
    process, _, _ = played(run_cli, notebook(tmp_path / "a.ipynb", code(HOUSES)))
    assert (
        process.returncode == 1
        and ("cell 1: DataError: house prices: no ../data/kaggle_house_pred_train.csv; name a folder with *train.csv")
        in process.stderr
    )


def test_a_data_file_that_a_chapter_expects_next_to_itself(tmp_path, monkeypatch, run_cli):
    path = notebook(tmp_path / "a.ipynb", code(HOUSES))
    (tmp_path / "kaggle").mkdir()
    for name in ("train.csv", "test.csv"):
        (tmp_path / "kaggle" / name).write_text("Id,SalePrice\n1,2\n3,4\n")
    monkeypatch.setenv("GLUON_RESNET_DATA_HOUSE_PRICES", str(tmp_path / "kaggle"))
    process, content, _ = played(run_cli, path)
    assert process.returncode == 0 and code_cells(content)[0].outputs[0]["text"] == "2\n"
    assert "mended: kaggle_house_pred_train.csv: from GLUON_RESNET_DATA_HOUSE_PRICES" in process.stdout


def test_strict_mends_nothing(tmp_path, run_cli):
    source = (
        "import builtins, sys\n"
        "print(hasattr(builtins, 'tab'), any('gluon_resnet.play' in str(type(one)) for one in sys.meta_path))"
    )
    process, content, page = played(run_cli, notebook(tmp_path / "a.ipynb", code(source)), "--strict")
    assert process.returncode == 0 and code_cells(content)[0].outputs[0]["text"] == "False False\n"
    assert "the cells were run as they are" in page


def test_ctrl_c_keeps_what_there_is(tmp_path):
    mark = tmp_path / "mark"
    source = f"open({str(mark)!r}, 'w').close()\nimport time\ntime.sleep(120)"
    path = notebook(tmp_path / "a.ipynb", code("print('first')"), code(source), code("print('last')"))
    command = [sys.executable, "-m", "gluon_resnet", "play", str(path), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "stopped by Ctrl-C after 1 of 3 cells" in out and "Traceback" not in err
    cells = code_cells(nbformat.read(tmp_path / "out" / "a.ipynb", as_version=4))
    assert cells[0].outputs[0]["text"] == "first\n" and not cells[2].outputs


def test_show_cells_runs_nothing(tmp_path, run_cli):
    path = tmp_path / "a.txt"
    path.write_text("Words.\n\nfrom mxnet import np\nx = [1, 2]\nlen(x)\n2\n")
    process = run_cli("play", path, "--show-cells")
    assert process.returncode == 0 and not (tmp_path / "played").exists()
    assert process.stdout == f"{path}:3: cell 1\n    from mxnet import np\n    x = [1, 2]\n    len(x)\n  > 2\n"


def test_what_a_user_can_mistype(tmp_path, refusal):
    (tmp_path / "a.ipynb").write_text("{")
    (tmp_path / "empty").mkdir()
    good = notebook(tmp_path / "good.ipynb", code("import mxnet"))
    assert "a.ipynb/x: cannot be made (Not a directory); expected a folder" in refusal(
        "play", good, "--out", tmp_path / "a.ipynb" / "x"
    )
    assert "not a notebook" in refusal("play", tmp_path / "a.ipynb")
    assert "no such file or folder" in refusal("play", tmp_path / "b.ipynb")
    assert "no chapter in this folder" in refusal("play", tmp_path / "empty")
    assert "--budget soon: expected a time" in refusal("play", tmp_path / "a.ipynb", "--budget", "soon")
    assert "--cell-timeout 0s: expected more than 0 s" in refusal("play", tmp_path / "a.ipynb", "--cell-timeout", "0s")
    assert "--strict runs everything" in refusal("play", tmp_path / "a.ipynb", "--strict", "--tiny")


# Sources --------------------------------------------------------------------------------------------------------------


def test_a_folders_chapters_and_names(tmp_path):
    for name in ("b/x.md", "a/x.md", ".hidden/x.md", "a/note.rst", "c.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert [one.stem for one in sources.find([str(tmp_path)], tmp_path)] == ["a-x", "b-x", "c"]
    files = [str(tmp_path / "a" / "x.md"), str(tmp_path / "b" / "x.md")]
    assert [one.stem for one in sources.find(files, tmp_path)] == ["x", "x-2"]


def test_an_address(tmp_path):
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "a b.md").write_text("text")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "host"))
    host = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=host.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{host.server_port}"
    try:
        (source,) = sources.find([f"{address}/a%20b.md?raw=1"], tmp_path / "new")
        assert source.path.read_text() == "text" and source.stem == "a b"
        with pytest.raises(DataError, match=r"nothing.md: cannot be fetched .HTTP 404.; expected a chapter"):
            sources.find([f"{address}/nothing.md"], tmp_path / "new")
    finally:
        host.shutdown()
        host.server_close()
    with pytest.raises(DataError, match="cannot be fetched .ConnectionError."):
        sources.find([f"{address}/a%20b.md"], tmp_path / "new")
    with pytest.raises(DataError, match="not the address of a chapter"):
        sources.find([f"{address}/a.html"], tmp_path / "new")
    assert sources.raw_address("https://github.com/o/r/blob/main/a/b.ipynb").endswith(".com/o/r/main/a/b.ipynb")


# Budget ---------------------------------------------------------------------------------------------------------------

TRAINING = budget.Pass(epochs=10, images=60_000, batch_size=250, step=0.5, test=0.1, tests=10_000)


def test_the_arithmetic_of_a_budget_by_hand():
    # an epoch is 240 steps of 0.5 s and 40 tests of 0.1 s
    assert budget.predicted(20, [TRAINING]) == pytest.approx(20 + 10 * 124)
    assert budget.predicted(20, [TRAINING], epochs=3) == pytest.approx(20 + 3 * 124)
    assert budget.choose(20, [TRAINING], 1261) == ({}, pytest.approx(1260))
    assert budget.choose(20, [TRAINING], 400) == ({"epochs": 3}, pytest.approx(392))
    limits, seconds = budget.choose(20, [TRAINING], 82)
    assert limits == {"epochs": 1, "examples": 30_000, "test_examples": 5_000} and seconds == pytest.approx(82)
    with pytest.raises(budget.TooShort, match="takes about 23 s with one epoch of five batches"):
        budget.choose(20, [TRAINING], 22)


def test_the_first_pass_measures_every_training(tmp_path, small_data):
    source = (
        "from mxnet import np, npx, gluon\nnpx.set_np()\nfrom d2l import mxnet as d2l\n"
        "train_iter, test_iter = d2l.load_data_fashion_mnist(32)\nnet = gluon.nn.Sequential()\n"
        "net.add(gluon.nn.Dense(10))\nd2l.train_ch6(net, train_iter, test_iter, num_epochs=40, lr=0.1)\n"
        "loss = gluon.loss.SoftmaxCrossEntropyLoss()\n"
        "trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1})\n"
        "d2l.train_ch3(net, train_iter, test_iter, loss, 7, trainer)"
    )
    chapter = formats.read(notebook(tmp_path / "a.ipynb", code(source)))
    first = runner.play(chapter, runner.Settings(limits=budget.LEAST, measure=True))
    assert first.failure is None
    passes = [budget.Pass(**one) for one in first.passes]
    assert [(one.epochs, one.images, one.tests, one.batch_size) for one in passes] == [
        (40, 640, 160, 32),
        (7, 640, 160, 32),
    ]
    assert all(one.step > 0 and one.test > 0 and one.epoch > 0 for one in passes)
    assert sum(one.step * 5 * 2 for one in passes) < first.seconds


def test_a_budget_shortens_and_says_so(tmp_path, monkeypatch):
    chapter = formats.read(notebook(tmp_path / "a.ipynb", code("from mxnet import np")))
    given = []

    def play(chapter, settings, tell):
        given.append(settings.limits)
        # 4 s besides two epochs of five batches of 2 s and five tests of 0.5 s
        return runner.Played(chapter, settings, [], 29.0, passes=[vars(MEASURED)] if settings.measure else [])

    monkeypatch.setattr(runner, "play", play)
    # an epoch of all 100 batches, with 20 tests, takes 210 s: it does not fit into 0.9 of 200 s
    result = budget.play(chapter, runner.Settings(), 200.0)
    assert given == [budget.LEAST, {"epochs": 1, "examples": 8_300, "test_examples": 1_660}]
    assert result.shortening == (
        "Shortened to a budget of 200 s: 1 of 10 epochs, 8,300 of 10,000 training images (predicted 178 s), so losses "
        "and accuracies are not the book's."
    )
    assert budget.play(chapter, runner.Settings(), 2400.0).shortening == ""
    assert "3 of 10 epochs (predicted 634 s)" in budget.play(chapter, runner.Settings(), 720.0).shortening
    # one epoch of five batches takes 4 + 10 + 2.5 s, more than 0.9 of 17 s: the first pass is the result
    del given[:]
    said = budget.play(chapter, runner.Settings(), 17).shortening
    assert given == [budget.LEAST] and said.startswith("Shortened to a budget of 17 s: two epochs of five batches, the")
    assert "which took 0 s (1m is enough for a second)" in said


MEASURED = budget.Pass(epochs=10, images=10_000, batch_size=100, step=2.0, test=0.5, tests=2_000)


def test_a_chapter_on_two_gpus_has_two_devices(tmp_path, run_cli):
    source = (
        "from mxnet import np, npx\nnpx.set_np()\nfrom d2l import mxnet as d2l\n"
        "devices = [d2l.try_gpu(i) for i in range(2)]\nprint(devices == d2l.try_all_gpus(), devices)\n"
        "y_hat, y = np.array([[0.1, 0.9]]), np.array([1.0])\nprint((y_hat.argmax(axis=1) == y).sum())\n"
        "X = np.arange(3)\nX = np.random.shuffle(X)\nassert sorted(X.tolist()) == [0, 1, 2]\n"
        "import mxnet as mx\nfound = []\ntry:\n    for i in range(16):\n        np.zeros(1, ctx=mx.gpu(i))\n"
        "        found.append(i)\nexcept mx.MXNetError:\n    print(found, npx.gpu(3))"
    )
    process, content, _ = played(run_cli, notebook(tmp_path / "a.ipynb", code(source)))
    assert code_cells(content)[0].outputs[0]["text"] == "True [cpu(0), cpu(1)]\n1\n[0, 1] cpu(3)\n"
    assert "mended: 2 GPUs asked for, none here" in process.stdout and "arrays of int64 and float32" in process.stdout
