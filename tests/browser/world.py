"""The service as a page sees it and as its database remembers it, and a site beside it."""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

from recommender.domain import EventKind
from tests.e2e.journeys import event, send
from tests.e2e.processes import Installation, wait_until
from tests.local_server import Asked, local_server
from tests.shared import free_port

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
PAPERS: Final[list[dict[str, Any]]] = [
    {
        "id": f"2401.{number:05}",
        "title": f"Paper number {number} about the retrieval of {word}",
        "summary": f"We study the retrieval of {word} and find that it helps. " * 6,
        "authors": ["Ada Lovelace", "Charles Babbage"],
        "categories": ["cs.IR"],
        "published_at": f"2024-01-{1 + number % 28:02}T00:00:00Z",
    }
    for number, word in enumerate(("birds", "rivers", "proteins", "letters", "engines", "maps") * 7, start=1)
]
CARD_PIXELS = 300  # two and a third of them fit into the window of 700
ON_SCREEN = 2  # cards of which at least half is in it
PAGE = """<!doctype html><html lang="en">
<head><meta charset="utf-8"><title>Elsewhere</title><link rel="icon" href="data:,">
<style>body, ol {{ margin: 0; padding: 0 }} li {{ height: {pixels}px; overflow: hidden; display: block }}</style></head>
<body><ol data-slate="{slate}">{cards}</ol><script src="{script}" defer></script></body></html>"""
AWAY = '<!doctype html><link rel="icon" href="data:,"><title>Away</title>'  # or the browser asks for an icon at times
CARD = (
    '<li data-paper="{paper}"><a href="/away">open</a> <button data-event="save">save</button>'
    "<details><summary>more</summary><p>text</p></details></li>"
)


@dataclass(frozen=True, slots=True)
class Logged:
    """One event as the database has it."""

    event_id: str
    kind: str
    paper_id: str
    value: float | None
    slate_id: str | None
    position: int | None  # by the slate


@dataclass(slots=True)
class Site:
    """A web server of somebody else, with the pages it has."""

    url: str
    pages: dict[str, str] = field(default_factory=lambda: {"/away": AWAY})


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of the other site that shows a reader's list."""

    url: str
    reader: str
    slate: str
    papers: list[str]


@dataclass(slots=True)
class Watch:
    """What pages of one profile asked for and complained about."""

    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def bodies(self) -> list[dict[str, Any]]:
        """Return what was sent to the service, batch by batch."""
        posts = [request for request in self.requests if request.url.endswith("/v1/events")]
        return [json.loads(request.post_data or "") for request in posts]

    def sent_ids(self) -> list[str]:
        """Return the ids of all events sent, as often as they were."""
        return [event["id"] for body in self.bodies() for event in body["events"]]

    def hosts(self) -> set[str]:
        """Return all that was asked."""
        return {request.url.split("/")[2] for request in self.requests if not request.url.startswith("data:")}


@dataclass(frozen=True, slots=True)
class World:
    """The service and a site that shows its lists."""

    installation: Installation
    site: Site

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"http://127.0.0.1:{self.installation.port}"

    def show(self, reader: str, *, path: str = "") -> Shown:
        """Put a page with the list of a reader, who has done something before, on the other site."""
        send(self.installation, reader, event("click", PAPERS[-1]["id"]))
        page = self.installation.get("/v1/feed", reader=reader, limit=10)
        papers = [item["paper"]["id"] for item in page["items"]]
        cards = "".join(CARD.format(paper=paper) for paper in papers)
        where = path or f"/{reader}"
        self.site.pages[where] = PAGE.format(
            pixels=CARD_PIXELS, slate=page["slate"], cards=cards, script=f"{self.url}/beacon.js"
        )
        return Shown(self.site.url + where, reader, page["slate"], papers)

    def logged(self, reader: str) -> list[Logged]:
        """Return the events of a reader that came with a slate, in the order of their arrival."""
        return [logged for logged in self.all_logged(reader) if logged.slate_id is not None]

    def all_logged(self, reader: str) -> list[Logged]:
        """Return every event of a reader, in the order of their arrival."""
        query = (
            "SELECT e.event_id, e.kind, p.external_id, e.value, e.slate_id, e.slate_position FROM events e "
            "JOIN users u ON u.user_id = e.user_id JOIN papers p ON p.paper_id = e.paper_id "
            "WHERE u.external_id LIKE ? ORDER BY e.event_pk"
        )
        path = self.installation.data_dir / "paperfeed.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            rows = database.execute(query, (reader,)).fetchall()
        return [Logged(row[0], EventKind(row[1]).name.lower(), *row[2:]) for row in rows]

    def wait_logged(self, reader: str, kind: str, papers: list[str], *, seconds: float = 20) -> list[Logged]:
        """Wait until a reader's events of this kind are on exactly these papers; return them."""

        def found() -> list[str]:
            return sorted(logged.paper_id for logged in self.logged(reader) if logged.kind == kind)

        try:
            wait_until(lambda: found() == sorted(papers), seconds=seconds, what=f"{kind} of {reader}")
        except TimeoutError as error:
            raise AssertionError(f"{kind} of {reader}: {found()}, expected {sorted(papers)}") from error
        return [logged for logged in self.logged(reader) if logged.kind == kind]


def find_chromium() -> str:
    """Return the path of a browser; without one CI fails and everybody else skips, saying so."""
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is not None:
        return found
    message = "no Chromium on this machine: install one (Debian: apt install chromium) to run the browser tests"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def serve_site() -> Iterator[Site]:
    """Run a web server; to a browser its name is another site than the service's."""
    port = free_port()
    site = Site(f"http://localhost:{port}")

    def respond(request: BaseHTTPRequestHandler, asked: Asked) -> None:
        text = site.pages.get(asked.path)
        request.send_response(404 if text is None else 200)
        request.send_header("Content-Type", "text/html; charset=utf-8")
        request.end_headers()
        request.wfile.write((text or "").encode())

    with local_server(respond, port=port, protocol="HTTP/1.0"):
        yield site


def watch(context: BrowserContext) -> Watch:
    """Note from here on what the pages of a profile ask for and complain about."""
    seen = Watch()

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            seen.complaints.append(message.text)

    def ask(request: Request) -> None:
        seen.requests.append(request)

    context.on("request", ask)
    context.on("console", note)
    context.on("weberror", lambda error: seen.complaints.append(str(error.error)))
    return seen


def queue(page: Page) -> list[str]:
    """Return the ids of the events that wait in a page's storage."""
    keys = page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('paperfeed.'))")
    return [key[-36:] for key in keys]


def wait_for_queue(page: Page, count: int, *, seconds: float = 15) -> list[str]:
    """Wait until this many events wait in a page's storage; return their ids."""
    page.wait_for_function(
        "count => Object.keys(localStorage).filter(key => key.startsWith('paperfeed.')).length === count",
        arg=count,
        timeout=seconds * 1000,
    )
    return queue(page)


def open_page(context: BrowserContext, url: str) -> Page:
    """Open a page in a new tab and wait for the script."""
    page = context.new_page()
    page.goto(url)
    page.wait_for_function("window.paperfeed")
    return page
