"""Feedback ahead of the router: the same answers and rows, and whatever is unusual is left to the router."""

import gzip
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes import hot_events
from api.runtime.metrics import REQUEST_SECONDS
from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import Event
from api.store.tables_letters import DeadLetter

HEADERS = (
    *("content-type", "cache-control", "vary", "x-content-type-options", "x-frame-options", "referrer-policy"),
    *("cross-origin-opener-policy", "content-security-policy"),
)
Post = Callable[..., Any]


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; what is shown here does not depend on its kind."""
    return sqlite_database


@pytest.fixture
def hot(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a record of which requests were answered ahead of the router, among those whose caller was known."""
    record: list[bool] = []
    take = hot_events._take

    async def noted(*args: Any) -> bytes | None:
        answer = await take(*args)
        record.append(answer is not None)
        return answer

    monkeypatch.setattr(hot_events, "_take", noted)
    return record


@pytest.fixture
def post(client: TestClient, as_ada: dict[str, str]) -> Post:
    """Return a function that posts what it is given, as a reader who is known by then."""

    def send(content: object, **headers: str) -> Any:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return client.post("/v1/events", content=body, headers=as_ada | {"Content-Type": "application/json"} | headers)

    return send


@pytest.fixture
def known(post: Post, papers: list[str], hot: list[bool]) -> None:
    """Make the reader known to the process."""
    post({"events": [make_event(papers[0])]})
    hot.clear()


def make_event(paper_id: str, **fields: Any) -> dict[str, Any]:
    """Return an event that is fine."""
    occurred_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": str(uuid.uuid4()), "kind": "save", "paper_id": paper_id, "occurred_at": occurred_at} | fields


def test_a_usual_batch_is_answered_ahead_of_the_router_as_the_router_would(
    known: None, post: Post, papers: list[str], hot: list[bool]
) -> None:
    events = [make_event(papers[0]), make_event(papers[1], kind="click"), make_event("9999.99999")]
    by_itself = post({"events": events})
    events = [event | {"id": str(uuid.uuid4())} for event in events]
    by_router = post({"events": events, "unknown": 1})
    assert hot == [True, False]
    assert by_itself.status_code == by_router.status_code == 202
    assert {name: by_itself.headers[name] for name in HEADERS} == {name: by_router.headers[name] for name in HEADERS}
    without_ids = [[result | {"id": None} for result in answer.json()["results"]] for answer in (by_itself, by_router)]
    assert without_ids[0] == without_ids[1]
    assert [result["id"] for result in by_router.json()["results"]] == [event["id"] for event in events]


def test_all_accepted_are_answered_with_their_ids_in_order(known: None, post: Post, papers: list[str]) -> None:
    events = [make_event(paper) for paper in papers[:2]]
    answer = post({"events": events})
    assert answer.json() == {"results": [{"id": event["id"], "status": "accepted"} for event in events]}
    again = post({"events": events})
    assert again.json() == {"results": [{"id": event["id"], "status": "duplicate"} for event in events]}


def test_a_row_is_the_same_whichever_way_it_took(
    known: None, post: Post, papers: list[str], database: Database, hot: list[bool]
) -> None:
    same = {"kind": "read", "value": 3.5, "position": 2, "occurred_at": "2026-04-01T12:00:00.123Z"}
    events = [make_event(papers[0], **same) for _ in range(2)]
    post({"events": events[:1]})
    post({"events": events[1:], "more": None})
    assert hot == [True, False]
    columns = (Event.kind, Event.paper_id, Event.value, Event.position, Event.occurred_at, Event.payload_hash)
    query = sa.select(*columns).where(Event.event_id.in_([event["id"] for event in events]))
    with database.read() as session:
        first, second = session.execute(query.order_by(Event.event_pk)).all()
    assert first == second


def test_what_is_rejected_ahead_of_the_router_is_kept_as_it_came(
    known: None, post: Post, database: Database, hot: list[bool]
) -> None:
    event = make_event("9999.99999", position=4)
    assert post({"events": [event]}).json()["results"][0]["code"] == "unknown_paper"
    assert hot == [True]
    with database.read() as session:
        assert json.loads(session.scalars(sa.select(DeadLetter.body)).one()) == event


def test_unusual_bodies_are_read_by_the_router(known: None, post: Post, papers: list[str], hot: list[bool]) -> None:
    packed = gzip.compress(json.dumps({"events": [make_event(papers[0])]}).encode())
    assert post(packed, **{"Content-Encoding": "gzip"}).status_code == 202
    assert hot == []
    assert post(b"{").status_code == 422
    assert post({"events": []}).status_code == 422
    assert post({"events": [make_event(papers[0])]}, **{"Content-Type": "image/png"}).status_code == 415
    assert post({"events": [make_event(papers[0])] * 501}).status_code == 413
    assert hot == [False, False, False]


def test_a_failure_is_told_by_the_router_once(
    known: None, post: Post, papers: list[str], runtime: Runtime, database: Database
) -> None:
    with database.read() as session:
        before = session.scalar(sa.select(sa.func.count()).select_from(Event))
    runtime.intake.close()
    answer = post({"events": [make_event(papers[0])]})
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.headers["retry-after"]
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Event)) == before


def test_requests_ahead_of_the_router_are_counted_under_their_route(
    known: None, post: Post, papers: list[str], hot: list[bool]
) -> None:
    labels = {"method": "POST", "route": "/v1/events", "status": "202"}
    counted = REQUEST_SECONDS.labels(**labels)
    before = counted._sum.get()
    post({"events": [make_event(papers[0])]})
    assert hot == [True]
    assert counted._sum.get() > before


def test_a_token_that_may_only_read_is_refused(
    known: None, client: TestClient, token_of: Any, papers: list[str], hot: list[bool]
) -> None:
    headers = {"Authorization": f"Bearer {token_of('read')}", "X-User": "ada"}
    for _ in range(2):  # the second time the token is known
        assert client.post("/v1/events", json={"events": [make_event(papers[0])]}, headers=headers).status_code == 403
    assert hot == []
