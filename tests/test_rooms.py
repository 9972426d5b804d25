"""The order of the sub-packages: imports between them only go down. Read from the imports as text; nothing is run."""

import ast
from functools import lru_cache

import pytest

from tests.conftest import ROOT
from tests.quick import QUICK
from tests.slow_first import SLOW_FILES

PACKAGE = ROOT / "gluon_resnet"

#: From the bottom up; a sub-package imports only from floors below its own.
FLOORS = (
    ("machine",),
    ("networks",),
    ("byhand", "weights"),
    ("data", "training"),
    ("distributed",),
    ("instruments", "editions"),
    ("runs", "benchmarks", "drawing"),
    ("audit",),
    ("evaluation", "lab"),
    ("report",),
    ("play",),
    ("commands",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def modules():
    """{dotted name below the package: path} of every module; a package's name is its folder's."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports(name, path, known):
    """Dotted names below the package of what the module ``name`` imports from it, wherever in the file."""
    parts = name.split(".") if name else []
    package = parts if path.name == "__init__.py" else parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = package[: len(package) - (node.level - 1)] + (node.module.split(".") if node.module else [])
        elif node.module.split(".")[0] == "gluon_resnet":
            base = node.module.split(".")[1:]
        else:
            continue
        for alias in node.names:
            dotted = ".".join([*base, alias.name])
            yield dotted if dotted in known else ".".join(base)


@lru_cache(maxsize=None)
def arrows():
    """{(module, imported module)} of all imports inside the package."""
    known = modules()
    return {(name, target) for name, path in known.items() for target in imports(name, path, known)}


def room(name):
    return name.partition(".")[0] if name.partition(".")[0] in FLOOR else ""


def test_every_folder_is_a_room():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(FLOOR)


def test_imports_between_rooms_only_go_down():
    up = [
        f"{name} imports {target}"
        for name, target in sorted(arrows())
        if room(name) and room(target) and room(name) != room(target) and FLOOR[room(target)] >= FLOOR[room(name)]
    ]
    assert up == []


def test_the_root_has_at_most_eleven_files():
    assert len(list(PACKAGE.glob("*.py"))) <= 11


@pytest.mark.parametrize("name", ["errors", "files", "figures", "text", "devices", "version"])
def test_the_small_files_of_the_root_use_no_room_but_the_lowest(name):
    allowed = {"devices": {"machine"}}.get(name, set())  # which cards mxnet can use
    assert {room(target) for module, target in arrows() if module == name} - {""} <= allowed


def test_there_is_no_circle():
    """Modules in an order in which each comes after all that it imports; what is left over is a circle."""
    left = {}
    for name, target in arrows():
        if name not in ("", target) and target not in ("", name):
            left.setdefault(name, set()).add(target)
            left.setdefault(target, set())
    while left:
        free = [name for name, targets in left.items() if not targets]
        assert free, f"a circle among {sorted(left)}"
        for name in free:
            del left[name]
        for targets in left.values():
            targets.difference_update(free)


def test_quick_has_tests_of_every_room_that_are_there():
    assert {file.partition("/")[0] for file in QUICK if "/" in file} == set(FLOOR)
    for file, names in QUICK.items():
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert [name for name in names if f"\ndef {name}(" not in text] == [], file


def test_the_files_that_make_test_starts_first_are_there():
    assert [file for file in SLOW_FILES if not (ROOT / file).is_file()] == []
