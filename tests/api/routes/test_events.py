"""POST /v1/events over HTTP."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.feed_codec import Source
from api.store.hidden_codec import hidden_of
from api.store.papers import paper_ids_of
from api.store.pending import PendingReaders
from api.store.tables import Event, LibraryItem, Paper, User
from api.store.tables_letters import DeadLetter
from tests.api.routes.conftest import count_rows

Post = Callable[[list[Any]], list[dict[str, Any]]]


def make_event(paper_id: str, kind: str = "save", **fields: Any) -> dict[str, Any]:
    """Return an event that is fine."""
    occurred_at = datetime.now(UTC).isoformat()
    return {"id": str(uuid.uuid4()), "kind": kind, "paper_id": paper_id, "occurred_at": occurred_at} | fields


@pytest.fixture
def post(client: TestClient, as_ada: dict[str, str]) -> Post:
    """Return a function that posts events and returns their results."""

    def send(events: list[Any]) -> list[dict[str, Any]]:
        response = client.post(
            "/v1/events", content=json.dumps({"events": events}), headers=as_ada | {"Content-Type": "application/json"}
        )
        assert response.status_code == 202, response.text
        results: list[dict[str, Any]] = response.json()["results"]
        return results

    return send


def read_page(client: TestClient, headers: dict[str, str]) -> dict[str, Any]:
    """Return the first page of a reader's feed."""
    page: dict[str, Any] = client.get("/v1/feed", headers=headers).json()
    return page


def test_an_event_is_accepted_and_stored(post: Post, papers: list[str], database: Database) -> None:
    event = make_event(papers[0])
    assert post([event]) == [{"id": event["id"], "status": "accepted"}]
    assert count_rows(database, Event) == 1


def test_a_replayed_event_changes_nothing(post: Post, papers: list[str], database: Database) -> None:
    event = make_event(papers[0])
    post([event])
    with database.read() as session:
        before = session.execute(sa.select(User.last_seq)).scalar_one()
    assert post([event, event]) == [{"id": event["id"], "status": "duplicate"}] * 2
    assert count_rows(database, Event) == 1
    with database.read() as session:
        assert session.execute(sa.select(User.last_seq)).scalar_one() == before


def test_the_same_id_with_another_body_is_a_conflict(
    client: TestClient, as_ada: dict[str, str], post: Post, papers: list[str]
) -> None:
    changes: tuple[dict[str, Any], ...] = (
        {"kind": "click"},
        {"paper_id": "2401.00002"},
        {"occurred_at": "2026-01-01T00:00:00Z"},
        {"position": 3},
        {"value": 1.5},
        {"slate": read_page(client, as_ada)["slate"]},
    )
    for change in changes:
        event = make_event(papers[0])
        post([event])
        (result,) = post([event | change])
        assert (change, result["status"], result["code"]) == (change, "rejected", "conflict")


def test_a_conflict_inside_one_batch_is_seen(post: Post, papers: list[str]) -> None:
    event = make_event(papers[0])
    assert [result["status"] for result in post([event, event, event | {"kind": "click"}])] == [
        "accepted",
        "duplicate",
        "rejected",
    ]


def test_another_form_of_the_same_event_is_a_duplicate(post: Post, papers: list[str]) -> None:
    event = make_event(papers[0], occurred_at="2026-04-01T12:00:00Z")
    post([event])
    again = event | {
        "id": event["id"].upper(),
        "paper_id": f"arXiv:{papers[0]}v3",
        "occurred_at": "2026-04-01T14:00:00+02:00",
        "position": None,
    }
    assert post([again]) == [{"id": again["id"], "status": "duplicate"}]


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


def test_a_save_hides_the_paper_and_asks_for_a_refresh(
    client: TestClient, as_ada: dict[str, str], papers: list[str], runtime: Runtime
) -> None:
    client.post("/v1/events", json={"events": [make_event(papers[0])]}, headers=as_ada)
    user_id = runtime.access.find_user_id("ada")
    assert user_id is not None
    assert len(hidden_of(runtime.feeds.read_hidden(user_id))) == 1
    runtime.hints.close()
    pending = PendingReaders(runtime.settings.resolved_broker_url)
    assert {reader: change.is_active for reader, change in pending.take(10).items()} == {user_id: True}
    pending.close()


