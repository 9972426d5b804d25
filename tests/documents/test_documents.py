"""The documents are right: every command and every piece of code in them is run here, on small stand-ins for the data.

document_reader.py runs a command, or a smaller one; test_contributing.py follows the examples of docs/extending.md.
"""

import ast
import csv
import hashlib
import os
import pickle
import re
import shutil
import subprocess
from dataclasses import asdict, replace

import gluon_resnet as gr
from gluon_resnet import cli
from gluon_resnet.data import fashion_mnist, sources
from gluon_resnet.data.images import PREPARATIONS
from gluon_resnet.errors import GluonResNetError
from gluon_resnet.networks.families import OWN_NAMES, ROWS
from gluon_resnet.networks.layout import layout
from gluon_resnet.runs import config, finetuning
from gluon_resnet.runs.kinds import PicturesConfig
from gluon_resnet.weights import export, fetch_weights, published

import click
import mxnet as mx
import numpy
import pytest
import yaml
from PIL import Image

from tests.conftest import ROOT, small_arrays, write_idx_folder
from tests.documents.document_reader import Reader, assert_shown, is_name
from tests.documents.documents import Command, anchors, blocks, codes, commands, is_command, links
from tests.weights.test_pickles import Runs, as_zip

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ROOT / "experiments" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
BLOCKS = [block for path in DOCUMENTS for block in blocks(path)]
#: headings of the examples that change the package; test_contributing.py follows them in a copy
EXAMPLES = ("Add a network", "Add a family", "Add an experiment", "Add a chapter")
IN_PLACE = [block for block in BLOCKS if block.heading not in EXAMPLES]
#: from a folder of photographs to a CSV of predictions; it has a test of its own
FOUR_COMMANDS = next(block for block in BLOCKS if "predictions.csv" in block.text)
#: marks a part of a name that the reader fills in
OPEN = re.compile("NAME|NN-")
SPECIES = ("Red_headed_Woodpecker", "Rufous_Hummingbird", "Scarlet_Tanager", "Western_Grebe")


@pytest.fixture
def small_fashion_mnist(monkeypatch, tmp_path):
    """20 and 5 drawn images that pass for Fashion-MNIST, in the suite's cache."""
    arrays = small_arrays(20, 5)  # two of each class: a hold-out needs one, and training the other
    folder = write_idx_folder(tmp_path / "home" / "fashion-mnist", arrays)
    files = [
        sources.DataFile(path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.iterdir())
    ]
    table = sources.DataSet("Fashion-MNIST", "fashion-mnist", tuple(files), (), "dataset-fashion-mnist", "/nowhere")
    monkeypatch.setattr(fashion_mnist, "FASHION_MNIST", table)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What takes a while to make: random weights of three networks, and a finished run."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("resnet18", "resnet50"):
        net = gr.get_model(f"{name}@torchvision")
        net.initialize(mx.init.Xavier())
        net(mx.nd.zeros((1, 3, 32, 32)))
        export.export(net, folder / f"{name}.safetensors")
    for name, channels, file in (("resnet18", 1, "net.params"), ("resnet50@mxnet", 3, "zoo.params")):
        net = gr.get_model(name)
        net.initialize(mx.init.Xavier())
        net(mx.nd.zeros((1, channels, 32, 32)))
        net.save_parameters(str(folder / file))
        if file == "net.params":
            export.export(net, folder / "net.safetensors")
            export.export(net, folder / "net.pth")
    data = write_idx_folder(folder / "data", small_arrays(40, 20))
    cli.cli.main(
        [
            "train",
            "fashion-mnist",
            "--model",
            "resnet8@narrow",
            "--no-resize",
            "--epochs",
            "1",
            "--unverified",
            "--data",
            str(data),
            "--out",
            str(folder / "run"),
        ],
        standalone_mode=False,
    )
    mx.npx.reset_np()
    return folder


