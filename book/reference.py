"""The pages of the reference: what the package hands out, and its modules by subject, all out of the docstrings."""

import re

import gluon_resnet

TITLE = "Reference"
SECTION = re.compile("(Args|Returns|Raises):")
#: page -> (title, modules of gluon_resnet)
PAGES = {
    "networks": (
        "Networks",
        (
            "networks.specs",
            "networks.families",
            "networks.models",
            "networks.blocks",
            "networks.shortcuts",
            "networks.layers",
            "networks.preactivation",
            "networks.slim",
            "networks.heads",
            "networks.layout",
            "networks.cost",
            "devices",
        ),
    ),
    "looking": (
        "Looking at networks",
        (
            "networks.shapes",
            "instruments.table1",
            "instruments.reconcile",
            "drawing",
            "instruments.engines",
            "instruments.microscope",
            "instruments.gradcam",
        ),
    ),
    "data": (
        "Data",
        (
            "data.fashion_mnist",
            "data.sources",
            "data.image_folder",
            "data.pictures",
            "data.decoded",
            "data.augment",
            "data.batches",
            "data.scan",
            "data.records",
            "data.record_files",
            "data.images",
            "data.labels",
        ),
    ),
    "training": (
        "Training",
        (
            "training.train",
            "training.loop",
            "training.recipe",
            "training.optimizers",
            "training.schedules",
            "training.averages",
            "training.lr_finder",
            "training.precision",
            "training.progress",
            "training.checkpoint",
        ),
    ),
    "results": (
        "Runs and results",
        (
            "runs.folder",
            "runs.table",
            "report.page",
            "evaluation.evaluate",
            "evaluation.metrics",
            "evaluation.predict",
            "training.curves",
            "lab.transcript",
        ),
    ),
    "weights": (
        "Weights, in and out",
        ("weights", "weights.pretrained", "weights.published", "weights.catalogue", "weights.export"),
    ),
    "byhand": (
        "By hand",
        ("byhand", "byhand.resnet", "byhand.conv", "byhand.norm", "byhand.pooling", "byhand.heads", "byhand.params"),
    ),
    "lab": ("Experiments", ("lab.experiment", "lab.claims", "lab.budget", "lab.results", "lab.published")),
    "audit": (
        "The audit of a data set",
        ("audit.duplicates", "audit.confident", "audit.clean", "audit.files", "lab.audit", "lab.folds", "lab.clean"),
    ),
    "house": ("The house", ("machine.env", "errors", "chapter")),
}


def heading(text, line):
    """A heading of reStructuredText, underlined with ``line``."""
    return f"{text}\n{line * len(text)}\n"


def _public():
    """The page of the names that ``import gluon_resnet as gr`` gives."""
    homes = gluon_resnet._HOMES
    names = sorted(
        (name for name in homes if callable(getattr(gluon_resnet, name))), key=lambda name: (homes[name], name)
    )
    parts = [
        heading("gluon_resnet", "="),
        ".. py:module:: gluon_resnet\n\n.. currentmodule:: gluon_resnet\n",
        ".. autosummary::\n   :nosignatures:\n\n" + "".join(f"   {name}\n" for name in names),
    ]
    for name in names:
        is_class = isinstance(getattr(gluon_resnet, name), type)
        parts.append(f".. autoclass:: {name}\n   :members:\n" if is_class else f".. autofunction:: {name}\n")
    for name in sorted(set(homes) - set(names)):
        home, _, own_name = homes[name].partition(":")
        parts.append(f".. py:data:: {name}\n\n   See :py:data:`gluon_resnet.{home}.{own_name or name}`.\n")
    return "\n".join(parts)


def _modules(title, modules):
    """The page of some modules: of each its docstring, and what is public in it."""
    parts = [heading(title, "=")]
    for module in modules:
        parts += [
            heading(module, "-"),
            f".. automodule:: gluon_resnet.{module}\n   :members:\n   :member-order: bysource\n",
        ]
    return "\n".join(parts)


def write(folder):
    """The pages as reStructuredText into ``folder``."""
    folder.mkdir()
    (folder / "gluon_resnet.rst").write_text(_public(), encoding="utf-8")
    for name, (title, modules) in PAGES.items():
        (folder / f"{name}.rst").write_text(_modules(title, modules), encoding="utf-8")
    listed = "".join(f"   {name}\n" for name in ("gluon_resnet", *PAGES))
    (folder / "index.rst").write_text(
        f"{heading(TITLE, '=')}\nWhat ``import gluon_resnet as gr`` gives, and the modules that it comes from.\n\n"
        f".. toctree::\n   :maxdepth: 2\n\n{listed}",
        encoding="utf-8",
    )


def _begins_example(lines, number):
    """Does an indented example begin at this line: behind an empty line, with nothing in front that it belongs to?"""
    before = [line for line in lines[:number] if line.strip()]
    return (
        lines[number].startswith("    ")
        and bool(before)
        and not lines[number - 1].strip()
        and not before[-1].startswith("    ")
        and not before[-1].endswith("::")
        and not before[-1].lstrip().startswith(("..", "-", "*"))
    )


def escaped(line):
    """A line in which stars and bars are what they are, not markup; nothing in ``literals`` is changed."""
    parts = re.split(r"(``.*?``)", line)
    return "".join(part if part.startswith("``") else re.sub(r"([*|@])", r"\\\1", part) for part in parts)


def plain_docstring(app, what, name, thing, options, lines):
    """Make reStructuredText of a docstring, in place: an event of autodoc, before napoleon reads the sections.

    The docstrings are plain text; examples are indented lines, and Args:, Returns: and Raises: are Google's sections.
    """
    if what == "module" and thing.__doc__:  # Sphinx has taken the indentation of an example at the end away
        lines[:] = [*thing.__doc__.rstrip().split("\n"), ""]
    text, section = [], ""
    for number, line in enumerate(lines):
        if line.strip() and not line.startswith("    "):
            match = SECTION.fullmatch(line)
            section = match.group(1) if match else ""
        if _begins_example(lines, number):
            text += ["::", ""]
        if section == "Returns" and lines[number - 1] == "Returns:":
            line = re.sub(r"^ +", r"\g<0>: ", line)  # no type: napoleon takes the words before a colon for one
        as_is = line.startswith("    ") and not section or line.lstrip().startswith("* ")
        text.append(line if as_is else escaped(line))
    lines[:] = text
