"""Commands that contain commands: a mistyped name gets the nearest one that there is.

$ gluon-resnet trian
gluon-resnet: no command 'trian': did you mean gluon-resnet train? gluon-resnet --help lists the commands
"""

from typing import Any, Dict, List

import click

from ..errors import nearest


def _below(command: click.Command) -> Dict[str, List[str]]:
    """{last word: [words after ``command``]} of the commands below it; those deeper only if their word is new."""
    own = getattr(command, "commands", {})
    found = {name: [name] for name in own}
    for name, inner in own.items():
        for word, paths in _below(inner).items():
            if word not in own:
                found.setdefault(word, []).extend(f"{name} {path}" for path in paths)
    return found


class Group(click.Group):
    """click's group of commands; an unknown name is answered with those nearest to it, at whatever depth they are."""

    def resolve_command(self, ctx: click.Context, args: List[str]) -> Any:
        """click's own: (name, command, arguments left); raises a usage error if there is no such command."""
        name = args[0]
        if not name.startswith("-") and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            known = _below(self)
            word = nearest(name.replace("_", "-").lower(), known, cutoff=0.6)
            near = " or ".join(f"{ctx.command_path} {path}" for path in known[word]) if word else ""
            raise click.UsageError(
                f"no command '{name}'{f': did you mean {near}?' if near else ';'} {ctx.command_path} --help lists the "
                f"commands"
            )
        return super().resolve_command(ctx, args)
