"""A real HTTP server that plays a source from a script: answers in order, failures, delays, bodies that break off."""

import gzip
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType

from tests.local_server import Asked, local_server


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a source.

    `cut_at` breaks the connection off after so many bytes of a body whose whole length was announced. `etag` and
    `modified` are sent along, and who sends them back is answered 304. `seconds` pass before the answer begins,
    `seconds_within` between its two halves.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_gzip: bool = False
    cut_at: int | None = None
    etag: str | None = None
    modified: str | None = None
    seconds: float = 0.0
    seconds_within: float = 0.0


@dataclass(slots=True)
class _Script:
    path: str
    query: Mapping[str, str | None]
    answers: list[Answer]


class SourcesServer:
    """Serves scripts at `url` as long as it is entered; `seen` holds the requests in order."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Asked] = []
        self._scripts: list[_Script] = []
        self._lock = threading.Lock()
        self._server = local_server(self._respond)

    def script(self, path: str, *answers: Answer, query: Mapping[str, str | None] | None = None) -> None:
        """Answer requests for `path` with these answers, one after the other; the last one stays.

        `query` names parameters that a request must have for it; None: that it must not have. The script with the
        most of them wins, then the newest.
        """
        with self._lock:
            self._scripts.insert(0, _Script(path, query or {}, list(answers)))
            self._scripts.sort(key=lambda script: -len(script.query))

    def asked(self, path: str) -> list[Asked]:
        """Return the requests for a path."""
        return [request for request in self.seen if request.path == path]

    def next_answer(self, request: Asked) -> Answer:
        """Return what the scripts say to a request, 404 where they say nothing."""
        with self._lock:
            self.seen.append(request)
            for script in self._scripts:
                wants = script.query.items()
                if script.path == request.path and all(request.query.get(name) == value for name, value in wants):
                    return script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
        return Answer(b"nothing is scripted here", status=404)

    def __enter__(self) -> "SourcesServer":
        self.url = self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def _respond(self, request: BaseHTTPRequestHandler, asked: Asked) -> None:
        answer = self.next_answer(asked)
        time.sleep(answer.seconds)
        validators = {"ETag": answer.etag, "Last-Modified": answer.modified}
        is_known = (answer.etag is not None and asked.headers.get("if-none-match") == answer.etag) or (
            answer.modified is not None and asked.headers.get("if-modified-since") == answer.modified
        )
        content = gzip.compress(answer.body) if answer.is_gzip else answer.body
        request.send_response_only(304 if is_known else answer.status)  # without a Date of its own
        for name, value in {**validators, **answer.headers}.items():
            if value is not None:
                request.send_header(name, value)
        if is_known:
            request.end_headers()
            return
        if answer.is_gzip:
            request.send_header("Content-Encoding", "gzip")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        _write(request, content, answer)


def _write(request: BaseHTTPRequestHandler, content: bytes, answer: Answer) -> None:
    if answer.cut_at is not None:
        request.wfile.write(content[: answer.cut_at])
        request.wfile.flush()
        request.connection.shutdown(socket.SHUT_RDWR)
        request.close_connection = True
        return
    half = len(content) // 2 if answer.seconds_within else len(content)
    request.wfile.write(content[:half])
    request.wfile.flush()
    if answer.seconds_within:
        time.sleep(answer.seconds_within)
        request.wfile.write(content[half:])