def draw(path, seed):
    """A noisy image with a colour of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = numpy.random.RandomState(seed)
    image = random.randint(0, 80, (48, 40, 3)) + random.randint(0, 160, 3)
    Image.fromarray(image.astype("uint8")).save(path)


def in_cache(monkeypatch, path, model, *names):
    """As if the file at ``path`` were what these names of a model's weights stand for, fetched before."""
    rows = {published.find(name, model) for name in names}
    digits = hashlib.sha256(path.read_bytes()).hexdigest()
    own = [replace(row, hash=f"sha256:{digits}") if row in rows else row for row in published.ROWS]
    monkeypatch.setattr(published, "ROWS", tuple(own))
    for row in rows:
        fetch_weights.place(row).parent.mkdir(parents=True, exist_ok=True)
        fetch_weights.place(row).symlink_to(path)


@pytest.fixture
def reader(made, small_fashion_mnist, tmp_path, monkeypatch, capsys):
    """A reader who types commands in a folder with all the files that the documents name."""
    folder = tmp_path / "work"
    for number, name in enumerate(SPECIES):
        for i in range(4):
            draw(folder / "bird_photos" / name / f"{i}.jpg", 10 * number + i)
    for seed, name in enumerate(("new_photos/b.jpg", "new_photos/a/c.png")):
        draw(folder / name, 200 + seed)
    for seed, name in enumerate(("photo.jpg", "cat.png", "tiger_cat_256.png", "samoyed_1546.jpg")):
        draw(folder / name, 100 + seed)
    for name in ("resnet50.safetensors", "net.params", "net.safetensors", "net.pth", "zoo.params"):
        (folder / name).symlink_to(made / name)
    in_cache(monkeypatch, folder / "resnet50.safetensors", "resnet50", "imagenet", "imagenet:a1")
    in_cache(monkeypatch, made / "resnet18.safetensors", "resnet18", "imagenet")
    (folder / "malicious.pth").write_bytes(as_zip(pickle.dumps(Runs(os.system, "false"), protocol=2)))
    shutil.copytree(str(made / "run"), str(folder / "runs" / "20261122-030010-resnet8@narrow-fashion-mnist"))
    (folder / "chapter.txt").write_text(
        "conv0 output shape:\t (1, 32, 14, 14)\nloss 0.010, train acc 0.998, test acc 0.907\n"
    )
    (folder / "experiments").mkdir()
    shutil.copy(str(ROOT / "experiments" / "README.md"), str(folder / "experiments"))
    monkeypatch.chdir(folder)
    yield Reader(folder, small_fashion_mnist, capsys)
    mx.npx.reset_np()


def of(*languages):
    """A test for each block in these languages."""
    return pytest.mark.parametrize(
        "block",
        [block for block in IN_PLACE if block.language in languages and block is not FOUR_COMMANDS],
        ids=lambda block: block.title,
    )


@of("", "sh")
def test_the_commands_of_a_block_run_one_after_another(block, reader):
    for command in commands(block):
        reader.type(command)


