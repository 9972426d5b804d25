"""A real HTTP server on loopback that serves one file, well or badly, as a test says.

with serving(b"content") as server:
    server.cuts = [1000, 500]                         # the first two answers break off after so many bytes
    fetch(server.url + "/net.pth")
    assert [request.range for request in server.requests] == [None, "bytes=1000-", "bytes=1500-"]
"""

import contextlib
import http.server
import re
import threading
from dataclasses import dataclass, field
from typing import Dict, List, Optional


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    method: str
    path: str
    range: Optional[str]
    if_range: Optional[str]


@dataclass
class Server:
    """The file that is served, and how; a test may change all of it between two requests."""

    content: bytes
    url: str = ""
    etag: Optional[str] = '"one"'
    headers: Dict[str, str] = field(default_factory=dict)  # of every answer
    cuts: List[int] = field(default_factory=list)  # each is used up by one answer
    statuses: List[int] = field(default_factory=list)  # the same; an answer with one of these has no content
    redirects: Dict[str, str] = field(default_factory=dict)  # path -> address
    honours_ranges: bool = True
    honours_if_range: bool = True
    says_length: bool = True
    stalls: bool = False  # sends the headers, then nothing
    requests: List[Request] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)  # ends a stalled answer


def _handler(server):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_HEAD(self):
            self.do_GET(body=False)

        def do_GET(self, body=True):
            asked = Request(self.command, self.path, self.headers.get("Range"), self.headers.get("If-Range"))
            server.requests.append(asked)
            if self.path in server.redirects:
                self.answer(302, {"Location": server.redirects[self.path]})
            elif body and server.statuses:
                self.answer(server.statuses.pop(0), {"Content-Length": "0"})
            else:
                self.send_file(asked, body)

        def answer(self, status, headers):
            self.send_response(status)
            for name, value in {**server.headers, **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def send_file(self, asked, body):
            size, start = len(server.content), 0
            same = asked.if_range in (None, server.etag) or not server.honours_if_range
            if asked.range and server.honours_ranges and same:
                start = int(re.fullmatch(r"bytes=(\d+)-", asked.range)[1])
            headers = {"ETag": server.etag} if server.etag else {}
            if start >= size:
                self.answer(416, {"Content-Range": f"bytes */{size}", "Content-Length": "0", **headers})
                return
            if start:
                headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
            if server.says_length:
                headers["Content-Length"] = str(size - start)
            self.answer(206 if start else 200, headers)
            if body and server.stalls:
                server.released.wait(60)
            elif body:
                end = min(size, start + server.cuts.pop(0)) if server.cuts else size
                self.wfile.write(server.content[start:end])
            self.close_connection = True

    return Handler


@contextlib.contextmanager
def serving(content, **how):
    """A running :class:`Server` of ``content``."""
    server = Server(content, **how)
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    server.url = f"http://127.0.0.1:{running.server_port}"
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        running.shutdown()
        running.server_close()
        thread.join()
