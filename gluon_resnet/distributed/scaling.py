"""How fast N machines would train, on paper: from one machine's step, the gradients' bytes and the network's speed.

    machine = Machine(images=64, step_seconds=0.32, gradient_bytes=44.7e6, store_bytes=0.9e9)
    forecast(machine, workers=16, servers=4, link=1.25e9)

The model, for synchronous training whose servers have machines of their own:

- A step computes for the same time on every machine, as each has as many images as before.
- A worker then sends its gradients and receives their sums: G bytes each way. A server receives and sends N G / S.
  Links are full-duplex, but the sums can only come after the gradients: 2 max(G, N G / S) / B seconds.
- B is the link's speed, or that of the store's software where it is slower, which is measured on loopback.
- Nothing overlaps. In truth mxnet sends the last layer's gradients while it computes the first's: a lower bound.
"""

from dataclasses import dataclass
from typing import List, Optional, Sequence

from ..text import count

GBIT = 1e9 / 8  # bytes a second
LINKS = (1, 10, 100)  # Gbit/s
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
GOOD = 0.9  # servers are enough if more of them would not make it a tenth faster


@dataclass(frozen=True)
class Machine:
    """What was measured on one machine."""

    images: int  # of a batch
    step_seconds: float  # forward, backward and update
    gradient_bytes: float  # of the parameters that are trained, float32
    store_bytes: float  # bytes a second that the store moves in one direction on loopback


@dataclass(frozen=True)
class Forecast:
    """A job on paper."""

    workers: int
    servers: int
    images_per_second: float
    efficiency: float  # of what as many machines would do without exchanging anything
    network_seconds: float  # of a step


def network_seconds(machine: Machine, workers: int, servers: int, link: float) -> float:
    """Seconds of a step in which gradients and sums are under way.

    Args:
        machine: what was measured.
        workers: machines that train; one alone exchanges nothing.
        servers: machines that sum.
        link: bytes a second of each machine, in each direction.
    """
    if workers == 1:
        return 0.0
    busiest = max(1.0, workers / servers)  # gradients through the busiest link, in one direction
    return 2 * busiest * machine.gradient_bytes / min(link, machine.store_bytes)


def forecast(machine: Machine, workers: int, servers: int, link: float) -> Forecast:
    """The :class:`Forecast` of a job; the arguments are those of :func:`network_seconds`."""
    network = network_seconds(machine, workers, servers, link)
    efficiency = machine.step_seconds / (machine.step_seconds + network)
    return Forecast(workers, servers, efficiency * workers * machine.images / machine.step_seconds, efficiency, network)


def servers_needed(machine: Machine, workers: int, link: float) -> int:
    """The fewest servers with which a job is within a tenth as fast as with a server for each worker; 0 for one."""
    if workers == 1:
        return 0
    best = forecast(machine, workers, workers, link).images_per_second
    return next(
        servers
        for servers in range(1, workers + 1)
        if forecast(machine, workers, servers, link).images_per_second >= GOOD * best
    )


def network_limit(machine: Machine, link: float) -> Optional[int]:
    """With one server: the number of workers from which on the network takes more of a step than computing, or None.

    None if that is beyond the largest number of the table.
    """
    return next(
        (n for n in range(2, WORKERS[-1] + 1) if network_seconds(machine, n, 1, link) > machine.step_seconds), None
    )


def rows(machine: Machine, links: Sequence[int] = LINKS, workers: Sequence[int] = WORKERS) -> List[List[str]]:
    """The table: for each number of workers and each link (Gbit/s) the servers, images a second and the efficiency."""
    made = []
    for number in workers:
        row = [str(number)]
        for link in links:
            servers = servers_needed(machine, number, link * GBIT)
            found = forecast(machine, number, max(1, servers), link * GBIT)
            row.append(f"{found.images_per_second:,.0f} ({found.efficiency:.0%}, {count(servers, 'server')})")
        made.append(row)
    return made


def markdown(name: str, machine: Machine) -> str:
    """The table and what it is made from, as Markdown."""
    lines = [
        f"{name}: {count(machine.images, 'image')} in {machine.step_seconds:.3g} s on one machine, gradients of "
        f"{machine.gradient_bytes / 1e6:.1f} MB, the store on loopback {machine.store_bytes / 1e9:.2f} GB/s each way.",
        "",
        "| workers | " + " | ".join(f"{link} Gbit/s" for link in LINKS) + " |",
        "| ---: |" + " ---: |" * len(LINKS),
        *("| " + " | ".join(row) + " |" for row in rows(machine)),
        "",
    ]
    for link in LINKS:
        limit, share = network_limit(machine, link * GBIT), network_seconds(machine, 2, 2, link * GBIT)
        one = (
            f"with one server from {count(limit, 'worker')} on"
            if limit
            else f"with one server, at {WORKERS[-1]} workers not yet"
        )
        lines.append(
            f"- {link} Gbit/s: with a server for each worker the exchange takes {share:.3g} s of a step, "
            f"whatever their number; the network takes longer than computing {one}."
        )
    return "\n".join(lines)
