"""What the Tab key finds besides commands and options: networks, runs, and the settings of a training.

docs/install.md says how a shell is told to ask. It runs the program for each Tab, so nothing here loads mxnet.
"""

import os
from pathlib import Path
from typing import Any, Dict, Iterable, List, Tuple

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

from ..networks.specs import model_names
from . import lazy

kinds = lazy("runs.kinds")
places = lazy("runs.places")
recipe = lazy("training.recipe")
run_settings = lazy("runs.settings")

VARIABLE = "_GLUON_RESNET_COMPLETE"  # set by the shell that asks


def models(context: click.Context, param: click.Parameter, incomplete: str) -> List[str]:
    """Names of networks: those without a family first, and the families once such a name is complete."""
    names = model_names()
    known = dict.fromkeys([*(name.partition("@")[0] for name in names), *names])
    found = [name for name in known if name.startswith(incomplete)]
    short = [name for name in found if "@" not in name]
    return found if "@" in incomplete or incomplete in short else short


def runs(context: click.Context, param: click.Parameter, incomplete: str) -> List[CompletionItem]:
    """Run folders in the folder that is typed, or in runs/; the latest first. Without any, folders."""
    folder = os.path.dirname(incomplete)
    found: List[Path] = []
    for place in [folder] if folder else ["", "runs"]:
        if Path(place).is_dir():
            found += reversed(places.runs_in(Path(place)))
    names = [str(path) for path in found if str(path).startswith(incomplete) or path.name.startswith(incomplete)]
    return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="dir")]


def settings(context: click.Context, param: click.Parameter, incomplete: str) -> List[CompletionItem]:
    """``field=`` with its meaning, and once the field is typed its values; a number's is its default."""
    config = kinds.kind_named(str(context.info_name)).config
    rows = [row for rows in run_settings.settings(config).values() for row in rows]
    name, equals, _ = incomplete.partition("=")
    if not equals:
        return [CompletionItem(f"{row.name}=", help=row.meaning) for row in rows if row.name.startswith(incomplete)]
    values = [f"{name}={value}" for row in rows if row.name == name for value in _values(name, row.default)]
    return [CompletionItem(value) for value in values if value.startswith(incomplete)]


def _values(name: str, default: str) -> Iterable[str]:
    """What a setting can be, if that is a few words; its ``default`` otherwise."""
    words: Dict[str, Iterable[str]] = {
        "model": model_names(),
        "optimizer": recipe.OPTIMIZERS,
        "schedule": recipe.SCHEDULES,
        "patience_metric": recipe.PATIENCE_METRICS,
    }
    return ("true", "false") if default in ("true", "false") else words.get(name, (default,))


class Bash(BashComplete):
    """click's completion for bash, which takes ``resnet18@mxnet`` and ``schedule=cosine`` for one word each.

    bash itself ends a word at "=" and before "@", and replaces only the rest. Where nothing is found it completes
    names of files.
    """

    source_template = """\
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        if [[ $type == dir ]]; then
            compopt -o dirnames
        elif [[ $type == plain ]]; then
            COMPREPLY+=("$value")
            [[ $value == *= ]] && compopt -o nospace
        fi
    done < <(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1")
}

complete -o nosort -o default -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> Tuple[List[str], str]:
        """(words before the one to be completed, that word)."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)[1:]
        self.typed = "" if not words or line[-1].isspace() else words.pop()
        return words, self.typed

    def format_completion(self, item: Any) -> str:
        """An answer without what bash keeps of the word: up to the last character that ends one; "@" is replaced."""
        ends = os.environ.get("COMP_WORDBREAKS", "")
        kept = self.typed[: max((self.typed.rfind(end) + (end != "@") for end in ends), default=0)]
        value = item.value[len(kept) :] if item.value.startswith(kept) else item.value
        return f"{item.type},{value}"


def prepare() -> None:
    """Answer bash by :class:`Bash` if a shell has started this program to ask."""
    if VARIABLE in os.environ:
        add_completion_class(Bash)
