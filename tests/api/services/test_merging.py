"""An anonymous reader who signs in brings their history along once, whatever arrives when."""

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
import sqlalchemy as sa

from api.errors import Conflict
from api.runtime.group_commit import OVERTAKEN
from api.schemas.events import BatchOutcome, Code, EventBatch, Incoming, OpenedSlate, ShownPaper
from api.services.event_matching import RememberedIds
from api.services.event_parsing import parse_incoming
from api.services.feedback import record_events
from api.services.merging import Merged, merge_reader
from api.store import users
from api.store.engine import Database
from api.store.tables import Event, LibraryItem, User
from tests.api.routes.conftest import make_paper

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PAPERS = [f"2401.0000{number}" for number in range(1, 6)]
VISITOR = "anon:" + "x" * 22
WRITERS = 4
EVENTS_EACH = 15


@pytest.fixture(autouse=True)
def _papers(database: Database) -> None:
    with database.write() as session:
        session.add_all(make_paper(external_id) for external_id in PAPERS)


@dataclass(frozen=True)
class _Slate:
    """A slate that a test made."""

    user_id: int
    papers: Mapping[int, ShownPaper]
    slate_id: str = "ab" * 8
    version: str = "v"
    variant: str = "base"


@dataclass(frozen=True)
class _Shown:
    """How it showed a paper."""

    position: int = 1
    source: int = 0
    propensity: float = 1.0


def event(kind: str = "click", paper: int = 0, *, minute: int = 0, event_id: str | None = None) -> dict[str, object]:
    return {
        "id": event_id or str(uuid.uuid4()),
        "kind": kind,
        "paper_id": PAPERS[paper],
        "occurred_at": (NOW - timedelta(hours=1) + timedelta(minutes=minute)).isoformat(),
    }


def batch_of(
    reader: str | int, *events: dict[str, object], slates: Mapping[str, OpenedSlate] = MappingProxyType({})
) -> EventBatch:
    def open_slate(token: str) -> OpenedSlate | Code:
        return slates.get(token, "forged_slate")

    name, number = (reader, None) if isinstance(reader, str) else (None, reader)
    incoming = Incoming(events, name, user_id=number, slate=next(iter(slates), None))
    return parse_incoming(incoming, now=NOW, future_tolerance=timedelta(hours=24), open_slate=open_slate)


def record(database: Database, *batches: EventBatch, ids: RememberedIds | None = None) -> list[BatchOutcome]:
    with database.write() as session:
        return record_events(session, batches, now=NOW, ids=ids)


def statuses(outcomes: list[BatchOutcome]) -> list[str]:
    return [answer.status for outcome in outcomes for answer in outcome.answers]


def merge(database: Database, into: str = "ada") -> Merged:
    with database.write() as session:
        return merge_reader(session, VISITOR, external_user=into, now=NOW)


def history(database: Database, reader: str) -> list[str]:
    with database.read() as session:
        query = sa.select(Event.event_id).join(User).where(User.external_id == reader).order_by(Event.event_id)
        return list(session.scalars(query))


def saved(database: Database, reader: str) -> set[int]:
    with database.read() as session:
        query = sa.select(LibraryItem.paper_id).join(User).where(User.external_id == reader, LibraryItem.is_saved)
        return set(session.scalars(query))


def number_of(database: Database, reader: str) -> int:
    with database.read() as session:
        found = users.find_user_id(session, reader)
    assert found is not None
    return found


def test_a_merge_moves_events_and_library_once(database: Database) -> None:
    record(database, batch_of(VISITOR, event("save", 0), event("click", 1)), batch_of("ada", event("save", 2)))
    assert merge(database).moved == 2
    assert (len(history(database, "ada")), history(database, VISITOR)) == (3, [])
    assert (saved(database, "ada"), saved(database, VISITOR)) == ({1, 3}, set())
    assert merge(database).moved == 0
    assert len(history(database, "ada")) == 3


def test_a_merge_makes_the_list_of_the_account_follow_and_an_empty_one_does_not(database: Database) -> None:
    record(database, batch_of(VISITOR, event()), batch_of("ada", event("save", 2)))
    before = merge(database)
    with database.read() as session:
        user = users.load_user(session, before.user_id)
        assert user is not None
        advanced = user.last_seq
    merge(database)
    with database.read() as session:
        user = users.load_user(session, before.user_id)
        assert user is not None
        assert (advanced, user.last_seq) == (2, 2)


