"""A real HTTP server that plays a source from a script: answers in order, failures, delays, bodies that break off."""

import gzip
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, cast
from urllib.parse import parse_qsl, urlsplit

SECONDS_TO_END: Final = 5.0


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


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    at: float  # time.monotonic()


@dataclass(slots=True)
class _Script:
    path: str
    query: Mapping[str, str | None]
    answers: list[Answer]


class SourcesServer:
    """Serves scripts on a port of its own as long as it is entered; `seen` holds the requests in order."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._scripts: list[_Script] = []
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="source", daemon=True)

    @property
    def url(self) -> str:
        """The address under which the source is found."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def script(self, path: str, *answers: Answer, query: Mapping[str, str | None] | None = None) -> None:
        """Answer requests for `path` with these answers, one after the other; the last one stays.

        `query` names parameters that a request must have for it; None: that it must not have. The script with the
        most of them wins, then the newest.
        """
        with self._lock:
            self._scripts.insert(0, _Script(path, query or {}, list(answers)))
            self._scripts.sort(key=lambda script: -len(script.query))

    def asked(self, path: str) -> list[Seen]:
        """Return the requests for a path."""
        return [request for request in self.seen if request.path == path]

    def next_answer(self, request: Seen) -> Answer:
        """Return what the scripts say to a request, 404 where they say nothing."""
        with self._lock:
            self.seen.append(request)
            for script in self._scripts:
                wants = script.query.items()
                if script.path == request.path and all(request.query.get(name) == value for name, value in wants):
                    return script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
        return Answer(b"nothing is scripted here", status=404)

    def __enter__(self) -> "SourcesServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(SECONDS_TO_END)


class _Server(ThreadingHTTPServer):
    owner: SourcesServer
    daemon_threads = True
    block_on_close = False  # a client that keeps its connection open must not keep the test

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away in the middle are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        request = Seen(self.command, parts.path, query, headers, body, time.monotonic())
        answer = cast("_Server", self.server).owner.next_answer(request)
        time.sleep(answer.seconds)
        validators = {"ETag": answer.etag, "Last-Modified": answer.modified}
        is_known = (answer.etag is not None and headers.get("if-none-match") == answer.etag) or (
            answer.modified is not None and headers.get("if-modified-since") == answer.modified
        )
        content = gzip.compress(answer.body) if answer.is_gzip else answer.body
        self.send_response_only(304 if is_known else answer.status)  # without a Date of its own
        for name, value in {**validators, **answer.headers}.items():
            if value is not None:
                self.send_header(name, value)
        if is_known:
            self.end_headers()
            return
        if answer.is_gzip:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self._write(content, answer)

    def _write(self, content: bytes, answer: Answer) -> None:
        if answer.cut_at is not None:
            self.wfile.write(content[: answer.cut_at])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        half = len(content) // 2 if answer.seconds_within else len(content)
        self.wfile.write(content[:half])
        self.wfile.flush()
        if answer.seconds_within:
            time.sleep(answer.seconds_within)
            self.wfile.write(content[half:])
