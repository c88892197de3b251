"""A real HTTP server on a port of its own, for tests of what asks others."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qsl, urlsplit

POLL_SECONDS: Final = 0.02
SECONDS_TO_END: Final = 5.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: dict[str, str]  # names in lower case
    body: bytes
    at: float  # time.monotonic()


Respond = Callable[[BaseHTTPRequestHandler, Asked], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client that keeps its connection open must not keep the test

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away in the middle are what some tests are about."""


@contextmanager
def local_server(respond: Respond, *, port: int = 0, protocol: str = "HTTP/1.1") -> Iterator[str]:
    """Answer every request by `respond` while the block lasts; gives the server's address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = protocol

        def do_GET(self) -> None:
            respond(self, _asked(self))

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - names of the standard library

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with _Server(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), name="local server", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(SECONDS_TO_END)


def _asked(request: BaseHTTPRequestHandler) -> Asked:
    parts = urlsplit(request.path)
    body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
    headers = {name.lower(): value for name, value in request.headers.items()}
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Asked(request.command, parts.path, query, headers, body, time.monotonic())
