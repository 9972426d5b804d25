"""A mistyped command is answered with the nearest one."""

from gluon_resnet import cli
from gluon_resnet.commands.groups import Group

import click
import pytest

from tests.conftest import one_line_error


@pytest.mark.parametrize(
    "words, expected",
    [
        (("trian",), "no command 'trian': did you mean gluon-resnet train? gluon-resnet --help lists the commands"),
        (
            ("fashion_mnist",),
            "no command 'fashion_mnist': did you mean gluon-resnet data fashion-mnist or gluon-resnet train "
            "fashion-mnist or gluon-resnet audit fashion-mnist?",
        ),
        (("list",), "did you mean gluon-resnet runs list?"),
        (("train", "fashion_mnist"), "did you mean gluon-resnet train fashion-mnist? gluon-resnet train --help"),
        (("runs", "lst"), "did you mean gluon-resnet runs list? gluon-resnet runs --help lists"),
        (("qqqq",), "no command 'qqqq'; gluon-resnet --help lists the commands"),
        (("--verison",), "No such option: --verison Did you mean --version?"),
    ],
)
def test_a_mistyped_command_gets_the_nearest(run_cli, words, expected):
    assert expected in one_line_error(run_cli(*words))


def test_every_group_answers_so():
    def groups(command):
        return [command, *(one for below in getattr(command, "commands", {}).values() for one in groups(below))]

    found = [command for command in groups(cli.cli) if isinstance(command, click.Group)]
    assert len(found) == 7 and all(type(command) is Group for command in found)