def test_four_commands_lead_from_photographs_to_a_csv_of_predictions(reader):
    typed = commands(FOUR_COMMANDS)
    assert sum(len(command.parts) for command in typed) <= 4 and FOUR_COMMANDS.document == "images.md"
    for command in typed:
        reader.type(command)
    with open(reader.folder / "predictions.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["file"] for row in rows] == ["new_photos/a/c.png", "new_photos/b.jpg"]
    assert all(row["class"] in SPECIES and 0.25 <= float(row["probability"]) <= 1 for row in rows)


def test_the_settings_of_fine_tuning_are_those_of_the_document():
    table = (ROOT / "docs" / "images.md").read_text().partition("| set by `--finetune` |")[2].partition("\n\n")[0]
    firsts = [row.split("|")[1] for row in table.splitlines()[2:]]
    shown = dict(config.parse_setting(text) for first in firsts for text in re.findall(r"`(.*?)`", first))
    assert shown == finetuning.DEFAULTS
    said = dict(config.parse_setting(text) for text in re.findall(r"kind get `(.*?)` and no momentum", table))
    assert {**said, "momentum": 0.0} == finetuning.ADAPTIVE


def spoken(path):
    """The commands within the sentences and tables of a document, each once, without bare names of commands."""
    groups, typed = [group for group in (cli.cli, *cli.cli.commands.values()) if isinstance(group, click.Group)], []
    names = {name for group in groups for name in group.commands}
    for _, text in codes(path):
        words = text.split()
        if words[0] in names and len(words) > 1:  # "table1 --cifar"
            text, words = f"gluon-resnet {text}", ["gluon-resnet", *words]
        if is_command(text) and not (words[0] == "gluon-resnet" and is_name(words[1:])):
            typed.append(text)
    return list(dict.fromkeys(typed))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_within_sentences_run(path, reader):
    """Each once: not if it is a command of a block, which is run there, or in a sentence of an earlier document."""
    known = {command.text for block in IN_PLACE if block.language in ("", "sh") for command in commands(block)}
    for earlier in DOCUMENTS[: DOCUMENTS.index(path)]:
        known.update(spoken(earlier))
    for text in spoken(path):
        if text not in known:
            reader.type(Command(text))


def test_the_numbers_next_to_the_summary_are_its_own(reader):
    text = (ROOT / "docs" / "networks.md").read_text()
    sentence = r"`(gluon-resnet summary .*?)` adds parameters \(([\d,]+)\), multiply-adds \((.*? G)\)"
    command, parameters, work = re.search(sentence, text).groups()
    assert f"{parameters} parameters, {work} multiply-adds" in reader.type(Command(command))


def test_the_tables_of_the_experiments_are_those_of_their_results(reader):
    reader.type(Command("gluon-resnet results --update experiments/README.md"))
    assert (reader.folder / "experiments" / "README.md").read_text() == (ROOT / "experiments" / "README.md").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "gluon-resnet run degradation --sedes 3",
        "gluon-resnet run degradashun",
        "gluon-resnet shapes resnet19",
        "gluon-resnet bench speed",
        "make nothing",
        "pip install -r nothing.txt",
        "pip install gluon_resnet-0.0.1-py3-none-any.whl[cpu]",
        "uv pip install dist/gluon_resnet-0.1.0-py3-none-any.whl[tpu]",
        "docker run --rm -it another gluon-resnet doctor",
        "rsync here there",
    ],
)
def test_a_command_that_is_wrong_or_unknown_fails(text, reader):
    with pytest.raises((AssertionError, click.UsageError, GluonResNetError)):
        reader.type(Command(text))


@pytest.mark.parametrize(
    "printed", ["loss 0.3\nverdict: pass", "start\nloss 0.3, acc 0.9\nverdict: pass", "start\nloss 0.3\nend: pass"]
)
def test_a_different_output_fails(printed):
    shown = Command("gluon-resnet train fashion-mnist", ("start", "...", "loss 0.5", "verdict: near"))
    assert_shown(shown, "start\nmore\nloss 0.3\nverdict: miss\n")
    with pytest.raises(AssertionError):
        assert_shown(shown, printed)


def test_dots_at_the_end_stand_for_any_lines():
    shown = Command("gluon-resnet train fashion-mnist", ("loss 0.5", "..."))
    assert_shown(shown, "loss 0.3\nrun folder: runs/x\n")
    with pytest.raises(AssertionError):
        assert_shown(shown, "start\nloss 0.3\n")


def needs_torch(block):
    """Whether a block is for PyTorch, which is not here; make parity runs it: tests/parity/test_exports.py."""
    return "import torch" in block.text


def test_the_code_for_pytorch_is_python_and_known_to_make_parity():
    blocks_for_torch = [block for block in IN_PLACE if block.language == "python" and needs_torch(block)]
    assert [block.document for block in blocks_for_torch] == ["leaving-mxnet.md"]
    ast.parse(blocks_for_torch[0].text)


@of("python")
def test_python_runs_and_gives_what_the_comments_say(block, reader):
    if needs_torch(block):
        return
    names, lines, compared = {}, block.text.splitlines(), 0
    for statement in ast.parse(block.text).body:
        comment = lines[statement.end_lineno - 1][statement.end_col_offset :].partition("#")[2].strip()
        if not isinstance(statement, ast.Expr):
            exec(compile(ast.Module([statement], []), block.title, "exec"), names)
            continue
        value = eval(compile(ast.Expression(statement.value), block.title, "eval"), names)
        if comment.startswith("("):
            assert value == ast.literal_eval(comment), comment
            compared += 1
    assert compared


