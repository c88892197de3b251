"""A host of the tests: a real HTTP server that answers as it is told and remembers what it was asked."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Final

import orjson

from tests.local_server import Asked, local_server

ATOM: Final = (
    b"<feed xmlns='http://www.w3.org/2005/Atom' xmlns:opensearch='http://a9.com/-/spec/opensearch/1.1/'>"
    b"<opensearch:totalResults>1</opensearch:totalResults><entry><id>http://arxiv.org/abs/2603.00001v1</id>"
    b"<title>From arXiv</title><summary>Words.</summary><published>2026-03-13T00:00:00Z</published>"
    b"<updated>2026-03-13T00:00:00Z</updated><category term='cs.AI'/></entry></feed>"
)


@dataclass(slots=True)
class Reply:
    """What is answered; `pause` before it, `hang` instead of it."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None  # that is announced, of the body unless told otherwise
    pause: float = 0.0
    hang: bool = False


Answer = Callable[[Asked], Reply]


@dataclass(slots=True)
class Host:
    """The server's side: set `answer`, look into `asked`."""

    url: str
    answer: Answer
    asked: list[Asked] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, request: BaseHTTPRequestHandler, asked: Asked) -> None:
        """Answer one request."""
        with self._lock:
            self.asked.append(asked)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            self._send(request, self.answer(asked))
        except (BrokenPipeError, ConnectionResetError):
            return
        finally:
            with self._lock:
                self._now -= 1

    def _send(self, request: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.hang:
            self.is_over.wait(120)
            request.close_connection = True
            return
        self.is_over.wait(reply.pause)
        request.send_response(reply.status)
        for name, value in reply.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
        request.end_headers()
        request.wfile.write(reply.body)
        request.close_connection = True


@contextmanager
def host(answer: Answer) -> Iterator[Host]:
    """Run a host while the block lasts."""
    found = Host("", answer)
    with local_server(found.reply, protocol="HTTP/1.0") as found.url:
        try:
            yield found
        finally:
            found.is_over.set()


def always(reply: Reply) -> Answer:
    """Return an answer that is the same to everything."""
    return lambda _: reply


def in_turn(*replies: Reply) -> Answer:
    """Return an answer that gives these one after another, and the last one from then on."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def daily_item(number: int, *, day: str = "2026-03-14", upvotes: int = 3) -> dict[str, object]:
    """Return an item of a daily list."""
    paper = {
        "id": f"2603.{number:05d}",
        "title": f"Daily paper {number}",
        "summary": "What it says.",
        "upvotes": upvotes,
        "submittedOnDailyAt": f"{day}T01:00:00.000Z",
        "publishedAt": f"{day}T00:00:00.000Z",
    }
    return {"paper": paper, "title": paper["title"], "numComments": 1, "publishedAt": f"{day}T01:00:00.000Z"}


def daily_list(*numbers: int, upvotes: int = 3) -> bytes:
    """Return a daily list of these papers."""
    return orjson.dumps([daily_item(number, upvotes=upvotes) for number in numbers])


def by_day(asked: Asked) -> Reply:
    """Three papers a day, none on the newest list."""
    day = asked.query.get("date")
    return Reply(daily_list(*(int(f"{day[-2:]}{at}") for at in range(3))) if day else b"[]")
