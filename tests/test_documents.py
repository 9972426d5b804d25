"""README and its like hold: every command and every piece of code in them is run here, on small stand-ins for the data.

What takes long as it stands is run smaller (SMALLER) or goes through the command line's own parser (PARSED), so that an
unknown option fails. A command that there is no way to run fails, too. The examples of CONTRIBUTING.md: test_contributing.py.
"""
import ast
import os
import pickle
import re
import shlex
import shutil
import subprocess

import click
import mxnet as mx
import numpy
import pytest
import yaml
from PIL import Image

import gluon_resnet as gr
from gluon_resnet import cli, export
from gluon_resnet.data import fashion_mnist, sources
from gluon_resnet.families import ROWS
from gluon_resnet.images import PREPARATIONS
from gluon_resnet.lab import experiment, published
from gluon_resnet.layout import layout
from tests.conftest import ROOT, idx, small_arrays, write_idx_folder
from tests.documents import Command, blocks, codes, commands, is_command, links
from tests.test_pickles import Runs, as_zip

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "experiments" / "README.md"]
BLOCKS = [block for path in DOCUMENTS for block in blocks(path)]
#: headings of examples that change the package; test_contributing.py follows them in a copy
EXAMPLES = ("Add a network", "Add a family", "Add an experiment", "Add a chapter")
IN_PLACE = [block for block in BLOCKS if block.heading not in EXAMPLES]

#: what a command gets behind it to take seconds: the last value given counts
SMALLER = {"train fashion-mnist": ["--epochs", "1"], "train pictures": ["--image-size", "32", "--epochs", "1"],
           "microscope": ["--size", "64"]}
#: commands that are only parsed: minutes or hours even when they are made small
PARSED = ("bench", "run", "reproduce")
#: commands whose output is compared to the last digit; that of others holds measured figures
EXACT = ("shapes", "summary", "reconcile", "table1")
#: what stands in a document for a file or folder of the reader's
PLACEHOLDERS = {"FILE": "resnet50.safetensors", "DIR": "bird_photos", "RUN": "runs/..."}
#: what marks a part of a name that is the reader's to fill in
OPEN = re.compile("NAME|NN-")
SPECIES = ("Red_headed_Woodpecker", "Rufous_Hummingbird", "Scarlet_Tanager", "Western_Grebe")


@pytest.fixture
def small_fashion_mnist(monkeypatch, tmp_path):
    """As if 20 and 10 drawn pictures were Fashion-MNIST, and in the suite's cache."""
    arrays = small_arrays(20, 10)
    folder = write_idx_folder(tmp_path / "home" / "fashion-mnist", arrays)
    files = [sources.DataFile(path.name, path.stat().st_size, sources.hashlib.sha256(path.read_bytes()).hexdigest())
             for path in sorted(folder.iterdir())]
    table = sources.DataSet("Fashion-MNIST", "fashion-mnist", tuple(files), (), "dataset-fashion-mnist", "/nowhere")
    monkeypatch.setattr(fashion_mnist, "FASHION_MNIST", table)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What takes a while to make: weights of a ResNet-50 at random, and a finished run."""
    folder = tmp_path_factory.mktemp("made")
    net = gr.get_model("resnet50@torchvision")
    net.initialize(mx.init.Xavier())
    net(mx.nd.zeros((1, 3, 32, 32)))
    export.export(net, folder / "resnet50.safetensors")
    data = write_idx_folder(folder / "data", small_arrays(40, 20))
    cli.cli.main(["train", "fashion-mnist", "--model", "resnet8@narrow", "--no-resize", "--epochs", "1", "--data", str(data),
                  "--unverified", "--out", str(folder / "run")], standalone_mode=False)
    mx.npx.reset_np()
    return folder


def draw(path, seed):
    """A noisy picture with a colour of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = numpy.random.RandomState(seed)
    image = random.randint(0, 80, (48, 40, 3)) + random.randint(0, 160, 3)
    Image.fromarray(image.astype("uint8")).save(path)


