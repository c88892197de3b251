"""What the start page hands to the beacon: the script, a slate for each list, a paper for each card, a cookie."""

import gzip
import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.visitors import COOKIE
from api.runtime.state import Runtime
from api.services.slates import Slate, open_slate
from api.store.feed_codec import Source
from api.store.papers import paper_ids_of
from api.store.tables import Event, User
from tests.api.routes.conftest import count_rows
from tests.api.routes.test_pages import embedded, local, runtime_of_local

__all__ = ["embedded", "local", "runtime_of_local"]  # fixtures

MOST_BYTES = 2_000
LISTS = re.compile(r'<section id="([a-z-]+)".*?</section>', re.DOTALL)
SLATE = re.compile(r'data-slate="([^"]+)"')
PAPER = re.compile(r'data-paper="([^"]+)"')


def lists_of(page: str) -> dict[str, tuple[str | None, list[str]]]:
    """Return the slate and the papers of each list on a page."""
    found = {}
    for section in LISTS.finditer(page):
        slate = SLATE.search(section[0])
        found[section[1]] = (slate and slate[1], PAPER.findall(section[0]))
    return found


def opened(runtime: Runtime, token: str | None) -> Slate:
    """Return what a slate says."""
    assert token is not None
    slate = open_slate(runtime.keys, token, now=datetime.now(UTC), days=30)
    assert isinstance(slate, Slate)
    return slate


def test_each_list_of_the_page_carries_the_slate_of_what_it_shows(local: TestClient, runtime_of_local: Runtime) -> None:
    user_id = runtime_of_local.access.find_user_id("u1")
    lists = lists_of(local.get("/?reader=u1").text)
    assert set(lists) == {"latest", "trending", "for-you"}
    assert lists.pop("trending") == (None, [])  # nothing has happened this week
    for name, (token, papers) in lists.items():
        slate = opened(runtime_of_local, token)
        with runtime_of_local.db.read() as session:
            ids = paper_ids_of(session, papers)
        assert papers
        assert list(slate.papers) == [ids[paper] for paper in papers]
        assert [shown.position for shown in slate.papers.values()] == list(range(1, len(papers) + 1))
        assert slate.user_id == user_id
        if name != "for-you":
            assert {(shown.source, shown.propensity) for shown in slate.papers.values()} == {(Source[name.upper()], 1)}


def test_a_picked_reader_who_is_new_has_no_slates_so_that_nobody_else_gets_their_events(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    lists = lists_of(local.get("/?reader=somebody-new").text)
    assert {slate for slate, _ in lists.values()} == {None}
    assert lists["latest"][1]
    assert lists["for-you"][1]


def test_a_first_visit_gets_a_cookie_and_the_slates_of_nobody_without_a_row_anywhere(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    before = count_rows(runtime_of_local.db, User)
    answer = local.get("/")
    again = local.get("/")
    assert COOKIE in answer.cookies
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "set-cookie" not in again.headers
    lists = lists_of(again.text)
    assert opened(runtime_of_local, lists["latest"][0]).user_id == 0
    assert count_rows(runtime_of_local.db, User) == before


def test_what_a_visitor_opened_makes_the_page_theirs(client: TestClient, runtime: Runtime, papers: list[str]) -> None:
    first = lists_of(client.get("/").text)
    assert first["for-you"] == (None, [])
    token, [opened_paper, *_] = first["latest"]
    assert token is not None
    event = {
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "kind": "click",
        "paper_id": opened_paper,
        "occurred_at": datetime.now(UTC).isoformat(),
    }
    answer = client.post("/v1/events", json={"events": [event], "slate": token})
    assert answer.json()["results"][0]["status"] == "accepted"

    token, cards = lists_of(client.get("/").text)["for-you"]
    assert cards
    assert opened(runtime, token).user_id > 0


def test_a_reader_known_by_a_cookie_alone_is_not_offered_for_picking(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    token, [paper, *_] = lists_of(local.get("/").text)["latest"]
    event = {
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "kind": "click",
        "paper_id": paper,
        "occurred_at": datetime.now(UTC).isoformat(),
    }
    local.post("/v1/events", json={"events": [event], "slate": token})
    with runtime_of_local.db.read() as session:
        assert session.scalars(sa.select(User).where(User.external_id.startswith("anon:"))).one()
    assert "anon:" not in local.get("/").text


def test_a_picked_readers_events_are_theirs_though_the_browser_has_a_cookie(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    local.get("/")
    token, [paper, *_] = lists_of(local.get("/?reader=u1").text)["latest"]
    event = {
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "kind": "click",
        "paper_id": paper,
        "occurred_at": datetime.now(UTC).isoformat(),
    }
    answer = local.post("/v1/events", json={"events": [event], "slate": token})
    assert answer.json()["results"][0]["status"] == "accepted"
    with runtime_of_local.db.read() as session:
        stored = session.scalars(sa.select(Event).where(sa.not_(Event.is_import))).one()
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


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_allow_no_script_but_our_own(client: TestClient, path: str) -> None:
    policy = client.get(path).headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
