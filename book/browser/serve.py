"""A folder of pages on a free port of this machine."""

import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Quiet(SimpleHTTPRequestHandler):
    """Python's own handler, without a line a request."""

    def log_message(self, *_):
        """Nothing."""


@contextmanager
def serve(folder):
    """Context that gives the address of a server of the files in ``folder``, such as http://127.0.0.1:40123/."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
