"""Slates that fit their reader and papers, and what the log keeps of them."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from api.schemas.events import BatchOutcome, Code, Incoming, OpenedSlate
from api.services.event_matching import RememberedIds, payload_hash
from api.services.event_parsing import parse_incoming
from api.services.feedback import make_recorder, record_events
from api.store.engine import Database
from api.store.tables import Event, Paper, User
from recommender.domain import EventKind
from tests.api.routes.conftest import count_rows, make_paper
from tests.api.slates import PlainShown, PlainSlate, opener

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PAPERS = [f"2401.0000{number}" for number in range(1, 4)]
FACTS = (
    Event.slate_id,
    Event.slate_position,
    Event.slate_source,
    Event.propensity,
    Event.slate_version,
    Event.slate_variant,
)


@pytest.fixture(autouse=True)
def _papers(database: Database) -> None:
    with database.write() as session:
        session.add_all(make_paper(external_id) for external_id in PAPERS)


def make_event(paper_id: str = PAPERS[0], **fields: Any) -> dict[str, Any]:
    """Return an event that is fine."""
    occurred_at = (NOW - timedelta(hours=1)).isoformat()
    return {"id": str(uuid.uuid4()), "kind": "click", "paper_id": paper_id, "occurred_at": occurred_at} | fields


def record(
    database: Database,
    incoming: Incoming,
    slates: dict[str, OpenedSlate | Code] | None = None,
    *,
    now: datetime = NOW,
    ids: RememberedIds | None = None,
) -> BatchOutcome:
    """Record one request, for which these slates open."""
    batch = parse_incoming(incoming, now=now, future_tolerance=timedelta(hours=24), open_slate=opener(slates or {}))
    with database.write() as session:
        return record_events(session, [batch], now=now, ids=ids)[0]


def codes(outcome: BatchOutcome) -> list[str]:
    """Return what became of each event: its code, or its status."""
    return [answer.code or answer.status for answer in outcome.answers]


def make_reader(database: Database, name: str) -> int:
    """Let a reader do something; return their number."""
    user_id = record(database, Incoming([make_event(PAPERS[2])], name)).user_id
    assert user_id is not None
    return user_id


def test_the_log_keeps_what_the_slate_said(database: Database) -> None:
    slate = PlainSlate({1: PlainShown(7, 2, 0.81), 2: PlainShown(8)}, user_id=make_reader(database, "ada"))
    events = [make_event(position=3), make_event(PAPERS[1], slate="own")]
    assert codes(record(database, Incoming(events, "ada", slate="own"), {"own": slate})) == ["accepted"] * 2
    with database.read() as session:
        rows = session.execute(sa.select(*FACTS, Event.position).order_by(Event.event_pk)).all()
    assert rows[0] == (None,) * 7
    assert rows[1] == ("0123456789abcdef", 7, 2, 0.81, "v1", "base", 3)
    assert rows[2] == ("0123456789abcdef", 8, 0, 1.0, "v1", "base", None)


def test_the_log_keeps_the_times_as_they_were_said(database: Database) -> None:
    clock = NOW - timedelta(days=400)
    event = make_event(occurred_at=(clock - timedelta(minutes=5)).isoformat())
    record(database, Incoming([event], "ada", sent_at=clock.isoformat()))
    with database.read() as session:
        row = session.execute(
            sa.select(Event.occurred_at, Event.received_at, Event.raw_occurred_at, Event.raw_sent_at)
        ).one()
    assert row == (NOW - timedelta(minutes=5), NOW, clock - timedelta(minutes=5), clock)


def test_a_slate_of_another_reader_is_foreign_and_nobodys_fits_anybody(database: Database) -> None:
    ada, eve = make_reader(database, "ada"), make_reader(database, "eve")
    slates: dict[str, OpenedSlate | Code] = {
        str(user_id): PlainSlate({1: PlainShown(1)}, user_id=user_id) for user_id in (ada, eve, 0)
    }
    events = [make_event(slate=str(user_id)) for user_id in (ada, eve, 0)]
    assert codes(record(database, Incoming(events, "ada"), slates)) == ["accepted", "foreign_slate", "accepted"]


def test_a_new_reader_cannot_use_somebodys_slate_and_is_not_made_by_it(database: Database) -> None:
    slate = PlainSlate({1: PlainShown(1)}, user_id=make_reader(database, "ada"))
    outcome = record(database, Incoming([make_event()], "new", slate="adas"), {"adas": slate})
    assert (codes(outcome), outcome.user_id) == (["foreign_slate"], None)
    assert count_rows(database, User) == 1


def test_a_paper_that_the_page_did_not_show_is_not_on_its_slate(database: Database) -> None:
    slate = PlainSlate({1: PlainShown(1)})
    events = [make_event(PAPERS[1]), make_event(PAPERS[0])]
    assert codes(record(database, Incoming(events, "ada", slate="page"), {"page": slate})) == [
        "not_on_slate",
        "accepted",
    ]


def test_a_replay_is_known_by_a_hash_over_the_slate_itself_as_the_log_may_hold_it(database: Database) -> None:
    slates: dict[str, OpenedSlate | Code] = {"page": PlainSlate({1: PlainShown(1), 2: PlainShown(2)})}
    event = make_event(slate="page")
    assert codes(record(database, Incoming([event], "ada"), slates)) == ["accepted"]
    occurred = int((NOW - timedelta(hours=1)).timestamp()) * 1_000_000
    older = payload_hash(EventKind.CLICK, 1, occurred=occurred, position=None, value=None, slate="page")
    with database.write() as session:
        assert session.execute(sa.select(Event.payload_hash)).scalar_one() != older
        session.execute(sa.update(Event).values(payload_hash=older))
    again = Incoming([event, event | {"position": 2}, event | {"slate": None}], "ada")
    assert codes(record(database, again, slates)) == ["duplicate", "conflict", "conflict"]
    assert codes(record(database, Incoming([event], "ada"), {"page": "stale_slate"})) == ["duplicate"]


def test_forged_and_stale_slates_are_refused_event_by_event(database: Database) -> None:
    events = [make_event(slate="junk"), make_event(slate="old"), make_event()]
    outcome = record(database, Incoming(events, "ada"), {"old": "stale_slate"})
    assert codes(outcome) == ["forged_slate", "stale_slate", "accepted"]
    assert all(answer.reason for answer in outcome.answers[:2])


@pytest.mark.parametrize("later", ["forged_slate", "stale_slate"])
def test_a_retry_of_what_was_taken_is_a_duplicate_even_when_its_slate_has_aged(database: Database, later: Code) -> None:
    event = make_event(slate="page")
    record(database, Incoming([event], "ada"), {"page": PlainSlate({1: PlainShown(1)})})
    changed = event | {"kind": "save"}
    assert codes(record(database, Incoming([event, changed], "ada"), {"page": later})) == ["duplicate", later]


def test_a_retry_says_another_time_of_sending_and_is_a_duplicate(database: Database) -> None:
    event = make_event()
    first = record(database, Incoming([event], "ada", sent_at=NOW.isoformat()))
    later = NOW + timedelta(hours=2)
    second = record(database, Incoming([event], "ada", sent_at=later.isoformat()), now=later)
    third = record(database, Incoming([event], "ada"), now=later)
    assert codes(first) + codes(second) + codes(third) == ["accepted", "duplicate", "duplicate"]


def test_a_slate_of_the_batch_and_the_same_one_of_the_event_are_the_same_body(database: Database) -> None:
    event, slates = make_event(), {"page": PlainSlate({1: PlainShown(1)}), "next": PlainSlate({1: PlainShown(1)})}
    first = record(database, Incoming([event], "ada", slate="page"), dict(slates))
    second = record(database, Incoming([event | {"slate": "page"}, event | {"slate": "next"}], "ada"), dict(slates))
    assert codes(first) + codes(second) == ["accepted", "duplicate", "conflict"]


def test_a_slate_alone_says_who_the_reader_is(database: Database) -> None:
    user_id = make_reader(database, "ada")
    slate = PlainSlate({1: PlainShown(1)}, user_id=user_id)
    incoming = Incoming([make_event()], None, user_id=user_id, slate="page", is_slate_only=True)
    outcome = record(database, incoming, {"page": slate})
    assert (codes(outcome), outcome.user_id) == (["accepted"], user_id)


def test_a_slate_of_a_removed_reader_makes_nobody(database: Database) -> None:
    slate = PlainSlate({1: PlainShown(1)}, user_id=77)
    incoming = Incoming([make_event()], None, user_id=77, slate="page", is_slate_only=True)
    assert codes(record(database, incoming, {"page": slate})) == ["foreign_slate"]
    assert count_rows(database, User) == count_rows(database, Event) == 0


def test_what_is_remembered_and_was_removed_is_looked_up_again(database: Database) -> None:
    work = make_recorder(most_letters=10)

    def take(paper_id: str) -> list[str]:
        batch = parse_incoming(
            Incoming([make_event(paper_id)], "ada"),
            now=NOW,
            future_tolerance=timedelta(hours=24),
            open_slate=opener({}),
        )
        with database.write() as session:
            return codes(work(session, [batch])[0])

    assert take(PAPERS[0]) == ["accepted"]
    with database.write() as session:
        for table in (Event, User, Paper):
            session.execute(sa.delete(table))
    with pytest.raises(sa.exc.IntegrityError):
        take(PAPERS[0])
    assert take(PAPERS[0]) == ["unknown_paper"]


def test_a_reader_and_a_paper_are_looked_up_once(database: Database) -> None:
    ids = RememberedIds()
    record(database, Incoming([make_event()], "ada"), ids=ids)
    sent: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    record(database, Incoming([make_event(kind="impression")], "ada"), ids=ids)
    sa.event.remove(database.engine, "before_cursor_execute", note)
    assert not [statement for statement in sent if statement.startswith("SELECT") and "external_id" in statement]
