"""Every input that once did harm is answered by a value or by one typed error, in little memory and time.

Those that take seconds to make or to read are left to ``make fuzz``.
"""

import shutil
from pathlib import Path

import pytest

from tests.fuzz import hostile  # noqa: F401  it fills the registry
from tests.fuzz.registry import HEAVY, HOSTILE, VALUES
from tests.fuzz.sandbox import SECONDS, Sandbox
from tests.fuzz.targets import TARGETS

CRASHES = sorted((Path(__file__).parent / "crashes").glob("*-*"))
NAMES = [pytest.param(name, marks=pytest.mark.fuzz) if name in HEAVY else name for name in HOSTILE]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as server:
        yield server


@pytest.mark.parametrize("name", NAMES)
def test_it_is_answered(sandbox, tmp_path, name):
    target, *names = HOSTILE[name](tmp_path)
    outcome = sandbox.attempt(target, tmp_path, *names, seconds=6 * SECONDS if name in HEAVY else SECONDS)
    print(f"{outcome.seconds:.1f} s, {outcome.memory:,} bytes")
    assert outcome.kind == ("value" if name in VALUES else "refused"), outcome


@pytest.mark.parametrize("path", CRASHES, ids=[path.name for path in CRASHES])
def test_what_make_fuzz_has_found(sandbox, tmp_path, path):
    target = path.name.rpartition("-")[0]
    shutil.copy(path, tmp_path / TARGETS[target].file)
    outcome = sandbox.attempt(target, tmp_path, TARGETS[target].file)
    assert outcome.allowed, outcome
