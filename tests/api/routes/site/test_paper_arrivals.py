"""How somebody came to a paper's page: which list led there, what counts as a click, and why they see it."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import orjson
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.services.accounts import create_token
from api.services.slates import open_slate
from api.store.engine import Database
from api.store.tables import Event
from recommender.domain import EventKind
from tests.api.feed_world import load_installation, register_model
from tests.api.hub_world import MONDAY
from tests.api.routes.site.conftest import hidden_fields
from tests.api.routes.site.pages import HTML

_ARTICLE = re.compile(
    r'<article class="paper"[^>]*data-slate="([^"]+)"[^>]*data-paper="([^"]+)"[^>]*data-clicked="([^"]*)"'
)


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


def article(page: str) -> tuple[str, str, str]:
    """Return the slate of a page, its paper, and what the beacon reports when it was looked at."""
    found = _ARTICLE.search(page)
    assert found is not None, page
    return unescape(found[1]), unescape(found[2]), found[3]


def report(browser: TestClient, slate: str, kind: str, paper: str, value: float | None = None) -> dict[str, object]:
    """Send what the beacon sends; return what became of it."""
    now = datetime.now(UTC).isoformat()
    event: dict[str, object] = {"id": str(uuid4()), "kind": kind, "paper_id": paper, "occurred_at": now}
    event |= {} if value is None else {"value": value}
    body = orjson.dumps({"slate": slate, "sent_at": now, "events": [event]})
    answer = browser.post("/v1/events", content=body, headers={"content-type": "text/plain;charset=UTF-8"})
    found: dict[str, object] = answer.json()["results"][0]
    return found


def logged(runtime: Runtime) -> list[Event]:
    """Return what was recorded in this test."""
    with runtime.db.read() as session:
        return list(session.scalars(sa.select(Event).where(sa.not_(Event.is_import)).order_by(Event.event_pk)))


def read_feed(browser: TestClient, runtime: Runtime, reader: str) -> dict[str, Any]:
    """Return a reader's list with its token, as mails are made of it."""
    with runtime.db.write() as session:
        token = create_token(session, external_user=None, scopes=("read",), label="test", now=MONDAY)[1]
    headers = {"Authorization": f"Bearer {token}", "X-User": reader, "Accept": "application/json"}
    found: dict[str, Any] = browser.get("/v1/feed", headers=headers).json()
    return found


def digest_link(browser: TestClient, runtime: Runtime, reader: str) -> tuple[str, str, int]:
    """Return the token, a paper and its place, as a mail to a reader has them."""
    feed = read_feed(browser, runtime, reader)
    item = feed["items"][2]
    return feed["slate"], item["paper"]["id"], 3


def test_a_click_in_a_mail_counts_once_a_person_looks_and_for_whom_it_was_written(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    slate, paper, position = digest_link(local, runtime_of_local, "u3")
    for _ in range(3):  # as programs that look behind links do
        page = local.get(f"/papers/{paper}?slate={quote(slate)}&position={position}").text
    assert logged(runtime_of_local) == []
    assert article(page) == (slate, paper, "click")
    assert f"place {position} of a list of" in page
    assert report(local, slate, "click", paper)["status"] == "accepted"
    [event] = logged(runtime_of_local)
    assert EventKind(event.kind) is EventKind.CLICK
    assert (event.user_id, event.slate_position) == (3, position)


@pytest.mark.parametrize("kind", ["forged", "of another paper", "cut", "long"])
def test_a_token_that_does_not_fit_is_as_none(local: TestClient, runtime_of_local: Runtime, kind: str) -> None:
    slate, paper, _ = digest_link(local, runtime_of_local, "u3")
    token = {"forged": slate[:-4] + "AAAA", "of another paper": slate, "cut": slate[:40], "long": slate * 40}[kind]
    shown = {one["paper"]["id"] for one in read_feed(local, runtime_of_local, "u3")["items"]}
    name = paper if kind != "of another paper" else next(f"p{at}" for at in range(1000, 1160) if f"p{at}" not in shown)
    page = local.get(f"/papers/{name}?slate={quote(token)}").text
    used, _, clicked = article(page)
    assert used != token
    assert clicked == ""
    assert "place" not in page.split('class="reason"')[-1][:200] or 'class="reason"' not in page


def test_a_page_asked_for_by_itself_counts_how_long_it_is_read_and_no_impression(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    local.get("/papers/p1000")
    slate, paper, clicked = article(local.get("/papers/p1000").text)
    assert (paper, clicked) == ("p1000", "")
    settings = runtime_of_local.settings
    opened = open_slate(runtime_of_local.keys, slate, now=datetime.now(UTC), days=settings.slate_days)
    assert not isinstance(opened, str)
    assert list(opened.papers) == [1000]
    assert report(local, slate, "read", "p1000", 12.0)["status"] == "accepted"
    assert [EventKind(event.kind) for event in logged(runtime_of_local)] == [EventKind.READ]


def test_a_reader_is_told_why_their_list_has_the_paper(client: TestClient, runtime: Runtime) -> None:
    load_installation(runtime.db)
    register_model(runtime.db, runtime.settings.models_dir)
    runtime.serving.poll()
    fields = hidden_fields(client.get("/", headers=HTML).text)
    pressed = client.post("/act", data={**fields, "save": "p1000"}, headers={**HTML, "Origin": "http://testserver"})
    assert pressed.status_code == 200
    listed = client.get("/for-you", headers=HTML).text
    cards = re.findall(r'data-paper="(p\d+)".*?</li>', listed, re.DOTALL)
    told = {name: client.get(f"/papers/{name}", headers=HTML).text for name in cards[:6]}
    reasons = [re.findall(r"why you see it</span> ([^<]+)</p>", page) for page in told.values()]
    assert sum(bool(found) and "because you saved “" in found[0] for found in reasons) >= 3, reasons
    client.cookies.clear()
    assert "why you see it" not in client.get(f"/papers/{cards[0]}", headers=HTML).text
