"""Sources as operators see them: how each does, how old its last success is, whether that is too old."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.schemas.sources import SourceOut, State
from api.services.sources import intervals, unknown_source
from api.settings import Settings
from api.store import sources as rows
from api.store.tables_sources import Source

PATIENCE: Final = timedelta(days=1)  # a source may fail this long before it is worth an operator's while


def read_sources(session: Session, settings: Settings, *, now: datetime) -> list[SourceOut]:
    """Return the sources of this installation in the order in which they are made."""
    found = {source.name: source for source in rows.load_sources(session, settings.active_sources)}
    every = intervals(settings)
    return [describe_source(found[name], every=every[name], now=now) for name in every if name in found]


def read_source(session: Session, settings: Settings, name: str, *, now: datetime) -> SourceOut:
    """Return one source; raises NotFound."""
    for source in read_sources(session, settings, now=now):
        if source.name == name:
            return source
    raise unknown_source(name)


def describe_source(source: Source, *, every: timedelta, now: datetime) -> SourceOut:
    """Return a source as the wire has it; `every` is the time between two of its runs."""
    age = None if source.success_at is None else max(now - source.success_at, timedelta())
    has_failed_long = source.failing_since is not None and now - source.failing_since >= PATIENCE
    # Where nothing reads it, nothing fails either: age alone tells.
    is_old = now - (source.success_at or source.created_at) >= PATIENCE + every
    return SourceOut(
        name=source.name,
        state=_state(source, now=now),
        started_at=source.started_at,
        success_at=source.success_at,
        age_seconds=None if age is None else age.total_seconds(),
        due_at=None if source.is_paused else source.due_at,
        failures=source.failures,
        failing_since=source.failing_since,
        failure=source.failure,
        problem=source.problem,
        last_run=source.counts,
        papers=source.papers,
        is_overdue=not source.is_paused and (has_failed_long or is_old),
    )


def _state(source: Source, *, now: datetime) -> State:
    if source.lease_owner is not None and source.lease_until is not None and source.lease_until >= now:
        return "running"
    if source.requested_at is None and source.is_paused:
        return "paused"
    if source.requested_at is None and source.failures:
        return "failing"
    return "due" if source.requested_at is not None or source.due_at <= now else "idle"
