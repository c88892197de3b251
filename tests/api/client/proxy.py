"""A proxy that passes requests to the real service, except where it is told to fail."""

import http.client
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

PASSED = ("Authorization", "X-User", "Content-Type")
Cut = Literal["cut", "cut before"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that the proxy gives itself."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Proxy:
    """What it shall do with the next requests, and what it has seen."""

    url: str
    script: deque[Answer | Cut] = field(default_factory=deque)
    always: Answer | None = None
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)

    def bodies(self) -> list[dict[str, Any]]:
        """Return the bodies of all posts so far."""
        return [json.loads(body) for method, _, body in self.seen if method == "POST"]


@contextmanager
def running_proxy(upstream: str) -> Iterator[Proxy]:
    """Run a proxy until the block ends."""
    where = upstream.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            proxy.seen.append((self.command, self.path, body))
            told = proxy.always or (proxy.script.popleft() if proxy.script else None)
            if isinstance(told, Answer):
                self._answer(told.status, told.headers, told.body)
                return
            if told == "cut before":
                self._cut()
                return
            connection = http.client.HTTPConnection(where, timeout=20)
            headers = {name: self.headers[name] for name in PASSED if name in self.headers}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            if told == "cut":
                self._cut()
                return
            self._answer(answer.status, {"Content-Type": answer.headers["Content-Type"]}, content)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - names of the standard library

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def _cut(self) -> None:
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        proxy = Proxy(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield proxy
        server.shutdown()
        thread.join()