@pytest.fixture
def reader(made, small_fashion_mnist, tmp_path, monkeypatch, capsys):
    """Somebody who types commands in a folder with all the files that the documents name."""
    folder = tmp_path / "work"
    for number, name in enumerate(SPECIES):
        for i in range(6):
            draw(folder / "bird_photos" / name / f"{i}.jpg", 10 * number + i)
    for seed, name in enumerate(("photo.jpg", "cat.png", "tiger_cat_256.png", "samoyed_1546.jpg")):
        draw(folder / name, 100 + seed)
    (folder / "resnet50.safetensors").symlink_to(made / "resnet50.safetensors")
    (folder / "malicious.pth").write_bytes(as_zip(pickle.dumps(Runs(os.system, "false"), protocol=2)))
    shutil.copytree(str(made / "run"), str(folder / "runs" / "20261122-030010-resnet8@narrow-fashion-mnist"))
    (folder / "chapter.txt").write_text("conv0 output shape:\t (1, 32, 14, 14)\nloss 0.010, train acc 0.998, test acc 0.907\n")
    (folder / "experiments").mkdir()
    shutil.copy(str(ROOT / "experiments" / "README.md"), str(folder / "experiments"))
    monkeypatch.chdir(folder)
    yield Reader(folder, small_fashion_mnist, capsys)
    mx.npx.reset_np()


def parse(words):
    """(command, its parameters) that the command line makes of words; click's UsageError where it cannot."""
    command, name, rest = cli.cli, "gluon-resnet", list(words)
    while isinstance(command, click.Group):
        context = command.make_context(name, rest)
        name, command, rest = command.resolve_command(context, [*context.protected_args, *context.args])
    return command, command.make_context(name, rest).params


def is_name(words):
    """Whether words are the bare name of a group, or of a command that takes more: spoken of, not typed."""
    command = cli.cli
    for word in words:
        command = command.commands.get(word) if isinstance(command, click.Group) else None
    return isinstance(command, click.Group) or any(isinstance(param, click.Argument) for param in getattr(command, "params", ()))


class Reader:
    """Types commands, one behind the other, and reads what they print."""

    def __init__(self, folder, small_fashion_mnist, capsys):
        self.folder, self.small_fashion_mnist, self.capsys = folder, small_fashion_mnist, capsys

    def type(self, command):
        """Run a :class:`Command`; its printed lines. The test fails where it fails, or prints something else than shown."""
        for words in command.parts:
            run = getattr(self, "run_" + re.sub(r"\W+", "_", words[0]).strip("_"), None)
            assert run, f"no way to run '{command.text}': expected one of {[name for name in dir(self) if name[:4] == 'run_']}"
            printed = run(words[1:], command.output)
        if command.output:
            assert_shown(command, printed)

    def newest_run(self):
        """The run folder that was written to last."""
        return str(max((self.folder / "runs").iterdir(), key=lambda path: path.stat().st_mtime_ns))

    def run_gluon_resnet(self, words, output=()):
        """``gluon-resnet ...``: as it stands, smaller, or parsed."""
        words = [PLACEHOLDERS.get(word, word) for word in words]
        if words[:2] == ["train", "fashion-mnist"]:
            words = [str(self.small_fashion_mnist) if word == PLACEHOLDERS["DIR"] else word for word in words]
        words = [self.newest_run() if word == "runs/..." else word for word in words]
        if words[0] in PARSED:
            params = parse(words)[1]
            if words[0] == "run":
                experiment.load(params["file"])
            elif words[0] == "reproduce" and params["name"]:
                published.find(params["name"])
            return ""
        more = next((more for start, more in SMALLER.items() if " ".join(words).startswith(start + " ")), [])
        self.capsys.readouterr()
        try:
            with mx.name.NameManager():  # layers are numbered as in a process of its own
                cli.main([*words, *more])
            status = 0
        except SystemExit as end:
            status = end.code or 0
        out, err = self.capsys.readouterr()
        refused = any(line.startswith("gluon-resnet: ") for line in output)
        assert status in ((0, 1) if words[0] == "doctor" else (2,) if refused else (0,)), (status, out, err)
        return err if refused else out

    def run_make(self, words, output=()):
        """``make TARGET``: the recipe is there and can be read, and its own commands can be parsed."""
        done = subprocess.run(["make", "-n", *words], cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stderr
        for line in re.findall(r"\.venv/bin/gluon-resnet (.*)", done.stdout):
            parse(shlex.split(line))
        for script in re.findall(r"\bsh (scripts/\S+)", done.stdout):
            assert subprocess.run(["sh", "-n", str(ROOT / script)]).returncode == 0
        return done.stdout

    def run_pip(self, words, output=()):
        """``pip install ...``: with options that scripts/setup.sh has, too, files that are there, and packages as it pins them."""
        script = (ROOT / "scripts" / "setup.sh").read_text()
        for before, word in zip(words, words[1:]):
            if before in ("-r", "-c"):
                assert (ROOT / word).is_file(), word
            else:
                assert word == "." or re.search(rf"{re.escape(word)}(\s|$)", script), word
        assert words[0] == "install"

    def run_apt_get(self, words, output=()):
        """``apt-get download``: the package that the suite looks for."""
        assert words == ["download", fashion_mnist.FASHION_MNIST.debian_package]

    def run_(self, words, output=()):
        """``. FOLDER/bin/activate``: of the environment that make makes."""
        assert words == [re.search(r"^VENV := (\S+)", (ROOT / "Makefile").read_text(), re.M)[1] + "/bin/activate"]

    def run_git(self, words, output=()):
        """``git clone``: of this folder into another."""
        assert words[0] == "clone" and words[-2] == "." and not (ROOT / words[-1]).exists()
        self.clone = words[-1]

    def run_cd(self, words, output=()):
        """``cd``: into the clone."""
        assert words == [self.clone]

    def run_ci_run(self, words, output=()):
        """``.ci/run``: a program that bash can read."""
        path = ROOT / ".ci" / "run"
        assert not words and os.access(path, os.X_OK) and subprocess.run(["bash", "-n", str(path)]).returncode == 0

    def run_venv_bin_python(self, words, output=()):
        """``.venv/bin/python -m pytest`` or ``-m book....``: of files that are there."""
        module, *rest = words[words.index("-m") + 1:]
        if module != "pytest":
            assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), module
        for word in rest:
            assert "/" not in word or (ROOT / word.partition("::")[0]).exists(), word


