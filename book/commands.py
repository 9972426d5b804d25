"""The page of the command line: every command, its arguments and its options, as the command itself says in --help."""

import re

from gluon_resnet.cli import cli

import click

from .reference import escaped, heading

NAME = "gluon-resnet"
PREFORMATTED = "\b\n"  # click's mark of a paragraph whose lines stay as they are


def commands(command=cli, words=(NAME,)):
    """[(words of the command line, click's context)] of all commands, groups before what they contain."""
    context = click.Context(command, info_name=words[-1], parent=None)
    found = [(words, context)]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found += commands(command.get_command(context, name), (*words, name))
    return found


def _prose(text):
    """Words of a command as reStructuredText, with its options as they are typed: typography makes a dash of "--"."""
    return escaped(re.sub(r"(?<![\w`-])(--?[a-z][\w-]*)", r"``\1``", " ".join(text.split())))


def _usage(words, context):
    """The line "gluon-resnet ... [OPTIONS] ARGUMENT" of a command."""
    return _code(" ".join([*words, *context.command.collect_usage_pieces(context)]))


def _code(*lines):
    return ".. code-block:: text\n\n" + "\n".join(f"    {line.strip()}" for line in lines)


def _paragraphs(text):
    """The text of a command as reStructuredText."""
    parts = []
    for part in re.split(r"\n\s*\n", (text or "").strip()):
        if part.startswith(PREFORMATTED):
            parts.append(_code(*part[len(PREFORMATTED) :].split("\n")))
        else:
            parts.append(_prose(part))
    return "\n\n".join(parts)


def _options(context):
    """The options of a command, each with what it says of itself; --help, which all have, is left out."""
    records = [param.get_help_record(context) for param in context.command.get_params(context) if param.name != "help"]
    return "\n\n".join(f"``{names}``\n    {_prose(help or names)}" for names, help in filter(None, records))


def _section(words, context):
    command = context.command
    title = heading(" ".join(words[1:]), "-" if len(words) == 2 else "~")
    parts = [title, _usage(words, context), _paragraphs(command.help), _options(context)]
    return "\n\n".join(part for part in parts if part)


def page():
    """The whole page as reStructuredText."""
    (_, root), *others = commands()
    parts = [
        heading("The command line", "="),
        _paragraphs(root.command.help),
        "Each command prints this text with ``--help``. ``gluon-resnet --version`` prints the version.",
        *(_section(words, context) for words, context in others),
    ]
    return "\n\n".join(parts) + "\n"
