"""The life of a source: due, claimed under a lease, read step by step, put off after failures, paused, called for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from api.errors import Conflict, NotFound
from api.services.catalog import IngestCounts, record_papers
from api.settings import Settings
from api.sources.records import Deletion, Json, PaperRecord, line_of_text
from api.store import sources as rows
from api.store.sources import SourceLease
from api.store.tables import EPOCH
from api.store.tables_sources import Source

FIRST_BACKOFF: Final = timedelta(minutes=5)
LONGEST_BACKOFF: Final = timedelta(hours=6)  # a source that is back is noticed this soon
LONGEST_RETRY_AFTER: Final = timedelta(days=1)  # nobody may put us off for longer
JITTER: Final = 0.2  # installations that failed together do not come back together
STAGGER: Final = timedelta(seconds=20)  # between the first runs of new sources
LONGEST_TEXT: Final = 500  # characters of a failure that are kept


class SourceLost(Conflict):
    """Another process reads the source now: this one must stop writing."""

    title, type_name = "Source lost", "source-lost"


@dataclass(frozen=True, slots=True)
class Claim:
    """A source that this process may read, with how far it was read."""

    lease: SourceLease
    cursor: Json | None
    seen: Mapping[str, Any]


def intervals(settings: Settings) -> dict[str, timedelta]:
    """Return how often each source is read."""
    minutes = {
        "huggingface": settings.huggingface_minutes,
        "arxiv": settings.arxiv_minutes,
        "arxiv-rss": settings.arxiv_rss_minutes,
        "arxiv-oai": settings.arxiv_oai_minutes,
        "semanticscholar": settings.metadata_minutes,
        "openalex": settings.metadata_minutes,
    }
    return {name: timedelta(minutes=minutes[name]) for name in settings.active_sources}


def ensure_sources(session: Session, settings: Settings, *, now: datetime) -> None:
    """Add what is read from now on, the first runs one after another."""
    known = {source.name for source in rows.load_sources(session, settings.active_sources)}
    new = [name for name in settings.active_sources if name not in known]
    if new:
        rows.insert_sources(session, {name: now + at * STAGGER for at, name in enumerate(new)}, now=now)


def release_dead(session: Session, *, now: datetime, is_dead: Callable[[str], bool]) -> None:
    """Free the sources whose reader has died, without waiting for the end of their leases."""
    for lease, owner in rows.leases_in_force(session, now=now):
        if is_dead(owner):
            rows.update_held_source(session, lease, {"lease_until": EPOCH})


def take_due(session: Session, settings: Settings, *, now: datetime, is_dead: Callable[[str], bool]) -> list[str]:
    """Return the sources to be read now, those whose reader has died included."""
    release_dead(session, now=now, is_dead=is_dead)
    return rows.due_names(session, settings.active_sources, now=now)


def claim_source(
    session: Session, name: str, *, scope: str, owner: str, now: datetime, lease_seconds: float
) -> Claim | None:
    """Take a source for this process; None when it is not due or somebody reads it.

    A cursor that is about something else, such as other categories, is forgotten with all that hangs on it.
    """
    lease_until = now + timedelta(seconds=lease_seconds)
    lease = rows.claim_source(session, name, owner=owner, now=now, lease_until=lease_until)
    if lease is None:
        return None
    source = rows.load_source(session, name)
    if source is None or source.scope != scope:
        rows.update_held_source(session, lease, {"scope": scope, "cursor": None, "seen": {}})
        return Claim(lease, None, {})
    return Claim(lease, source.cursor, source.seen)


def hold_source(session: Session, lease: SourceLease, *, now: datetime, lease_seconds: float) -> None:
    """Prolong the lease; raises SourceLost."""
    _write(session, lease, {"lease_until": now + timedelta(seconds=lease_seconds)})


def record_part(
    session: Session, lease: SourceLease, records: Sequence[PaperRecord | Deletion], *, now: datetime
) -> IngestCounts:
    """Store some records of an answer; raises SourceLost, and nothing is stored then."""
    _write(session, lease, {"lease_owner": Source.lease_owner})  # first: it locks the row until the commit
    return record_papers(session, records, now=now)


def move_cursor(session: Session, lease: SourceLease, cursor: Json | None, *, seen: Mapping[str, Any]) -> None:
    """Note in the transaction of an answer's last records that all of it is stored; raises SourceLost."""
    _write(session, lease, {"cursor": cursor, "seen": dict(seen)})


