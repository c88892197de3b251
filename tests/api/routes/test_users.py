"""Interests, library and history over HTTP."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import User

START = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)


def post(client: TestClient, headers: dict[str, str], *events: tuple[str, str, int]) -> list[str]:
    """Post (kind, paper, minute) events; return their ids."""
    sent: list[dict[str, Any]] = [
        {
            "id": str(uuid.uuid4()),
            "kind": kind,
            "paper_id": paper_id,
            "occurred_at": (START + timedelta(minutes=minute)).isoformat(),
        }
        for kind, paper_id, minute in events
    ]
    response = client.post("/v1/events", json={"events": sent}, headers=headers)
    assert {result["status"] for result in response.json()["results"]} == {"accepted"}
    return [event["id"] for event in sent]


def read_all(client: TestClient, headers: dict[str, str], path: str, *, limit: int) -> list[dict[str, Any]]:
    """Return all items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        params = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        page = client.get(path, params=params, headers=headers).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items
        assert len(page["items"]) == limit


def library(client: TestClient, headers: dict[str, str]) -> list[str]:
    """Return the papers in the library."""
    return [item["paper"]["id"] for item in client.get("/v1/me/library", headers=headers).json()["items"]]


def test_history_is_complete_and_newest_first(client: TestClient, as_ada: dict[str, str], papers: list[str]) -> None:
    minutes = [3, 1, 2, 2, 2, 9, 0]
    ids = post(client, as_ada, *(("click", papers[0], minute) for minute in minutes))
    expected = [ids[at] for at in sorted(range(len(ids)), key=lambda at: (minutes[at], at), reverse=True)]
    for limit in (1, 2, 3, 100):
        shown = read_all(client, as_ada, "/v1/me/history", limit=limit)
        assert [item["event_id"] for item in shown] == expected
    assert shown[0] == {
        "event_id": expected[0],
        "kind": "click",
        "occurred_at": "2026-04-01T12:09:00+00:00",
        "paper": shown[0]["paper"],
    }
    assert shown[0]["paper"]["id"] == papers[0]


def test_the_library_follows_saves_and_unsaves(client: TestClient, as_ada: dict[str, str], papers: list[str]) -> None:
    post(client, as_ada, *(("save", paper, minute) for minute, paper in enumerate(papers)))
    assert library(client, as_ada) == papers[::-1]
    post(client, as_ada, ("unsave", papers[1], 30))
    assert library(client, as_ada) == [papers[4], papers[3], papers[2], papers[0]]
    shown = read_all(client, as_ada, "/v1/me/library", limit=1)
    assert [item["paper"]["id"] for item in shown] == library(client, as_ada)
    assert shown[0]["saved_at"] == "2026-04-01T12:04:00+00:00"


def test_an_older_event_that_arrives_late_undoes_nothing(
    client: TestClient, as_ada: dict[str, str], papers: list[str]
) -> None:
    post(client, as_ada, ("save", papers[0], 10))
    post(client, as_ada, ("unsave", papers[0], 5))
    assert library(client, as_ada) == papers[:1]
    post(client, as_ada, ("unsave", papers[0], 20), ("save", papers[0], 15))
    assert library(client, as_ada) == []


def test_log_order_decides_between_equal_times(client: TestClient, as_ada: dict[str, str], papers: list[str]) -> None:
    post(
        client,
        as_ada,
        ("save", papers[0], 1),
        ("unsave", papers[0], 1),
        ("unsave", papers[1], 1),
        ("save", papers[1], 1),
    )
    assert library(client, as_ada) == [papers[1]]


@pytest.mark.parametrize("path", ["/v1/me/history", "/v1/me/library"])
def test_a_foreign_or_invented_cursor_is_422(
    client: TestClient, as_ada: dict[str, str], papers: list[str], path: str
) -> None:
    as_grace = as_ada | {"X-User": "grace"}
    for headers in (as_ada, as_grace):
        post(client, headers, ("save", papers[0], 0), ("save", papers[1], 1))
    cursor = client.get(path, params={"limit": 1}, headers=as_ada).json()["next"]
    assert client.get(path, params={"cursor": cursor}, headers=as_ada).status_code == 200
    other = "/v1/me/library" if path.endswith("history") else "/v1/me/history"
    changed = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for wrong, headers, place in (
        (cursor, as_grace, path),
        (cursor, as_ada, other),
        (changed, as_ada, path),
        ("é", as_ada, path),
        ("", as_ada, path),
        ("x" * 5000, as_ada, path),
    ):
        response = client.get(place, params={"cursor": wrong}, headers=headers)
        assert response.status_code == 422
        assert response.json()["type"] == "/problems/invalid-cursor"


