"""What pages hand to the beacon: the script, a slate for each list, a paper for each card."""

import gzip
import re
from datetime import UTC, datetime
from typing import Final

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.services.slates import Slate, open_slate
from api.store.feed_codec import Source
from api.store.papers import paper_ids_of
from api.store.tables import Event
from tests.api.routes.site.conftest import press

MOST_BYTES: Final = 2_000
SLATE: Final = re.compile(r'data-slate="([^"]+)"')
PAPER: Final = re.compile(r'data-paper="([^"]+)"')
EVENT_ID: Final = "0f8fad5b-d9cb-469f-a165-70867728950e"


def list_of(page: str) -> tuple[str | None, list[str]]:
    """Return the slate and the papers of a page."""
    slate = SLATE.search(page)
    return slate and slate[1], PAPER.findall(page)


def opened(runtime: Runtime, token: str | None) -> Slate:
    """Return what a slate says."""
    assert token is not None
    slate = open_slate(runtime.keys, token, now=datetime.now(UTC), days=30)
    assert isinstance(slate, Slate)
    return slate


def click(browser: TestClient, token: str | None, paper: str) -> str:
    """Report a click as the beacon does; return what came of it."""
    event = {"id": EVENT_ID, "kind": "click", "paper_id": paper, "occurred_at": datetime.now(UTC).isoformat()}
    answer = browser.post("/v1/events", json={"events": [event], "slate": token})
    status: str = answer.json()["results"][0]["status"]
    return status


@pytest.mark.parametrize("path", ["/?reader=u1", "/for-you?reader=u1", "/", "/for-you"])
def test_a_list_carries_the_slate_of_what_it_shows(local: TestClient, runtime_of_local: Runtime, path: str) -> None:
    token, papers = list_of(local.get(path).text)
    slate = opened(runtime_of_local, token)
    with runtime_of_local.db.read() as session:
        ids = paper_ids_of(session, papers)
    assert papers
    assert [ids[paper] for paper in papers] == list(slate.papers)
    assert [shown.position for shown in slate.papers.values()] == list(range(1, len(papers) + 1))
    reader = runtime_of_local.access.find_user_id("u1")
    assert slate.user_id == (reader if "reader" in path else 0)
    if not path.startswith("/for-you"):
        assert {(shown.source, shown.propensity) for shown in slate.papers.values()} == {(Source.LATEST, 1)}


@pytest.mark.parametrize("path", ["/", "/for-you"])
def test_a_picked_reader_who_is_new_has_no_slates_so_that_nobody_else_gets_their_events(
    local: TestClient, runtime_of_local: Runtime, path: str
) -> None:
    token, papers = list_of(local.get(f"{path}?reader=somebody-new").text)
    assert token is None
    assert papers


def test_what_a_visitor_opened_makes_the_next_list_theirs(local: TestClient, runtime_of_local: Runtime) -> None:
    token, papers = list_of(local.get("/").text)
    assert click(local, token, papers[0]) == "accepted"
    theirs, _ = list_of(local.get("/for-you").text)
    assert opened(runtime_of_local, theirs).user_id > 0


def test_a_picked_readers_events_are_theirs_though_the_browser_has_a_cookie(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    press(local, "save", "p1000")
    token, papers = list_of(local.get("/?reader=u1").text)
    assert click(local, token, papers[0]) == "accepted"
    with runtime_of_local.db.read() as session:
        stored = session.scalars(sa.select(Event).where(Event.event_id == EVENT_ID)).one()
    assert stored.user_id == runtime_of_local.access.find_user_id("u1")
    assert stored.slate_source == Source.LATEST


def test_the_beacon_is_small_cached_and_asked_for_anew_only_when_it_changed(client: TestClient) -> None:
    answer = client.get("/beacon.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert len(gzip.compress(answer.content)) <= MOST_BYTES
    assert "public" in answer.headers["cache-control"]
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    same = client.get("/beacon.js", headers={"If-None-Match": f'"other", W/{answer.headers["etag"]}'})
    other = client.get("/beacon.js", headers={"If-None-Match": '"other"'})
    assert (same.status_code, same.content, other.status_code) == (304, b"", 200)
    assert same.headers["etag"] == answer.headers["etag"]