def test_a_reader_of_one_account_is_refused_to_another_and_nothing_moves(database: Database) -> None:
    record(database, batch_of(VISITOR, event()))
    merge(database, "ada")
    with pytest.raises(Conflict):
        merge(database, "bob")
    assert (len(history(database, "ada")), history(database, "bob")) == (1, [])


def test_the_later_word_on_a_paper_wins_whoever_said_it(database: Database) -> None:
    record(database, batch_of("ada", event("save", 0, minute=5), event("save", 1, minute=1)))
    record(database, batch_of(VISITOR, event("unsave", 0, minute=2), event("unsave", 1, minute=2)))
    merge(database)
    assert saved(database, "ada") == {1}


def test_an_event_that_both_sent_counts_once(database: Database) -> None:
    same = event()
    record(database, batch_of("ada", same), batch_of(VISITOR, same, event("click", 1)))
    merge(database)
    assert len(history(database, "ada")) == 2
    assert history(database, VISITOR) == []


def test_what_arrives_later_lands_in_the_account_and_a_retry_is_a_duplicate(database: Database) -> None:
    first, later = event(), event("save", 3)
    ids = RememberedIds()
    record(database, batch_of(VISITOR, first), ids=ids)
    merged = merge(database)
    outcomes = record(database, batch_of(VISITOR, first, later), ids=ids)
    assert statuses(outcomes) == ["duplicate", "accepted"]
    assert (outcomes[0].user_id, outcomes[0].hide) == (merged.user_id, (4,))
    assert (len(history(database, "ada")), history(database, VISITOR)) == (2, [])
    assert 4 in saved(database, "ada")


def test_a_merge_before_the_first_event_counts_too(database: Database) -> None:
    assert merge(database).moved == 0
    record(database, batch_of(VISITOR, event()))
    assert len(history(database, "ada")) == 1


def test_what_arrives_by_an_old_slate_alone_lands_in_the_account(database: Database) -> None:
    record(database, batch_of(VISITOR, event()))
    visitor = number_of(database, VISITOR)
    merge(database)
    slate = _Slate(visitor, {1: _Shown()})
    assert statuses(record(database, batch_of(visitor, event(), slates={"token": slate}))) == ["accepted"]
    assert len(history(database, "ada")) == 2


def test_a_page_from_before_signing_in_still_counts_for_the_account_and_for_nobody_else(database: Database) -> None:
    record(database, batch_of(VISITOR, event()), batch_of("bob", event()))
    slate = _Slate(number_of(database, VISITOR), {1: _Shown()})
    assert statuses(record(database, batch_of("ada", event(), slates={"token": slate}))) == ["rejected"]
    merge(database)
    assert statuses(record(database, batch_of("ada", event(), slates={"token": slate}))) == ["accepted"]
    assert statuses(record(database, batch_of("bob", event(), slates={"token": slate}))) == ["rejected"]


def test_readers_with_names_cost_no_look_at_merges(database: Database) -> None:
    found: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *call: found.append(call[2]))
    record(database, batch_of("ada", event("save", 0), event("click", 1)))
    assert found
    assert not [statement for statement in found if "merges" in statement]


@dataclass
class _Race:
    """Writers of an anonymous reader beside two merges of that reader."""

    database: Database
    started: threading.Barrier = field(default_factory=lambda: threading.Barrier(WRITERS + 2))
    errors: list[BaseException] = field(default_factory=list)

    def write(self) -> None:
        ids = RememberedIds()
        self.started.wait()
        for _ in range(EVENTS_EACH):
            again(lambda: record(self.database, batch_of(VISITOR, event("save", 1)), ids=ids))

    def merge(self) -> None:
        self.started.wait()
        for _ in range(5):
            again(lambda: merge(self.database))

    def run(self) -> None:
        threads = [threading.Thread(target=self._guard, args=(self.write,)) for _ in range(WRITERS)]
        threads += [threading.Thread(target=self._guard, args=(self.merge,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _guard(self, work: object) -> None:
        assert callable(work)
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            self.errors.append(error)


def again(work: object) -> None:
    """Do what the group commit and the route do when another writer was faster."""
    assert callable(work)
    for _ in range(10):
        try:
            work()
        except sa.exc.DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in OVERTAKEN:
                raise
        else:
            return
    raise AssertionError("always overtaken")


def test_events_that_race_with_a_merge_all_end_in_the_account(database: Database) -> None:
    race = _Race(database)
    race.run()
    assert race.errors == []
    assert len(history(database, "ada")) == WRITERS * EVENTS_EACH
    assert history(database, VISITOR) == []
    assert (saved(database, "ada"), saved(database, VISITOR)) == ({2}, set())
