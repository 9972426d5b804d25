"""What can be checked of the Dockerfile and the devcontainer without Docker: files, stages, packages and shell."""

import json
import re
import shlex
import shutil
import subprocess
from fnmatch import fnmatch

from gluon_resnet import doctor

import pytest

from tests.conftest import ROOT


def instructions():
    """[(instruction, its text)] of the Dockerfile, comments left out and continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line]


def stages():
    """Names of the Dockerfile's stages that have one."""
    return [words[2] for words in (text.split() for name, text in instructions() if name == "FROM") if len(words) == 3]


def test_every_instruction_is_one_of_dockers():
    names = [name for name, _ in instructions()]
    assert names[0] == "FROM" and set(names) == {"FROM", "RUN", "COPY", "ENV", "USER", "WORKDIR", "CMD"}
    assert json.loads(instructions()[-1][1]) == ["gluon-resnet", "doctor"]


def test_what_is_copied_exists():
    copies = [shlex.split(text) for name, text in instructions() if name == "COPY"]
    assert len(copies) == 2
    for words in copies:
        if words[0].startswith("--from="):
            assert words[0][len("--from=") :] in stages()
            continue
        for source in words[:-1]:
            assert (ROOT / source).exists(), source


def test_every_stage_but_the_first_builds_on_an_earlier_one():
    bases = [text.split()[0] for name, text in instructions() if name == "FROM"]
    assert re.fullmatch(r"debian:bookworm-\d{8}-slim", bases[0])  # a tag that does not move
    for number, base in enumerate(bases[1:], start=1):
        assert base in stages()[:number], base


@pytest.mark.parametrize("text", [text for name, text in instructions() if name == "RUN"])
def test_the_shell_can_read_every_run(text):
    assert subprocess.run(["sh", "-n", "-c", text]).returncode == 0


def test_the_program_is_not_run_by_root():
    names = [name for name, _ in instructions()]
    users = [text for name, text in instructions() if name == "USER"]
    assert users == ["reader"] and names.index("USER") < len(names) - 1 - names[::-1].index("RUN")
    assert any("useradd" in text and text.endswith(" reader") for _, text in instructions())


def test_the_libraries_that_doctor_asks_for_are_installed():
    first = next(text for name, text in instructions() if name == "RUN").split()
    for library in ("libgomp.so.1", "libquadmath.so.0", "libGL.so.1", "libgthread-2.0.so.0"):
        assert doctor.DEBIAN_PACKAGES[library] in first, library


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a git checkout")
def test_nothing_that_git_has_is_ignored():
    """Otherwise the wheel of the image would record its commit as changed."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert ".venv" in patterns
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files"], check=True, text=True, stdout=subprocess.PIPE)
    for name in done.stdout.splitlines():
        parents = ["/".join(name.split("/")[:depth]) for depth in range(1, name.count("/") + 2)]
        for pattern in patterns:
            assert not any(fnmatch(parent, pattern.replace("**/", "*")) for parent in parents), (name, pattern)


def test_the_devcontainer_is_built_from_a_stage_of_the_dockerfile():
    folder = ROOT / ".devcontainer"
    content = json.loads((folder / "devcontainer.json").read_text())
    build = content["build"]
    assert (folder / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (folder / build["context"]).resolve() == ROOT
    assert build["target"] in stages()
    program, target = content["postCreateCommand"].split()
    assert program == "make" and re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)
    assert content["remoteUser"] == "reader"