def measured(line):
    """A line without what differs from machine to machine and run to run: figures, and the layers they were found at."""
    for pattern, mark in ((r"-?\b\d[\d,]*\.\d+(e[-+]?\d+)?%?", "#"), (r"(\d+ min )?\b\d+ s\b", "#"), (r"\bat \S+;", "at LAYER;"),
                          (r"all [\d,]+ training", "all training"), (r"-{3,}", "---"), (r"\s+", " "),
                          (r"^(\S* )(\d) \S.* #$", r"\1\2 CLASS #"), (r"\b(pass|near|miss)$", "VERDICT"),
                          (r": -?[\d#]+, claimed", ": #, claimed"), (r"\b\d+ deselected", "some deselected")):
        line = re.sub(pattern, mark, line)
    return line.strip()


def assert_shown(command, printed):
    """The output that a document shows is the one printed; a line of three dots stands for any lines."""
    clean = str.rstrip if command.parts[-1][1] in EXACT else measured
    shown = [clean(line) for line in "\n".join(command.output).strip("\n").split("\n")]
    found = [clean(line) for line in printed.strip("\n").split("\n")]
    pattern = "\n".join(re.escape(line) for line in shown).replace(re.escape("...") + "\n", "(?:.*\n)*")
    assert re.fullmatch(pattern, "\n".join(found)), "\n".join(["shown:", *shown, "found:", *found])


@pytest.mark.parametrize("block", [block for block in IN_PLACE if block.language in ("", "sh")], ids=lambda block: block.title)
def test_the_commands_of_a_block_run_one_behind_the_other(block, reader):
    for command in commands(block):
        reader.type(command)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_within_sentences_run(path, reader):
    names = {name for command in (cli.cli, *cli.cli.commands.values()) for name in getattr(command, "commands", ())}
    for line, text in codes(path):
        words = text.split()
        if words[0] in names and len(words) > 1:  # "table1 --cifar"
            text, words = f"gluon-resnet {text}", ["gluon-resnet", *words]
        if is_command(text) and not (words[0] == "gluon-resnet" and is_name(words[1:])):
            reader.type(Command(text))


@pytest.mark.parametrize("block", [block for block in IN_PLACE if block.language == "python"], ids=lambda block: block.title)
def test_python_runs_and_gives_what_the_comments_say(block, reader):
    names, lines, compared = {}, block.text.splitlines(), 0
    for statement in ast.parse(block.text).body:
        remark = lines[statement.end_lineno - 1][statement.end_col_offset:].partition("#")[2].strip()
        if not isinstance(statement, ast.Expr):
            exec(compile(ast.Module([statement], []), block.title, "exec"), names)
            continue
        value = eval(compile(ast.Expression(statement.value), block.title, "eval"), names)
        if remark.startswith("("):
            assert value == ast.literal_eval(remark), remark
            compared += 1
    assert compared


