"""POST /v1/events over HTTP: what is stored once, and what follows from it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.feed_codec import Source
from api.store.hidden_codec import hidden_of
from api.store.papers import paper_ids_of
from api.store.pending import PendingReaders
from api.store.tables import Event, LibraryItem, Paper, User
from tests.api.routes.conftest import count_rows
from tests.api.routes.events.batches import Post, make_event, read_page


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