def test_what_is_taken_back_shows_again_unless_something_else_hides_it(
    post: Post, papers: list[str], runtime: Runtime
) -> None:
    post([make_event(papers[0], "dismiss"), make_event(papers[1], "click"), make_event(papers[1], "dismiss")])
    post([make_event(paper, "undismiss") for paper in papers[:2]])
    user_id = runtime.access.find_user_id("ada")
    assert user_id is not None
    with runtime.db.read() as session:
        ids = paper_ids_of(session, papers)
    assert hidden_of(runtime.feeds.read_hidden(user_id)) == {ids[papers[1]]}


def test_an_impression_starts_no_refresh(post: Post, papers: list[str], runtime: Runtime, database: Database) -> None:
    post([make_event(papers[0], "impression", position=1)])
    with database.read() as session:
        user = session.execute(sa.select(User)).scalar_one()
    assert user.last_seq == 0
    assert user.last_active_at is not None
    runtime.hints.close()
    pending = PendingReaders(runtime.settings.resolved_broker_url)
    assert pending.take(10) == {}
    pending.close()


def test_events_are_kept_while_the_cache_is_away(
    database: Database, papers: list[str], as_ada: dict[str, str], settings: Any
) -> None:
    from api.app import create_app

    away = settings.model_copy(update={"cache_url": "unix:///nowhere/redis.sock"})
    with TestClient(create_app(away)) as client:
        response = client.post("/v1/events", json={"events": [make_event(papers[0])]}, headers=as_ada)
    assert response.json()["results"][0]["status"] == "accepted"
    assert count_rows(database, Event) == 1


def test_an_event_carries_what_its_page_said(
    client: TestClient, as_ada: dict[str, str], post: Post, papers: list[str], database: Database
) -> None:
    post([make_event(papers[0], "impression")])  # the reader is known from now on
    page = read_page(client, as_ada)
    third = page["items"][2]
    event = make_event(third["paper"]["id"], "click", slate=page["slate"], position=7)
    assert post([event])[0]["status"] == "accepted"
    with database.read() as session:
        stored = session.scalars(sa.select(Event).order_by(Event.event_pk.desc())).first()
    assert stored is not None
    assert (stored.slate_position, stored.position) == (third["rank"], 7)
    assert stored.slate_id is not None
    assert len(stored.slate_id) == 16
    assert stored.slate_source is not None
    assert Source(stored.slate_source).name.lower() == third["source"]
    assert stored.propensity is not None
    assert 0 < stored.propensity <= 1
    assert (stored.slate_version, stored.slate_variant) == ("", "base")


def test_a_slate_serves_only_the_reader_it_was_made_for(
    client: TestClient, as_ada: dict[str, str], post: Post, papers: list[str]
) -> None:
    post([make_event(papers[0], "impression")])
    page = read_page(client, as_ada)
    bodies = {"events": [make_event(papers[0], "click")], "slate": page["slate"]}
    for reader, status in (("eve", "rejected"), ("ada", "accepted")):
        answer = client.post("/v1/events", json=bodies, headers=as_ada | {"X-User": reader})
        assert answer.json()["results"][0]["status"] == status


def test_the_clock_of_a_batch_is_put_right(
    client: TestClient, as_ada: dict[str, str], papers: list[str], database: Database
) -> None:
    clock = datetime.now(UTC) - timedelta(days=1000)
    event = make_event(papers[0], occurred_at=(clock - timedelta(minutes=3)).isoformat())
    body = {"events": [event], "sent_at": clock.isoformat()}
    for status in ("accepted", "duplicate"):
        answer = client.post("/v1/events", json=body, headers=as_ada)
        assert answer.json()["results"][0]["status"] == status
        body["sent_at"] = (clock + timedelta(seconds=9)).isoformat()
    with database.read() as session:
        stored = session.scalars(sa.select(Event)).one()
    assert stored.occurred_at is not None
    age = datetime.now(UTC) - stored.occurred_at
    assert timedelta(minutes=3) <= age <= timedelta(minutes=4)
    assert (stored.raw_occurred_at, stored.raw_sent_at) == (clock - timedelta(minutes=3), clock)


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


def test_a_removed_paper_is_found_out_though_it_was_known(post: Post, papers: list[str], database: Database) -> None:
    post([make_event(papers[0])])
    with database.write() as session:
        session.execute(sa.delete(LibraryItem))
        session.execute(sa.delete(Event))
        session.execute(sa.delete(Paper).where(Paper.external_id == papers[0]))
    assert [result.get("code") for result in post([make_event(papers[0]), make_event(papers[1])])] == [
        "unknown_paper",
        None,
    ]
    assert count_rows(database, Event) == 1