def test_a_limit_outside_1_to_100_is_422(client: TestClient, as_ada: dict[str, str]) -> None:
    for limit in ("0", "101", "-1", "x", "1e2"):
        answer = client.get("/v1/me/history", params={"limit": limit}, headers=as_ada)
        assert (limit, answer.status_code) == (limit, 422)


def test_interests_are_kept_and_move_the_reader_forward(
    client: TestClient, as_ada: dict[str, str], papers: list[str], database: Database
) -> None:
    body = {"categories": ["cs.IR", "cs.IR"], "terms": [" graphs "], "papers": [f"arXiv:{papers[0]}v2"]}
    expected = {"categories": ["cs.IR"], "terms": ["graphs"], "papers": [papers[0]]}
    assert client.put("/v1/me/interests", json=body, headers=as_ada).json() == expected
    assert client.get("/v1/me/interests", headers=as_ada).json() == expected
    with database.read() as session:
        user = session.execute(sa.select(User)).scalar_one()
    assert user.last_seq == 1
    assert user.last_active_at is not None


def test_interests_name_unknown_papers(client: TestClient, as_ada: dict[str, str], papers: list[str]) -> None:
    response = client.put("/v1/me/interests", json={"papers": [papers[0], "nobody-knows"]}, headers=as_ada)
    assert response.status_code == 422
    assert response.json()["unknown_papers"] == ["nobody-knows"]


IMPOSSIBLE = (
    b"",
    b"[]",
    b"{",
    b'{"terms": [""]}',
    b'{"terms": "x"}',
    b'{"terms": ["a\\u0000"]}',
    b'{"terms": ["\\ud800"]}',
    b'{"terms": [1e999]}',
    b'{"papers": [""]}',
    b'{"papers": ["\\u0000"]}',
    b'{"topics": []}',
)


def test_impossible_interests_are_422(client: TestClient, as_ada: dict[str, str]) -> None:
    headers = as_ada | {"Content-Type": "application/json"}
    for body in IMPOSSIBLE:
        response = client.put("/v1/me/interests", content=body, headers=headers)
        assert (body, response.status_code) == (body, 422)
        assert response.headers["content-type"] == "application/problem+json"


def test_interests_make_the_prepared_list_a_miss(
    client: TestClient, as_ada: dict[str, str], papers: list[str], runtime: Runtime
) -> None:
    post(client, as_ada, ("save", papers[0], 0))
    user_id = runtime.access.find_user_id("ada")
    assert user_id is not None
    assert runtime.feeds.read_hidden(user_id)
    client.put("/v1/me/interests", json={"terms": ["graphs"]}, headers=as_ada)
    assert not runtime.feeds.read_hidden(user_id)


@pytest.mark.parametrize("write", ["event", "interests"])
def test_a_reader_who_was_removed_and_comes_back_is_found_at_once(
    client: TestClient, as_ada: dict[str, str], papers: list[str], database: Database, write: str
) -> None:
    client.put("/v1/me/interests", json={"terms": ["old"]}, headers=as_ada)
    client.get("/v1/me/interests", headers=as_ada)  # this process knows the number of the reader's row now
    with database.write() as session:
        session.execute(sa.delete(User))
        session.add(User(external_id="somebody", created_at=START, last_seq=0, list_seq=0))
    if write == "event":
        post(client, as_ada, ("click", papers[0], 0))
        assert len(client.get("/v1/me/history", headers=as_ada).json()["items"]) == 1
    else:
        client.put("/v1/me/interests", json={"terms": ["new"]}, headers=as_ada)
        assert client.get("/v1/me/interests", headers=as_ada).json()["terms"] == ["new"]
