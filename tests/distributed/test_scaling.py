"""The forecast for many machines, by hand; and the command that writes it."""

from gluon_resnet.distributed import scaling
from gluon_resnet.distributed.scaling import GBIT, Machine

import pytest

#: 100 images in a second; 125 MB of gradients, which take a second each way over 1 Gbit/s
MACHINE = Machine(images=100, step_seconds=1.0, gradient_bytes=125e6, store_bytes=1e12)


@pytest.mark.parametrize(
    "workers, servers, gbit, seconds, images",
    [
        (1, 1, 1, 0.0, 100.0),  # alone: nothing is exchanged
        (2, 2, 1, 2.0, 200 / 3),  # a second there, a second back: three seconds a step
        (2, 1, 1, 4.0, 200 / 5),  # twice as much through the server's link
        (8, 8, 10, 0.2, 800 / 1.2),
        (8, 2, 10, 0.8, 800 / 1.8),
        (8, 16, 10, 0.2, 800 / 1.2),  # a worker's own link is the limit
    ],
)
def test_a_step_by_hand(workers, servers, gbit, seconds, images):
    found = scaling.forecast(MACHINE, workers, servers, gbit * GBIT)
    assert found.network_seconds == pytest.approx(seconds)
    assert found.images_per_second == pytest.approx(images)
    assert found.efficiency == pytest.approx(1 / (1 + seconds))


def test_the_stores_own_speed_is_a_limit():
    slow = Machine(100, 1.0, 125e6, store_bytes=125e6)
    assert scaling.network_seconds(slow, 2, 2, 100 * GBIT) == pytest.approx(2.0)


def test_servers_needed_by_hand():
    """8 workers at 10 Gbit/s: 8 servers 666.7 images/s, 5 (0.32 s) 606.1, 4 (0.4 s) 571.4; 90 % of the best is 600."""
    assert scaling.servers_needed(MACHINE, 8, 10 * GBIT) == 5
    assert scaling.servers_needed(MACHINE, 1, 10 * GBIT) == 0


def test_where_the_network_becomes_the_limit_by_hand():
    """With one server N workers take 0.2 N seconds at 10 Gbit/s and 0.02 N at 100; computing takes one."""
    assert scaling.network_limit(MACHINE, 10 * GBIT) == 6
    assert scaling.network_limit(MACHINE, 100 * GBIT) == 51
    assert scaling.network_limit(MACHINE, 100_000 * GBIT) is None


def test_the_command_writes_the_table_between_its_marks(run_cli, tmp_path):
    path = tmp_path / "doc.md"
    path.write_text("before\n<!-- bench scaling: begin -->\nold\n<!-- bench scaling: end -->\nafter\n")
    done = run_cli("scaling", "resnet18", "--rate", 200, "--images", 256, "--store", 1, "--docs", path)
    assert done.returncode == 0, done.stderr
    text = path.read_text()
    assert "old" not in text and text.startswith("before\n") and text.endswith("after\n")
    assert "gradients of 44.7 MB" in text  # 11,175,370 parameters of 4 bytes: d2l's network for 10 classes
    rows = [line for line in text.splitlines() if line.startswith("| 1 ") or line.startswith("| 256 ")]
    assert rows[0].count("200 (100%, 0 servers)") == 3 and len(rows) == 2


@pytest.mark.parametrize(
    "words, message",
    [
        (["--rate", "0"], "--rate"),
        (["--rate", "1"], "one of --store GB/S and --measure is needed"),
        (["--rate", "1", "--store", "1", "--measure"], "one of --store GB/S and --measure is needed"),
        (["--rate", "1", "--store", "-1"], "--store"),
        (["--rate", "1", "--store", "1", "--docs", "/nowhere/x.md"], "/nowhere/x.md: cannot be read"),
        (["--rate", "1", "--store", "1", "--images", "0"], "--images"),
    ],
)
def test_refusals(refusal, words, message):
    assert message in refusal("scaling", "resnet18", *words)