def finish_run(
    session: Session,
    lease: SourceLease,
    *,
    every: timedelta,
    counts: Mapping[str, int],
    problem: str | None,
    now: datetime,
    chance: float,
) -> None:
    """Record that the source was read to its end; `chance`, 0 to 1, spreads the next runs; raises SourceLost."""
    values = _ended(counts, problem) | {"success_at": now, "failures": 0, "failing_since": None, "failure": None}
    due_at = now + every * (1 + JITTER * (chance - 0.5))
    _write(session, lease, values | {"due_at": due_at, "requested_at": rows.request_after_run()})


def leave_run(
    session: Session,
    lease: SourceLease,
    *,
    due_at: datetime,
    has_moved: bool,
    counts: Mapping[str, int],
    problem: str | None,
) -> None:
    """Give the source back before its end, to be read on at `due_at`, paused or not if asked for; raises SourceLost."""
    values = _ended(counts, problem) | {"due_at": due_at, "requested_at": rows.request_after_break(due_at)}
    if has_moved:
        values |= {"failures": 0, "failing_since": None, "failure": None}
    _write(session, lease, values)


def fail_run(
    session: Session,
    lease: SourceLease,
    reason: str,
    *,
    retry_after_seconds: float | None,
    counts: Mapping[str, int],
    now: datetime,
    chance: float,
) -> int:
    """Record a failure, put the source off, and return how many there were in a row; raises SourceLost."""
    source = rows.load_source(session, lease.name)
    failures = (0 if source is None else source.failures) + 1
    since = source.failing_since if source is not None and source.failing_since is not None else now
    values = _ended(counts, None) | {
        "failures": failures,
        "failing_since": since,
        "failure": line_of_text(reason, name="failure")[:LONGEST_TEXT],
        "due_at": now + backoff(failures, retry_after_seconds=retry_after_seconds, chance=chance),
        "requested_at": rows.request_after_run(),
    }
    _write(session, lease, values)
    return failures


def backoff(failures: int, *, retry_after_seconds: float | None, chance: float) -> timedelta:
    """Return how long a source is left alone after so many failures in a row, never less than it asks for."""
    doubled: int = 2 ** min(failures - 1, 20)
    wait = min(FIRST_BACKOFF * doubled, LONGEST_BACKOFF)
    asked = timedelta(seconds=min(retry_after_seconds or 0.0, LONGEST_RETRY_AFTER.total_seconds()))
    return max(wait * (1 + JITTER * (chance - 0.5)), asked * (1 + JITTER * chance))


def take_back(session: Session, *, names: Sequence[str]) -> None:
    """End the leases of these sources: whoever reads them writes nothing any more."""
    for name in names:
        rows.update_source(session, name, {"fencing_token": Source.fencing_token + 1, "lease_owner": None})


def pause_source(session: Session, name: str) -> None:
    """Read it no more, except when somebody asks for it; raises NotFound."""
    _decide(session, name, {"is_paused": True, "requested_at": None})


def resume_source(session: Session, name: str, *, now: datetime) -> None:
    """Read it again, now and then as often as before; raises NotFound."""
    _decide(session, name, {"is_paused": False, "due_at": now})


def request_run(session: Session, name: str, *, now: datetime) -> None:
    """Let it be read as soon as possible, paused or not; raises NotFound."""
    _decide(session, name, {"requested_at": now})


def _ended(counts: Mapping[str, int], problem: str | None) -> dict[str, Any]:
    gained = counts.get("inserted", 0) + counts.get("updated", 0)
    return {
        "lease_owner": None,
        "lease_until": None,
        "counts": dict(counts),
        "problem": problem and problem[:LONGEST_TEXT],
        "papers": Source.papers + gained,
    }


def _write(session: Session, lease: SourceLease, values: Mapping[str, Any]) -> None:
    if not rows.update_held_source(session, lease, values):
        raise SourceLost(f"Source {lease.name} is no longer ours.", source=lease.name)


def _decide(session: Session, name: str, values: Mapping[str, Any]) -> None:
    if not rows.update_source(session, name, values):
        raise unknown_source(name)


def unknown_source(name: str) -> NotFound:
    """Return the error that there is no such source."""
    return NotFound(f"There is no source {name!r}: `paperfeed sources` lists them.", source=name)
