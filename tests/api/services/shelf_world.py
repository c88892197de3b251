"""Papers and readers for tests of libraries."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from api.schemas.events import EventAnswer, Incoming
from api.services import library_import
from api.services.bibliography import Reference, RejectedReference
from api.services.catalog import record_papers
from api.services.feedback import record_events
from api.services.library_import import Outcome
from api.services.saving import parse_saves
from api.sources.records import PaperRecord
from api.store.engine import Database
from api.store.users import ensure_users

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ADA = "ada"


def add_papers(database: Database, *records: PaperRecord) -> None:
    """Store papers as a source brings them."""
    with database.write() as session:
        record_papers(session, records, now=NOW)


def paper(external_id: str | None, title: str, **facts: object) -> PaperRecord:
    """Return a paper."""
    return PaperRecord(title=title, source="test", external_id=external_id, **facts)  # type: ignore[arg-type] # a test's


def add_reader(database: Database, name: str = ADA) -> int:
    """Store a reader and return their number."""
    with database.write() as session:
        return ensure_users(session, [name], now=NOW)[0][name]


def say(database: Database, name: str, kind: str, external_id: str, *, at: datetime = NOW) -> None:
    """Record what a reader does with a paper."""
    event = {
        "id": f"{abs(hash((name, kind, external_id, at))) % 16**12:032x}",
        "kind": kind,
        "paper_id": external_id,
        "occurred_at": at.isoformat(),
    }
    with database.write() as session:
        outcome = record_events(session, [parse_saves(Incoming([event], name), now=at + timedelta(seconds=1))], now=at)
    assert [one.status for one in outcome[0].answers] == ["accepted"]


def import_all(
    database: Database,
    references: Sequence[Reference],
    *,
    rejected: Sequence[RejectedReference] = (),
    name: str = ADA,
    user_id: int | None = None,
    now: datetime = NOW,
) -> list[Outcome]:
    """Import references for a reader, as the page and the task do."""
    with database.read() as session:
        plan = library_import.plan_import(session, name, user_id, references=references, rejected=rejected)
    answers: list[EventAnswer] = []
    for saves in library_import.saves_of(plan, now=now):
        with database.write() as session:
            answers += library_import.record_saves(session, saves, now=now).answers
    with database.write() as session:
        return library_import.finish_import(session, plan, answers=answers, now=now)
