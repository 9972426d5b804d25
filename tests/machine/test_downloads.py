"""Downloads from a real server on loopback that breaks off, stalls, redirects, changes the file or has none."""

import contextlib
import random

from gluon_resnet.machine import downloads

import pytest

from tests.conftest import Tty
from tests.file_server import Request, serving

CONTENT = random.Random(0).getrandbits(8 * 300_000).to_bytes(300_000, "little")
ALL = Request("GET", "/net.bin", None, None)


def rest(start, mark='"one"'):
    return Request("GET", "/net.bin", f"bytes={start}-", mark)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSES", (0, 0, 0, 0, 0))
    with serving(CONTENT) as running:
        yield running


@pytest.fixture
def bring(server, tmp_path):
    """Bring the server's file to a .part; (path of the .part, what was said)."""
    said = []

    def run(path="/net.bin", limit=300_000):
        downloads.bring(server.url + path, tmp_path / "net.part", "net", limit, said.append)
        return (tmp_path / "net.part").read_bytes()

    run.part, run.said = tmp_path / "net.part", said
    return run


def test_the_whole_file_in_one_go_with_a_bar(server, bring):
    terminal = Tty()
    with contextlib.redirect_stderr(terminal):
        assert bring() == CONTENT
    assert server.requests == [ALL] and bring.said == []
    assert "B/s" in terminal.getvalue()


def test_cut_off_twice_only_the_rest_is_asked_for(server, bring):
    server.cuts = [100_000, 50_000]
    assert bring() == CONTENT
    assert server.requests == [ALL, rest(100_000), rest(150_000)]
    assert len(bring.said) == 2 and bring.said[0].startswith("net: broke off after 100,000 bytes (")
    assert bring.said[1].startswith("net: broke off after 150,000 bytes (") and bring.said[1].endswith("going on")


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, bring):
    server.cuts = [10_000] * 5
    with pytest.raises(downloads.Cut, match="^broke off 5 times, the last time after 50,000 bytes"):
        bring()
    assert bring.part.read_bytes() == CONTENT[:50_000]
    assert bring() == CONTENT and server.requests[-1] == rest(50_000)


def test_a_complete_part_is_not_fetched_again(server, bring):
    bring()
    assert bring() == CONTENT
    assert server.requests == [ALL, rest(300_000)]  # answered with 416


def test_a_part_that_is_longer_than_the_file_is_fetched_from_the_start(server, bring):
    bring()
    bring.part.write_bytes(CONTENT + b"more")
    assert bring() == CONTENT
    assert server.requests == [ALL, rest(300_004), ALL]


def test_a_server_that_ignores_ranges_sends_all_of_it_again(server, bring):
    server.cuts, server.honours_ranges = [100_000], False
    assert bring() == CONTENT
    assert server.requests == [ALL, rest(100_000)]


@pytest.mark.parametrize("honours_if_range, asked", [(True, []), (False, [ALL])])
def test_a_file_that_has_changed_is_fetched_from_the_start(server, bring, monkeypatch, honours_if_range, asked):
    with monkeypatch.context() as once:
        once.setattr(downloads, "PAUSES", (0,))
        server.cuts = [100_000]
        with pytest.raises(downloads.Cut):
            bring()
    server.content, server.etag, server.honours_if_range = CONTENT[::-1], '"two"', honours_if_range
    assert bring() == CONTENT[::-1]
    assert server.requests == [ALL, rest(100_000), *asked]


@pytest.mark.parametrize("headers, mark", [({"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"},) * 2, ({}, None)])
@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_etag_the_date_is_the_mark_or_nothing(server, bring, headers, mark, etag):
    server.etag, server.headers, server.cuts, server.honours_if_range = etag, headers, [100_000], False
    assert bring() == CONTENT
    assert server.requests == [ALL, rest(100_000, mark and headers["Last-Modified"])]


def test_a_stalled_server_ends_in_one_line(server, bring, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", (5, 0.2))
    server.stalls = True
    with pytest.raises(downloads.Cut) as refusal:
        bring()
    assert str(refusal.value) == "broke off 5 times, the last time after 0 bytes (nothing for 0.2 s)"


def test_a_busy_server_is_asked_again(server, bring):
    server.statuses = [503, 429]
    assert bring() == CONTENT
    assert [line.partition("(")[2] for line in bring.said] == ["HTTP 503); going on", "HTTP 429); going on"]


def test_a_missing_file_is_asked_for_once(server, bring):
    server.statuses = [404]
    with pytest.raises(downloads.Refused, match="^HTTP 404$"):
        bring()
    assert server.requests == [ALL] and not bring.part.exists()


def test_redirects_are_followed_with_the_range(server, bring):
    server.redirects = {"/net.bin": "/other", "/other": f"{server.url}/last"}
    server.cuts = [100_000]
    assert bring() == CONTENT
    places = [(request.path, request.range) for request in server.requests]
    assert places == [(path, part) for part in (None, "bytes=100000-") for path in ("/net.bin", "/other", "/last")]


@pytest.mark.parametrize(
    "place, words",
    [
        ("http://example.com/net.bin", "http://example.com/net.bin is not an HTTPS address"),
        ("file:///etc/passwd", "file:///etc/passwd is not an HTTPS address"),
        ("/net.bin", "more than 10 redirects"),
    ],
)
def test_redirects_that_are_refused(server, bring, place, words):
    server.redirects = {"/net.bin": place}
    with pytest.raises(downloads.Refused) as refusal:
        bring()
    assert str(refusal.value) == words and not bring.part.exists()


def test_from_a_public_host_https_alone_is_followed():
    first = "https://example.com/net.bin"
    places = ("https://cdn.example.com/x", "http://example.com/x", "http://127.0.0.1/x", "ftp://example.com/x")
    assert [downloads._may_ask(place, first) for place in places] == [True, False, False, False]


def test_a_file_that_is_too_large_is_given_up(server, bring):
    with pytest.raises(downloads.Refused, match="^sends more than the 200,000 bytes that it can have$"):
        bring(limit=200_000)
    assert not list(bring.part.parent.glob("net.part*"))


def test_no_server_is_said_at_once(tmp_path, server, monkeypatch):
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: seconds and pytest.fail("waited"))
    with pytest.raises(downloads.Unreachable, match="^ConnectionError$"):
        downloads.bring("http://127.0.0.1:9/net.bin", tmp_path / "net.part", "net", 1)  # discard: nothing listens


def test_a_finished_file_has_its_name_and_nothing_else_stays(server, bring):
    bring()
    downloads.finish(bring.part, bring.part.with_name("net.bin"))
    assert [path.name for path in bring.part.parent.iterdir() if "net" in path.name] == ["net.bin"]
    assert bring.part.with_name("net.bin").stat().st_mode & 0o777 == 0o644


def test_the_first_answers_headers(server):
    server.redirects, server.headers = {"/net.bin": "/other"}, {"X-Linked-Etag": '"digits"'}
    assert downloads.first_headers(server.url + "/net.bin")["x-linked-etag"] == '"digits"'
    assert server.requests == [Request("HEAD", "/net.bin", None, None)]
    with pytest.raises(downloads.Unreachable):
        downloads.first_headers("http://127.0.0.1:9/net.bin")
