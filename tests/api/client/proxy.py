"""A proxy that passes requests to the real service, except where it is told to fail."""

import http.client
import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

from tests.local_server import Asked, local_server

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
    proxy = Proxy("")

    def respond(request: BaseHTTPRequestHandler, asked: Asked) -> None:
        proxy.seen.append((asked.method, request.path, asked.body))
        told = proxy.always or (proxy.script.popleft() if proxy.script else None)
        if isinstance(told, Answer):
            _answer(request, told)
        elif told == "cut before":
            request.close_connection = True
        else:
            passed_on = _ask(where, request, asked)
            if told == "cut":
                request.close_connection = True
            else:
                _answer(request, passed_on)

    with local_server(respond) as proxy.url:
        yield proxy


def _ask(where: str, request: BaseHTTPRequestHandler, asked: Asked) -> Answer:
    connection = http.client.HTTPConnection(where, timeout=20)
    headers = {name: request.headers[name] for name in PASSED if name in request.headers}
    connection.request(asked.method, request.path, asked.body or None, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return Answer(answer.status, {"Content-Type": answer.headers["Content-Type"]}, content)


def _answer(request: BaseHTTPRequestHandler, answer: Answer) -> None:
    request.send_response(answer.status)
    for name, value in (answer.headers | {"Content-Length": str(len(answer.body))}).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(answer.body)