def test_python_within_sentences_runs(reader):
    net, path = gr.resnet50("torchvision"), "resnet50.safetensors"
    calls = [text for document in DOCUMENTS for _, text in codes(document) if re.match(r"gr\.\w+\(", text)]
    for text in calls:
        eval(text, {"gr": gr, "net": net, "path": path})
    assert len(calls) >= 4


def all_options(command):
    """Every --option of a command and of the commands below it."""
    below = [option for inner in getattr(command, "commands", {}).values() for option in all_options(inner)]
    return below + [option for param in command.params for option in (*param.opts, *param.secondary_opts)] + ["--help"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_options_settings_networks_and_files_that_are_named_exist(path):
    known = set(all_options(cli.cli))
    made = {block.about for block in BLOCKS if block.heading in EXAMPLES}  # the examples' own files
    for line, text in codes(path):
        if text.startswith("--"):
            assert text.split()[0] in known, (line, text)
        if re.fullmatch(r"[a-z_]+=\S+", text) and text != "field=value":
            config.load(PicturesConfig, {}, settings=[text])
        if re.fullmatch(r"(cifar_)?(resnet|plain)\d+([@:]\w+)*", text):
            gr.parse_model(text)
        path_like = re.fullmatch(r"(gluon_resnet|tests|scripts|experiments|chapters|book)/[\w./-]*", text)
        if path_like and not OPEN.search(text):
            assert text in made or (ROOT / text).exists(), (line, text)
    for line, target in links(path):
        name, _, anchor = target.partition("#")
        assert ":" in target or (path.parent / name).exists(), (line, target)
        assert ":" in target or not anchor or anchor in anchors(path.parent / name if name else path), (line, target)


@of("text")
def test_the_files_of_a_listing_exist(block):
    """Listings in the language "text": files, in the folder that their line or one above it begins with."""
    folder, count = ROOT, 0
    for line in block.text.splitlines():
        for word in line.split():
            if line.startswith(word) and word.endswith("/"):
                folder = ROOT / word
            elif re.fullmatch(r"[\w*/]+(\.py|\.md|\.sh|/)", word) and not OPEN.search(word):
                assert list(folder.glob(word)) or list(ROOT.glob(word)), (word, line)
                count += 1
    assert count


def test_every_block_has_a_way_to_be_tested():
    elsewhere = {"bash", "yaml"}  # of other launchers: tests/distributed/test_examples.py
    assert {block.language for block in IN_PLACE} <= {"", "sh", "python", "text", *elsewhere}
    assert {block.heading for block in BLOCKS} >= set(EXAMPLES)


def test_the_table_of_families_counts_what_the_networks_have():
    rows = re.findall(r"^\| `(\w+)`.*\| ([\d,]+)[^|]*\|$", (ROOT / "docs" / "networks.md").read_text(), re.M)
    assert {family for family, _ in rows} == set(ROWS) - {"slim_fc", "narrow", "early", "fine"} - set(OWN_NAMES)
    for family, count in rows:
        plan = layout(gr.get_spec(50, family), 1 if family == "d2l" else 3)
        trained = [shape for name, shape in plan.params().items() if not (name in plan.fixed() or ".running_" in name)]
        assert sum(map(numpy.prod, trained)) == int(count.replace(",", "")), family


def test_the_table_of_settings_for_images_has_the_defaults():
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \|", (ROOT / "docs" / "images.md").read_text(), re.M)
    defaults = asdict(PicturesConfig())
    assert rows and {name: ast.literal_eval(value) for name, value in rows} == {
        name: defaults[name] for name, _ in rows
    }


def test_every_family_has_a_preparation_of_images():
    assert set(PREPARATIONS) == set(ROWS)


def test_the_citation_file_is_complete_and_of_this_version():
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
    assert days
    if (ROOT / ".git").exists() and not (ROOT / ".git" / "shallow").exists():  # otherwise there is no whole history
        log = subprocess.run(
            ["git", "-C", str(ROOT), "log", "--format=%ad", "--date=short"],
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
        assert days <= set(log.stdout.split())
