"""Host files, addresses that are refused, ports."""

import socket

from gluon_resnet.distributed import addresses
from gluon_resnet.errors import ConfigError

import pytest


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.9.9"]
)
def test_loopback_and_rfc_1918_are_allowed(address):
    assert addresses.address_of(address) == address


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "172.15.0.1", "172.32.0.1", "192.169.0.1", "11.0.0.1", "0.0.0.0", "100.64.0.1"]
)
def test_others_are_refused_unless_named(address):
    with pytest.raises(ConfigError, match=f"{address}: the address {address} is neither .*--trust {address}"):
        addresses.address_of(address)
    assert addresses.address_of(address, [address]) == address
    assert addresses.address_of(address, ["10.9.9.9", f"{address}/9"]) == address


def test_an_unknown_host_and_an_unknown_network():
    with pytest.raises(ConfigError, match="no-such-host.invalid: no such host"):
        addresses.address_of("no-such-host.invalid")
    with pytest.raises(ConfigError, match="--trust 300.0.0.1: expected an IPv4 address or network"):
        addresses.trusted_networks(["300.0.0.1"])


def test_a_host_file(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("# the lab\n10.255.0.1 slots=4   # the large one\n\n10.255.0.2\n")
    first, second = addresses.read_hosts(path)
    assert (first.address, first.slots, first.is_here) == ("10.255.0.1", 4, False)
    assert (second.address, second.slots) == ("10.255.0.2", 1)
    path.write_text("127.0.0.1 slots=2\n")
    assert addresses.read_hosts(path)[0].is_here


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "no host in it: expected an address on each line"),
        ("10.0.0.1 slots=0", "line 1: found '10.0.0.1 slots=0': expected an address, then slots=N if not 1"),
        ("10.0.0.1\n10.0.0.2 slots=two", "line 2: found"),
        ("10.0.0.1 slots=99999", "line 1: found"),
        ("10.0.0.1 4", "line 1: found"),
        ("10.0.0.1 slots=1 x", "line 1: found"),
        ("-oProxyCommand=x", "line 1: found"),
        ("8.8.8.8", "line 1: 8.8.8.8: the address 8.8.8.8 is neither of this machine nor of a private network"),
        ("10.0.0.1\n10.0.0.1", "line 2: 10.0.0.1 (10.0.0.1) is listed twice"),
        ("10.0.0.1\n127.0.0.1", "a loopback address among others, who cannot reach it"),
    ],
)
def test_host_files_that_are_refused(tmp_path, text, message):
    path = tmp_path / "hosts"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        addresses.read_hosts(path)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_a_host_file_that_is_not_there_or_no_text(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        addresses.read_hosts(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        addresses.read_hosts(tmp_path / "binary")


def test_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} of 127.0.0.1: cannot be used .*another with --port"):
            addresses.free_port("127.0.0.1", port)
    assert addresses.free_port("127.0.0.1", port) == port
    assert addresses.free_port("127.0.0.1") > 1023
