"""Help is instant: no sub-command's --help loads mxnet, pandas or matplotlib."""

import json
import subprocess
import sys

from gluon_resnet import cli
from gluon_resnet.commands import lazy
from gluon_resnet.runs import kinds

import click
import pytest

#: prints {"command": [heavy modules loaded after its --help]} for every command; each is loaded already by the first
CODE = """
import contextlib, io, json, sys
from gluon_resnet import cli
loaded = {}
for words in json.loads(sys.argv[1]):
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        cli.main([*words, "--help"])
    heavy = ("mxnet", "pandas", "matplotlib")
    loaded[" ".join(words)] = [name for name in heavy if name in sys.modules]
print(json.dumps(loaded))
"""


def all_commands(command, words=()):
    """The words of every command and group below ``command``, itself first."""
    yield list(words)
    for name, below in getattr(command, "commands", {}).items():
        yield from all_commands(below, (*words, name))


def test_no_help_loads_what_takes_long():
    words = list(all_commands(cli.cli))
    assert len(words) > 25 and all(isinstance(each, list) for each in words)
    done = subprocess.run([sys.executable, "-c", CODE, json.dumps(words)], text=True, capture_output=True, check=True)
    assert json.loads(done.stdout) == {" ".join(each): [] for each in words}


def test_a_lazy_module_is_the_module_and_a_package_is_refused():
    assert lazy("text").count(2) == "2 pictures"
    with pytest.raises(ImportError, match="that is no package"):
        lazy("lab")


def test_every_command_is_a_click_command():
    assert all(isinstance(command, click.Command) for command in cli.cli.commands.values())


@pytest.mark.parametrize("kind", ["fashion-mnist", "pictures"])
def test_the_options_of_train_have_the_defaults_of_the_configs(kind):
    """Each default that --help shows is what a config made without settings has."""
    config = kinds.kind_named(kind).config()
    command = cli.cli.commands["train"].commands[kind]
    with click.Context(command) as context:
        shown = {param.name: param.get_default(context) for param in command.params if hasattr(config, param.name)}
    assert len(shown) >= 9
    assert {name: getattr(config, name) for name in shown if shown[name] is not None} == {
        name: value for name, value in shown.items() if value is not None
    }
