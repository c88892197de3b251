"""Many requests in one transaction, and several writers at once."""

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
import sqlalchemy as sa

from api.schemas.events import Code, EventBatch, Incoming, OpenedSlate
from api.services.event_parsing import parse_incoming
from api.services.feedback import record_events
from api.store.engine import Database
from api.store.events import hidden_paper_ids, load_all_interactions, load_interactions, newest_event_pk
from api.store.tables import Event, LibraryItem, User
from recommender.domain import EventKind
from tests.api.routes.conftest import count_rows, make_paper

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PAPERS = [f"2401.0000{number}" for number in range(1, 6)]


@pytest.fixture(autouse=True)
def _papers(database: Database) -> None:
    with database.write() as session:
        session.add_all(make_paper(external_id) for external_id in PAPERS)


def make_batch(reader: str, *events: tuple[str, str], event_id: str | None = None) -> EventBatch:
    """Return a request of (kind, paper) events a minute apart."""
    raw = [
        {
            "id": event_id or str(uuid.uuid4()),
            "kind": kind,
            "paper_id": paper_id,
            "occurred_at": (NOW - timedelta(hours=1) + timedelta(minutes=at)).isoformat(),
            "value": 60 if kind == "read" else None,
        }
        for at, (kind, paper_id) in enumerate(events)
    ]
    return parse(Incoming(raw, reader))


def parse(incoming: Incoming, *, slates: Mapping[str, OpenedSlate] = MappingProxyType({})) -> EventBatch:
    """Return a parsed request; a slate that is not among `slates` is a forged one."""

    def open_slate(token: str) -> OpenedSlate | Code:
        return slates.get(token, "forged_slate")

    return parse_incoming(incoming, now=NOW, future_tolerance=timedelta(hours=24), open_slate=open_slate)


def record(database: Database, *batches: EventBatch) -> list[list[str]]:
    """Record requests in one transaction; return the statuses."""
    with database.write() as session:
        outcomes = record_events(session, batches, now=NOW)
    return [[answer.status for answer in outcome.answers] for outcome in outcomes]


@contextmanager
def counted_statements(database: Database) -> Iterator[list[str]]:
    """Collect the statements that are sent."""
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(database.engine, "before_cursor_execute", note)


def test_many_requests_cost_as_many_statements_as_one(database: Database) -> None:
    record(database, *(make_batch(f"r{reader}", ("save", PAPERS[0])) for reader in range(20)))
    counts = []
    for requests in (1, 20):
        batches = [make_batch(f"r{reader}", ("save", PAPERS[1]), ("click", PAPERS[2])) for reader in range(requests)]
        with counted_statements(database) as sent:
            record(database, *batches)
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 9


def test_the_same_event_in_two_requests_counts_once(database: Database) -> None:
    batch = make_batch("ada", ("save", PAPERS[0]))
    assert record(database, batch, batch) == [["accepted"], ["duplicate"]]


def test_new_events_among_known_ones_are_told_apart(database: Database) -> None:
    first = make_batch("ada", *(("save", paper) for paper in PAPERS))
    record(database, parse(Incoming([first.incoming.events[at] for at in (1, 3)], "ada")))
    assert record(database, first) == [["accepted", "duplicate", "accepted", "duplicate", "accepted"]]
    assert count_rows(database, LibraryItem) == count_rows(database, Event) == 5


def test_readers_may_use_the_same_event_id(database: Database) -> None:
    event_id = str(uuid.uuid4())
    batches = [make_batch(reader, ("save", PAPERS[0]), event_id=event_id) for reader in ("ada", "grace")]
    assert record(database, *batches) == [["accepted"], ["accepted"]]


def test_writers_of_one_reader_never_count_an_event_twice(database: Database) -> None:
    batches = [make_batch("ada", *(("save", paper) for paper in PAPERS)) for _ in range(4)]
    statuses: list[str] = []

    def write() -> None:
        for batch in batches:
            statuses.extend(record(database, batch)[0])

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count("accepted") == count_rows(database, Event) == 20
    assert statuses.count("duplicate") == 60
    with database.read() as session:
        assert session.execute(sa.select(User.last_seq)).scalar_one() == 4


def test_hidden_papers_are_saved_dismissed_clicked_or_read(database: Database) -> None:
    record(
        database,
        make_batch(
            "ada",
            ("save", PAPERS[0]),
            ("click", PAPERS[1]),
            ("read", PAPERS[2]),
            ("dismiss", PAPERS[3]),
            ("impression", PAPERS[4]),
        ),
    )
    with database.read() as session:
        user_id = session.execute(sa.select(User.user_id)).scalar_one()
        assert hidden_paper_ids(session, user_id).tolist() == [1, 2, 3, 4]
    record(database, make_batch("ada", *(("upvote", PAPERS[4]),) * 5, ("unsave", PAPERS[0]), ("undismiss", PAPERS[3])))
    with database.read() as session:
        assert hidden_paper_ids(session, user_id).tolist() == [2, 3]


def test_the_log_is_read_in_order_and_in_chunks(database: Database) -> None:
    record(
        database, make_batch("ada", ("save", PAPERS[0]), ("read", PAPERS[1])), make_batch("eve", ("click", PAPERS[2]))
    )
    with database.read() as session:
        newest = newest_event_pk(session)
        chunks = list(load_all_interactions(session, up_to_event_pk=newest, chunk=2))
        own = load_interactions(session, 1)
        part = list(load_all_interactions(session, up_to_event_pk=newest - 1, chunk=2))
    assert [len(chunk) for chunk in chunks] == [2, 1]
    assert sum(map(len, part)) == 2
    assert own.kinds.tolist() == [EventKind.SAVE, EventKind.READ]
    assert own.values[1] == 60
    assert own.occurred_at[0] == (NOW - timedelta(hours=1)).timestamp()
    assert [str(part.dtype) for part in (own.user_ids, own.paper_ids, own.values)] == ["int64", "int64", "float32"]
