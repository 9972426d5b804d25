"""A reader who types the commands of a document and compares the output with what the document shows.

Commands that take long are made smaller (SMALLER) or only go through the command line's own parser (PARSED), so that an
unknown option fails. A command without a method to run it fails, too.
"""

import os
import re
import shlex
import subprocess

from gluon_resnet import cli
from gluon_resnet.lab import experiment, published

import click
import mxnet as mx

from tests.conftest import ROOT
from tests.documents.installing import Installing

#: options added to a command so that it takes seconds; the last value of an option counts
SMALLER = {
    "train fashion-mnist": ["--epochs", "1"],
    "train pictures": ["--image-size", "32", "--epochs", "1"],
    "microscope": ["--size", "32"],
    "quantize": ["--size", "64"],
}
#: more of them for a command whose output is not shown, as they may change it; each if the command does not have it
SMALLER_UNSEEN = {
    "train fashion-mnist": {"--resize": "32", "--model": "resnet8@narrow"},
    "train pictures": {"--model": "cifar_resnet20"},
}
#: commands that read nothing of the reader's and write nothing: typed once, then what they printed is known
ALIKE = ("doctor",)
#: commands that are only parsed: they take minutes or hours even when made smaller
PARSED = ("bench", "profile", "run", "reproduce", "play", "launch", "scaling")
#: options that are only parsed, with their values: they train for minutes
LEFT_OUT = {"audit": ("--folds", "--recipe", "--budget")}
#: commands whose output is compared to the last digit; the output of others has measured numbers
EXACT = ("shapes", "summary", "reconcile", "table1", "models")
#: words of the documents that stand for a file or folder of the reader
PLACEHOLDERS = {"FILE": "resnet50.safetensors", "DIR": "bird_photos", "RUN": "runs/..."}


def parse(words):
    """(command, its parameters) that the command line makes of words; click's UsageError if it cannot."""
    command, name, rest = cli.cli, "gluon-resnet", list(words)
    while isinstance(command, click.Group):
        context = command.make_context(name, rest)
        name, command, rest = command.resolve_command(context, [*context.protected_args, *context.args])
    return command, command.make_context(name, rest).params


def is_name(words):
    """Whether words only name a group, or a command that needs arguments: mentioned in a sentence, not typed."""
    command = cli.cli
    for word in words:
        command = command.commands.get(word) if isinstance(command, click.Group) else None
    takes_more = any(isinstance(param, click.Argument) for param in getattr(command, "params", ()))
    return isinstance(command, click.Group) or takes_more


def smaller(words, output):
    """The options that make a command of gluon-resnet take seconds."""
    start = " ".join(words[:2] if words[0] == "train" else words[:1])
    unseen = {} if output or {"--weights", "--finetune"} & set(words) else SMALLER_UNSEEN.get(start, {})
    more = [word for option, value in unseen.items() if option not in words for word in (option, value)]
    fewer = ["--hold-out", "10"] if "--hold-out" in words and start in SMALLER else []
    return [*SMALLER.get(start, []), *fewer, *more]


def shorter(words):
    """The words of a command without its options that are only parsed."""
    options = LEFT_OUT.get(words[0], ())
    if options:
        parse(words)
    return [word for before, word in zip([None, *words], words) if before not in options and word not in options]


