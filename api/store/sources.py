"""Sources in SQL: what is due, who reads one, how far it was read, and when hosts may be asked again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.facts import newest_paper_at
from api.store.tables import Paper, UtcTime
from api.store.tables_sources import Source, SourcePace
from api.store.upsert import insert_into

_NO_SYNC: Final = {"synchronize_session": False}
_FRESH: Final = {"populate_existing": True}


@dataclass(frozen=True, slots=True)
class SourceLease:
    """The right to read one source and move its cursor; it ends when another owner takes it."""

    name: str
    fencing_token: int


@dataclass(frozen=True, slots=True)
class PaceHeld:
    """The right to make one request; `holder` tells it from those before and after."""

    pace: str
    holder: int


def insert_sources(session: Session, due: Mapping[str, datetime], *, now: datetime) -> None:
    """Add the sources that are not there yet, each with the time of its first run."""
    rows = [
        {
            "name": name,
            "scope": "",
            "seen": {},
            "is_paused": False,
            "due_at": due_at,
            "fencing_token": 0,
            "created_at": now,
            "failures": 0,
            "counts": {},
            "papers": 0,
        }
        for name, due_at in due.items()
    ]
    if rows:
        session.execute(insert_into(session, Source).on_conflict_do_nothing(index_elements=["name"]), rows)


def load_sources(session: Session, names: Collection[str]) -> Sequence[Source]:
    """Return those of these sources that are there, as the database has them now."""
    query = sa.select(Source).where(Source.name.in_(names)).order_by(Source.name).execution_options(**_FRESH)
    return session.scalars(query).all()


def load_source(session: Session, name: str) -> Source | None:
    """Return one source as the database has it now."""
    return session.get(Source, name, populate_existing=True)


def due_names(session: Session, names: Collection[str], *, now: datetime) -> list[str]:
    """Return which of these want to be read and are read by nobody whose lease is in force, longest due first."""
    query = (
        sa.select(Source.name)
        .where(Source.name.in_(names), _is_wanted(now), _is_free(now))
        .order_by(Source.due_at, Source.name)
    )
    return list(session.scalars(query))


def leases_in_force(session: Session, *, now: datetime) -> list[tuple[SourceLease, str]]:
    """Return what is being read, and by whom."""
    query = sa.select(Source.name, Source.fencing_token, Source.lease_owner).where(
        Source.lease_owner.is_not(None), Source.lease_until >= now
    )
    return [(SourceLease(row.name, row.fencing_token), row.lease_owner) for row in session.execute(query)]


def claim_source(
    session: Session, name: str, *, owner: str, now: datetime, lease_until: datetime
) -> SourceLease | None:
    """Take a source that is due or asked for; None when it is neither, or somebody reads it."""
    statement = (
        sa.update(Source)
        .where(Source.name == name, _is_wanted(now), _is_free(now))
        .values(
            lease_owner=owner,
            lease_until=lease_until,
            fencing_token=Source.fencing_token + 1,
            started_at=now,
        )
        .returning(Source.fencing_token)
        .execution_options(**_NO_SYNC)
    )
    token = session.scalar(statement)
    return None if token is None else SourceLease(name, token)


def update_held_source(session: Session, lease: SourceLease, values: Mapping[str, Any]) -> bool:
    """Write to a source through its lease; False when the lease is lost."""
    statement = (
        sa.update(Source)
        .where(
            Source.name == lease.name,
            Source.fencing_token == lease.fencing_token,
            Source.lease_owner.is_not(None),
        )
        .values(**values)
        .returning(Source.name)
        .execution_options(**_NO_SYNC)
    )
    return session.scalar(statement) is not None


def request_after_run() -> sa.Case[Any]:
    """Return what is left to be done when a run ends: what was asked for after it began."""
    return sa.case((Source.requested_at <= Source.started_at, None), else_=Source.requested_at)


def request_after_break(due_at: datetime) -> sa.Case[Any]:
    """Return from when a run that was asked for is wanted again, when it ends before all was read."""
    goes_on_at = sa.literal(due_at, UtcTime())
    return sa.case((Source.requested_at <= Source.started_at, goes_on_at), else_=Source.requested_at)


def update_source(session: Session, name: str, values: Mapping[str, Any]) -> bool:
    """Write what operators decide about a source; False when there is none of this name."""
    statement = sa.update(Source).where(Source.name == name).values(**values).returning(Source.name)
    return session.scalar(statement.execution_options(**_NO_SYNC)) is not None


def read_papers_as_of(session: Session, names: Collection[str]) -> datetime | None:
    """Return when one of these sources was last read to its end; where none ever was, the day of the newest paper."""
    read_at = session.scalar(sa.select(sa.func.max(Source.success_at)).where(Source.name.in_(names)))
    return read_at or newest_paper_at(session)


def read_daily_as_of(session: Session, name: str) -> datetime | None:
    """Return when the source of daily lists was last read to its end; where it never was, the newest day of a list."""
    read_at = session.scalar(sa.select(Source.success_at).where(Source.name == name))
    return read_at or session.scalar(sa.select(sa.func.max(Paper.daily_at)))


def papers_after(session: Session, paper_id: int, *, limit: int) -> list[tuple[int, str]]:
    """Return the next papers by number with their external ids: real ones that are not deleted and have an id."""
    query = (
        sa.select(Paper.paper_id, Paper.external_id)
        .where(
            Paper.paper_id > paper_id,
            Paper.is_demo.is_(False),
            Paper.id_from_title.is_(False),
            Paper.deleted_at.is_(None),
        )
        .order_by(Paper.paper_id)
        .limit(limit)
    )
    return [(row.paper_id, row.external_id) for row in session.execute(query)]


def first_paper_since(session: Session, then: datetime) -> int | None:
    """Return the lowest number of the papers that came since then."""
    # Numbers grow with time, so a walk back from the newest meets the first one soon.
    query = sa.select(Paper.paper_id).where(Paper.created_at < then).order_by(Paper.paper_id.desc()).limit(1)
    before = session.scalar(query) or 0
    return session.scalar(sa.select(sa.func.min(Paper.paper_id)).where(Paper.paper_id > before))


def hold_pace(session: Session, pace: str, *, now: datetime, held_until: datetime) -> PaceHeld | datetime:
    """Take the right to ask now, until `held_until` at most; where that is not possible, the time from which it is."""
    insert = insert_into(session, SourcePace).values(pace=pace, free_at=now, holder=0)
    session.execute(insert.on_conflict_do_nothing(index_elements=["pace"]))
    statement = (
        sa.update(SourcePace)
        .where(SourcePace.pace == pace, SourcePace.free_at <= now)
        .values(free_at=held_until, holder=SourcePace.holder + 1)
        .returning(SourcePace.holder)
        .execution_options(**_NO_SYNC)
    )
    holder = session.scalar(statement)
    if holder is not None:
        return PaceHeld(pace, holder)
    return session.scalars(sa.select(SourcePace.free_at).where(SourcePace.pace == pace)).one()


def release_pace(session: Session, held: PaceHeld, *, free_at: datetime) -> None:
    """Say from when the next request may be made; nothing when the right has passed to somebody else."""
    statement = sa.update(SourcePace).where(SourcePace.pace == held.pace, SourcePace.holder == held.holder)
    session.execute(statement.values(free_at=free_at).execution_options(**_NO_SYNC))


def _is_wanted(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(Source.requested_at <= now, sa.and_(Source.is_paused.is_(False), Source.due_at <= now))


def _is_free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(Source.lease_owner.is_(None), Source.lease_until < now)
