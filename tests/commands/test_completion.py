"""Completion in a shell: what the Tab key finds, asked as bash asks."""

import shutil
import subprocess
import sys

import pytest


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(
    "words, found",
    [
        ("gluon-resnet tra", "train transcript"),
        ("gluon-resnet train fash", "fashion-mnist"),
        ("gluon-resnet train fashion-mnist --re", "--resize --resume"),
    ],
)
def test_bash_completes_commands_and_options(tmp_path, words, found):
    program = tmp_path / "gluon-resnet"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m gluon_resnet "$@"\n')
    program.chmod(0o755)
    script = f"""PATH={tmp_path}:$PATH
eval "$(_GLUON_RESNET_COMPLETE=bash_source gluon-resnet)"
COMP_WORDS=({words}); COMP_CWORD={len(words.split()) - 1}
_gluon_resnet_completion gluon-resnet; echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "--norc", "-c", script], text=True, capture_output=True)
    assert done.stdout.strip() == found, done.stderr
