"""Which machines a job may use: the host file, addresses, ports.

    hosts = read_hosts("hosts.txt", trusted=())           # [Host("10.0.0.1", 2), ...]

Whoever reaches the ports of a job can change its parameters: ps-lite asks nobody for a name. So an address must be of
this machine or of a private network (RFC 1918), unless the user names it.
"""

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence, Union

from ..errors import ConfigError

#: loopback, and the networks that RFC 1918 sets aside
ALLOWED = tuple(map(ipaddress.IPv4Network, ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
LOOPBACK = "127.0.0.1"
MOST_WORKERS = 1024  # of one machine, in a host file


@dataclass(frozen=True)
class Host:
    """A machine of the host file: its name there, its IPv4 address, and how many workers it takes."""

    name: str
    address: str
    slots: int = 1
    is_here: bool = False  # this machine: no ssh is needed


def here(slots: int = 1) -> Host:
    """This machine, for a job that needs no other."""
    return Host(LOOPBACK, LOOPBACK, slots, is_here=True)


def is_own(address: str) -> bool:
    """Whether an address is this machine's: then a socket can be bound to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True


def trusted_networks(texts: Sequence[str]) -> List[ipaddress.IPv4Network]:
    """The networks that the user names in addition: addresses, or networks such as 100.64.0.0/10."""
    networks = []
    for text in texts:
        try:
            networks.append(ipaddress.IPv4Network(text, strict=False))
        except ValueError:
            raise ConfigError(
                f"--trust {text}: expected an IPv4 address or network, such as 203.0.113.7 or 100.64.0.0/10"
            ) from None
    return networks


def resolved(name: str) -> str:
    """The IPv4 address of a host, which is what ps-lite takes; ConfigError if it is unknown."""
    try:
        return str(socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{name}: no such host ({getattr(error, 'strerror', error)}): expected its address") from None


def address_of(name: str, trusted: Sequence[str] = ()) -> str:
    """The IPv4 address of a host; ConfigError if it is unknown or not trusted."""
    address = resolved(name)
    number = ipaddress.IPv4Address(address)
    if not any(number in network for network in (*ALLOWED, *trusted_networks(trusted))):
        raise ConfigError(
            f"{name}: the address {address} is neither of this machine nor of a private network: whoever reaches it "
            f"could change the training; name it with --trust {address} if the network is yours"
        )
    return address


def read_hosts(path: Union[str, Path], trusted: Sequence[str] = ()) -> List[Host]:
    """The machines of a host file: an address or name on each line, with ``slots=N`` if it takes several workers.

    Empty lines and what follows # are left out. Raises ConfigError if it cannot be used.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})") from None
    hosts: List[Host] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        where, slots = f"{path}, line {number}", "slots=1"
        if len(words) == 2:
            slots = words[1]
        count = slots[len("slots=") :]
        right = slots.startswith("slots=") and count.isascii() and count.isdigit() and len(count) < 5
        if len(words) > 2 or not right or not 1 <= int(count) <= MOST_WORKERS or words[0].startswith("-"):
            raise ConfigError(f"{where}: found {line.strip()[:60]!r}: expected an address, then slots=N if not 1")
        try:
            address = address_of(words[0], trusted)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
        if address in [known.address for known in hosts]:
            raise ConfigError(f"{where}: {words[0]} ({address}) is listed twice: expected one line with slots=N")
        hosts.append(Host(words[0], address, int(count), is_own(address)))
    if not hosts:
        raise ConfigError(f"{path}: no host in it: expected an address on each line")
    if len({ipaddress.IPv4Address(host.address).is_loopback for host in hosts}) > 1:
        raise ConfigError(f"{path}: a loopback address among others, who cannot reach it: give this machine's own")
    return hosts


def own_address(towards: str) -> str:
    """The address that this machine has on the way to another one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))
        except OSError as error:
            raise ConfigError(f"{towards}: no way there ({error.strerror}): expected an address in reach") from None
        return str(probe.getsockname()[0])


def free_port(address: str, wanted: int = 0) -> int:
    """``wanted`` if it is free on this machine's ``address``, or any free port; ConfigError if it is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not if it only waits for its end
        try:
            probe.bind((address, wanted))
        except OSError as error:
            raise ConfigError(
                f"port {wanted} of {address}: cannot be used ({error.strerror}): name another with --port, or leave "
                f"--port out"
            ) from None
        return int(probe.getsockname()[1])