class Reader(Installing):
    """Types commands, one after another, and reads what they print."""

    known = {}  # of the commands in ALIKE: {words: (exit status, output, errors)}; all readers share it

    def __init__(self, folder, small_fashion_mnist, capsys):
        self.folder, self.small_fashion_mnist, self.capsys = folder, small_fashion_mnist, capsys

    def type(self, command):
        """Run a :class:`Command`; what it printed. AssertionError if it fails or prints something else than shown."""
        for words in command.parts:
            run = getattr(self, "run_" + re.sub(r"\W+", "_", words[0]).strip("_"), None)
            assert run, f"no way to run '{command.text}': expected a method of this class for {words[0]}"
            printed = run(words[1:], command.output)
        if command.output:
            assert_shown(command, printed)
        return printed

    def newest_run(self):
        """The run folder that was changed last."""
        return str(max((self.folder / "runs").iterdir(), key=lambda path: path.stat().st_mtime_ns))

    def run_gluon_resnet(self, words, output=()):
        """``gluon-resnet ...``: as it is, smaller, or parsed."""
        words = [PLACEHOLDERS.get(word, word) for word in words]
        if words[:2] == ["train", "fashion-mnist"]:
            words = [str(self.small_fashion_mnist) if word == PLACEHOLDERS["DIR"] else word for word in words]
        words = [self.newest_run() if word == "runs/..." else word for word in words]
        if words[-2:-1] == [">"]:
            (self.folder / words[-1]).write_text(self.run_gluon_resnet(words[:-2]))
            return ""
        if words[0] in PARSED:
            params = parse(words)[1]
            if words[0] == "run":
                experiment.load(params["file"])
            elif words[0] == "reproduce" and params["name"]:
                published.find(params["name"])
            return ""
        done = self.known.get(tuple(words)) or self.finished([*shorter(words), *smaller(words, output)])
        if words[0] in ALIKE:
            self.known[tuple(words)] = done
        status, out, err = done
        refused = any(line.startswith("gluon-resnet: ") for line in output)
        assert status in ((0, 1) if words[0] == "doctor" else (2,) if refused else (0,)), (status, out, err)
        return err if refused else out

    def finished(self, words):
        """(exit status, output, errors) of ``gluon-resnet words`` in this process."""
        self.capsys.readouterr()
        try:
            with mx.name.NameManager():  # layers are numbered as in a process of its own
                cli.main(words)
            status = 0
        except SystemExit as end:
            status = end.code or 0
        return (status, *self.capsys.readouterr())

    def run_make(self, words, output=()):
        """``make TARGET``: make knows it, and its commands can be parsed; they are run if the document shows output."""
        done = subprocess.run(["make", "-n", *words], cwd=str(ROOT), text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        lines = re.findall(r"\.venv/bin/gluon-resnet (.*)", done.stdout)
        for line in lines:
            parse(shlex.split(line))
        for script in re.findall(r"\bsh (scripts/\S+)", done.stdout):
            assert subprocess.run(["sh", "-n", str(ROOT / script)]).returncode == 0
        return "".join(self.run_gluon_resnet(shlex.split(line)) for line in lines) if output else done.stdout

    def run_(self, words, output=()):
        """``. FOLDER/bin/activate``: of the environment that the Makefile creates."""
        assert words == [re.search(r"^VENV := (\S+)", (ROOT / "Makefile").read_text(), re.M)[1] + "/bin/activate"]

    def run_git(self, words, output=()):
        """``git clone``: of this folder into a new one."""
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
        """``.venv/bin/python -m pytest`` or ``-m book....``: of files that exist."""
        module, *rest = words[words.index("-m") + 1 :]
        if module != "pytest":
            assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), module
        for word in rest:
            assert "/" not in word or (ROOT / word.partition("::")[0]).exists(), word


def measured(line):
    """A line without what differs between machines and runs: numbers, and the layers they were measured at."""
    for pattern, mark in (
        (r", other programs used \S+ cores", ""),  # the other tests
        (r"-?\b\d[\d,]*\.\d+(e[-+]?\d+)?%?", "#"),
        (r"(\d+ min )?\b\d+ s\b", "#"),
        (r"\bat \S+;", "at LAYER;"),
        (r"all [\d,]+ training", "all training"),
        (r"\([\d,]+ (training )?images\)", r"(some \1images)"),
        (r"-{3,}", "---"),
        (r"\s+", " "),
        (r"^(\S* )(\d) \S.* #$", r"\1\2 CLASS #"),
        (r"\b(pass|near|miss)$", "VERDICT"),
        (r": -?[\d#]+, claimed", ": #, claimed"),
        (r"\b\d+ deselected", "some deselected"),
    ):
        line = re.sub(pattern, mark, line)
    return line.strip()


def assert_shown(command, printed):
    """The output that a document shows is the printed one; a line of three dots stands for any number of lines."""
    exact = set(command.parts[-1][:2]) & set(EXACT) or command.output[0].startswith("gluon-resnet: ")
    clean = str.rstrip if exact else measured
    shown = [clean(line) for line in "\n".join(command.output).strip("\n").split("\n")]
    lines = [clean(line) for line in printed.strip("\n").split("\n")]
    pattern = "".join("(?:.*\n)*" if line == "..." else re.escape(line) + "\n" for line in shown)
    text = "".join(line + "\n" for line in lines)
    assert re.fullmatch(pattern, text), "\n".join(["shown:", *shown, "printed:", *lines])