def test_python_within_sentences_runs(reader):
    net, path, demo = gr.resnet50("torchvision"), "resnet50.safetensors", gr.RESNET_DEMO
    found = [(line, text) for path_ in DOCUMENTS for line, text in codes(path_) if re.match(r"gr\.\w+\(", text)]
    for line, text in found:
        eval(text, {"gr": gr, "net": net, "path": path, "demo": demo})
    assert len(found) >= 4


def all_options(command):
    """Every --option of a command and those below it."""
    below = [option for each in getattr(command, "commands", {}).values() for option in all_options(each)]
    return below + [option for param in command.params for option in (*param.opts, *param.secondary_opts)] + ["--help"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_options_networks_and_files_that_are_named_are_there(path):
    known = set(all_options(cli.cli))
    made = {block.about for block in BLOCKS if block.heading in EXAMPLES}  # the examples' own files
    for line, text in codes(path):
        if text.startswith("--"):
            assert text.split()[0] in known, (line, text)
        if re.fullmatch(r"(cifar_)?(resnet|plain)\d+([@:]\w+)*", text):
            gr.parse_model(text)
        if re.fullmatch(r"(gluon_resnet|tests|scripts|experiments|chapters|book)/[\w./-]*", text) and not OPEN.search(text):
            assert text in made or (ROOT / text).exists(), (line, text)
    for line, target in links(path):
        assert ":" in target or (path.parent / target.partition("#")[0]).exists(), (line, target)


@pytest.mark.parametrize("block", [block for block in IN_PLACE if block.language == "text"], ids=lambda block: block.title)
def test_the_files_of_a_listing_are_there(block):
    """Listings in the language "text": paths, each with a folder's name in front of a line or inside the folder above it."""
    folder, found = ROOT, 0
    for line in block.text.splitlines():
        for word in line.split():
            if line.startswith(word) and word.endswith("/"):
                folder = ROOT / word
            elif re.fullmatch(r"[\w*/]+(\.py|\.md|\.sh|/)", word) and not OPEN.search(word):
                assert list(folder.glob(word)) or list(ROOT.glob(word)), (word, line)
                found += 1
    assert found


def test_every_block_has_a_way_to_be_tested():
    assert {block.language for block in IN_PLACE} <= {"", "sh", "python", "text"}
    assert {block.heading for block in BLOCKS} >= set(EXAMPLES)


def test_the_table_of_families_counts_what_the_networks_have():
    rows = re.findall(r"^\| `(\w+)`.*\| ([\d,]+)[^|]*\|$", (ROOT / "README.md").read_text(), re.M)
    assert {family for family, _ in rows} == set(ROWS) - {"slim_fc", "cifar", "narrow"}
    for family, count in rows:
        plan = layout(gr.get_spec(50, family), 1 if family == "d2l" else 3)
        sizes = [numpy.prod(shape) for name, shape in plan.params().items() if "running" not in name and name not in plan.fixed()]
        assert sum(sizes) == int(count.replace(",", "")), family


def test_every_family_says_how_its_networks_see_pictures():
    assert set(PREPARATIONS) == set(ROWS)  # CONTRIBUTING.md: a new family has a row in each


def test_the_citation_file_is_whole_and_of_this_version():
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert content["cff-version"] == "1.2.0" and content["type"] == "software" and content["license"] == "MIT"
    assert content["version"] == gr.__version__ and content["title"] == "gluon-resnet" and content["message"]
    assert all(author.get("name") or author.get("family-names") for author in content["authors"])
    assert content["authors"][0]["name"] in (ROOT / "LICENSE").read_text()
    assert 'license = { text = "MIT" }' in (ROOT / "pyproject.toml").read_text()


def test_the_changelog_has_this_version_and_no_day_without_a_commit():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(gr.__version__)}\]", text, re.M)
    days = set(re.findall(r"\b\d{4}-\d\d-\d\d\b", text))
    log = subprocess.run(["git", "-C", str(ROOT), "log", "--format=%ad", "--date=short"], stdout=subprocess.PIPE, text=True).stdout
    whole = log and not (ROOT / ".git" / "shallow").exists()  # an archive or a shallow clone has nothing to compare with
    assert days and (not whole or days <= set(log.split()))
