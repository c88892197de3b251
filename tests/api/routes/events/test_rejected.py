"""Events and batches that are refused, in words, beside neighbours that are not."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.store.engine import Database
from api.store.tables import Event, User
from api.store.tables_letters import DeadLetter
from tests.api.routes.conftest import count_rows
from tests.api.routes.events.batches import Post, make_event

BAD_EVENTS: list[tuple[Any, str]] = [
    (None, "malformed"),
    ("text", "malformed"),
    ([], "malformed"),
    ({}, "malformed"),
    ({"id": "not-a-uuid"}, "malformed"),
    ({"id": 7}, "malformed"),
    ({"id": "\ud800"}, "malformed"),
    ({"kind": "like"}, "unknown_kind"),
    ({"kind": None}, "malformed"),
    ({"kind": ["save"]}, "malformed"),
    ({"paper_id": "9999.99999"}, "unknown_paper"),
    ({"paper_id": 2401.00001}, "malformed"),
    ({"paper_id": ""}, "malformed"),
    ({"paper_id": "a\u0000b"}, "malformed"),
    ({"paper_id": "\ud800"}, "malformed"),
    ({"paper_id": "x" * 500}, "malformed"),
    ({"occurred_at": None}, "malformed"),
    ({"occurred_at": "2026-04-01T12:00:00"}, "malformed"),
    ({"occurred_at": "2026-13-01T12:00:00Z"}, "malformed"),
    ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "malformed"),
    ({"occurred_at": 1770000000}, "malformed"),
    ({"occurred_at": "yesterday"}, "malformed"),
    ({"position": -1}, "malformed"),
    ({"position": 1.5}, "malformed"),
    ({"position": 10**30}, "malformed"),
    ({"position": True}, "malformed"),
    ({"value": "5"}, "malformed"),
    ({"value": 10**400}, "malformed"),
    ({"value": 1e300}, "malformed"),
    ({"kind": "read"}, "malformed"),
    ({"kind": "read", "value": -1}, "malformed"),
    ({"slate": "a\u0000b"}, "malformed"),
    ({"slate": {"a": 1}}, "malformed"),
    ({"slate": "x" * 10_000}, "malformed"),
]


def test_one_bad_event_never_fails_its_neighbours(post: Post, papers: list[str], database: Database) -> None:
    events: list[Any] = []
    for change, _ in BAD_EVENTS:
        bad = make_event(papers[0]) | change if isinstance(change, dict) and change else change
        events += [bad, make_event(papers[1])]
    results = post(events)
    assert [result.get("code") for result in results[::2]] == [code for _, code in BAD_EVENTS]
    assert all(result["reason"] for result in results[::2])
    assert {result["status"] for result in results[1::2]} == {"accepted"}
    assert count_rows(database, Event) == len(BAD_EVENTS)


def test_an_event_far_ahead_is_rejected_and_a_little_ahead_is_clamped(
    post: Post, papers: list[str], database: Database
) -> None:
    now = datetime.now(UTC)
    near = make_event(papers[0], occurred_at=(now + timedelta(hours=23)).isoformat())
    far = make_event(papers[0], occurred_at=(now + timedelta(hours=25)).isoformat())
    results = post([near, far])
    assert results[0]["status"] == "accepted"
    assert results[1]["code"] == "future"
    with database.read() as session:
        occurred_at = session.execute(sa.select(Event.occurred_at)).scalar_one()
    assert occurred_at is not None
    assert now <= occurred_at <= datetime.now(UTC)
    assert post([near])[0]["status"] == "duplicate"


NO_EVENTS = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"events": 1}',
    b'{"events": []}',
    b'{"events": {}}',
    b'{"events": [NaN]}',
    b'{"events": [' + b"9" * 5000 + b"]}",
    b"\xff\xfe",
    b"[" * 100_000,
)


def test_what_is_not_a_list_of_events_is_422(client: TestClient, as_ada: dict[str, str]) -> None:
    for body in NO_EVENTS:
        response = client.post("/v1/events", content=body, headers=as_ada)
        assert (body[:40], response.status_code) == (body[:40], 422)
        assert response.headers["content-type"] == "application/problem+json"


def test_more_than_500_events_are_413_and_nothing_is_stored(
    client: TestClient, as_ada: dict[str, str], papers: list[str], database: Database
) -> None:
    events = [make_event(papers[0]) for _ in range(501)]
    assert client.post("/v1/events", json={"events": events}, headers=as_ada).status_code == 413
    assert count_rows(database, Event) == 0
    assert client.post("/v1/events", json={"events": events[1:]}, headers=as_ada).status_code == 202
    assert count_rows(database, Event) == 500


def test_a_batch_of_rejected_events_creates_no_reader(post: Post, papers: list[str], database: Database) -> None:
    assert post([make_event("unknown")])[0]["code"] == "unknown_paper"
    assert count_rows(database, User) == 0


@pytest.mark.parametrize("field", [{"sent_at": "soon"}, {"sent_at": 5}, {"slate": 5}, {"slate": "\u00e4"}])
def test_a_batch_that_cannot_be_read_is_422_and_nothing_is_stored(
    client: TestClient, as_ada: dict[str, str], papers: list[str], database: Database, field: dict[str, Any]
) -> None:
    body = {"events": [make_event(papers[0])]} | field
    assert client.post("/v1/events", json=body, headers=as_ada).status_code == 422
    assert count_rows(database, Event) == 0


def test_rejected_events_are_kept_as_they_came(post: Post, papers: list[str], database: Database) -> None:
    kept = make_event(papers[0], extra="what we do not know")
    bad = [make_event("9999.99999", extra=[1]), "text", kept | {"kind": "click"}]
    assert [result.get("code") for result in post([kept, *bad])] == [None, "unknown_paper", "malformed", "conflict"]
    with database.read() as session:
        letters = session.scalars(sa.select(DeadLetter).order_by(DeadLetter.letter_id)).all()
    assert [json.loads(letter.body) for letter in letters] == bad
    assert [letter.code for letter in letters] == ["unknown_paper", "malformed", "conflict"]
    assert {letter.external_user for letter in letters} == {"ada"}
