"""Training runs in SQL: who runs one, how far it is, which ranges of readers are warmed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import TrainingRun, User, UtcTime, WarmChunk
from api.store.upsert import insert_into

QUEUED: Final = "queued"
RUNNING: Final = "running"
_NO_SYNC: Final = {"synchronize_session": False}
_FRESH: Final = {"populate_existing": True}


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one run; it ends when another owner takes the run."""

    run_id: int
    fencing_token: int


@dataclass(frozen=True, slots=True)
class ReaderRange:
    """A claimed chunk: readers from `first_user_id` to `last_user_id`, both included."""

    run_id: int
    chunk: int
    first_user_id: int
    last_user_id: int


@dataclass(frozen=True, slots=True)
class WarmProgress:
    """How many chunks of a run there are and how many are written."""

    chunks: int
    done: int


def insert_run(session: Session, *, trigger: str, now: datetime) -> int | None:
    """Queue a run and return its id; None while another is active, also when both arrive at once."""
    statement = (
        insert_into(session, TrainingRun)
        .values(
            state=QUEUED,
            active=1,
            trigger=trigger,
            created_at=now,
            progress=0.0,
            fencing_token=0,
            attempts=0,
            cancel_requested=False,
        )
        .on_conflict_do_nothing(index_elements=["active"])
        .returning(TrainingRun.run_id)
    )
    return session.scalar(statement)


def load_run(session: Session, run_id: int) -> TrainingRun | None:
    """Return the run as the database has it now."""
    return session.get(TrainingRun, run_id, populate_existing=True)


def load_active_run(session: Session) -> TrainingRun | None:
    """Return the one run that is queued or running."""
    query = sa.select(TrainingRun).where(TrainingRun.active == 1).execution_options(**_FRESH)
    return session.scalars(query).one_or_none()


def load_newest_run(session: Session) -> TrainingRun | None:
    """Return the run that was requested last."""
    query = sa.select(TrainingRun).order_by(TrainingRun.run_id.desc()).limit(1).execution_options(**_FRESH)
    return session.scalars(query).one_or_none()


def load_runs(session: Session, *, before_run_id: int | None, limit: int) -> Sequence[TrainingRun]:
    """Return runs, newest first, older than `before_run_id`."""
    query = sa.select(TrainingRun).order_by(TrainingRun.run_id.desc()).limit(limit).execution_options(**_FRESH)
    if before_run_id is not None:
        query = query.where(TrainingRun.run_id < before_run_id)
    return session.scalars(query).all()


def newest_trained_event_pk(session: Session) -> int:
    """Return the newest event that any run has taken into its snapshot, 0 without one."""
    return session.scalar(sa.select(sa.func.max(TrainingRun.last_event_pk))) or 0


def claim_run(session: Session, run_id: int, *, owner: str, now: datetime, lease_until: datetime) -> Lease | None:
    """Take a queued run; None when it is not queued (any more)."""
    statement = (
        sa.update(TrainingRun)
        .where(TrainingRun.run_id == run_id, TrainingRun.state == QUEUED)
        .values(
            state=RUNNING,
            lease_owner=owner,
            lease_until=lease_until,
            fencing_token=TrainingRun.fencing_token + 1,
            attempts=TrainingRun.attempts + 1,
            started_at=sa.func.coalesce(TrainingRun.started_at, sa.literal(now, UtcTime())),
        )
        .returning(TrainingRun.fencing_token)
        .execution_options(**_NO_SYNC)
    )
    token = session.scalar(statement)
    return None if token is None else Lease(run_id, token)


def update_held_run(session: Session, lease: Lease, values: Mapping[str, Any]) -> bool | None:
    """Write to a run through its lease and return whether its cancel was asked for; None when the lease is lost."""
    statement = (
        sa.update(TrainingRun)
        .where(
            TrainingRun.run_id == lease.run_id,
            TrainingRun.fencing_token == lease.fencing_token,
            TrainingRun.state == RUNNING,
        )
        .values(**values)
        .returning(TrainingRun.cancel_requested)
        .execution_options(**_NO_SYNC)
    )
    return session.scalar(statement)


def request_cancel(session: Session, run_id: int, *, now: datetime) -> None:
    """End a queued run as cancelled, and mark a running one for its owner."""
    of_run = sa.update(TrainingRun).where(TrainingRun.run_id == run_id).execution_options(**_NO_SYNC)
    session.execute(
        of_run.where(TrainingRun.state == QUEUED).values(
            state="cancelled", active=None, finished_at=now, cancel_requested=True, reason="cancelled before it began"
        )
    )
    session.execute(of_run.where(TrainingRun.state == RUNNING).values(cancel_requested=True))


def is_warming(session: Session, run_id: int) -> bool:
    """Return whether the run is in its warm stage and nobody asked to cancel it."""
    run = load_run(session, run_id)
    return run is not None and run.state == RUNNING and run.stage == "warm" and not run.cancel_requested


def active_user_ids(session: Session, *, since: datetime, first: int = 0, last: int | None = None) -> list[int]:
    """Return readers with an event or setting since then, ascending, within a range of ids."""
    query = sa.select(User.user_id).where(User.last_active_at >= since, User.user_id >= first).order_by(User.user_id)
    if last is not None:
        query = query.where(User.user_id <= last)
    return list(session.scalars(query))


def insert_chunks(session: Session, run_id: int, *, user_ids: Sequence[int], size: int) -> None:
    """Cut the readers into chunks of `size` for one run."""
    rows = [
        {
            "run_id": run_id,
            "chunk": start // size,
            "first_user_id": user_ids[start],
            "last_user_id": user_ids[min(start + size, len(user_ids)) - 1],
        }
        for start in range(0, len(user_ids), size)
    ]
    if rows:
        session.execute(sa.insert(WarmChunk), rows)


def claim_chunk(session: Session, run_id: int, *, now: datetime, claimed_until: datetime) -> ReaderRange | None:
    """Take the next chunk that nobody works on; None when all are done or taken."""
    free = (
        sa.select(WarmChunk.chunk)
        .where(
            WarmChunk.run_id == run_id,
            WarmChunk.done_at.is_(None),
            sa.or_(WarmChunk.claimed_until.is_(None), WarmChunk.claimed_until < now),
        )
        .order_by(WarmChunk.chunk)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    statement = (
        sa.update(WarmChunk)
        .where(WarmChunk.run_id == run_id, WarmChunk.chunk == free.scalar_subquery())
        .values(claimed_until=claimed_until)
        .returning(WarmChunk.chunk, WarmChunk.first_user_id, WarmChunk.last_user_id)
        .execution_options(**_NO_SYNC)
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else ReaderRange(run_id, row.chunk, row.first_user_id, row.last_user_id)


def finish_chunk(session: Session, readers: ReaderRange, *, now: datetime) -> None:
    """Record that every list of the chunk is written."""
    statement = sa.update(WarmChunk).where(WarmChunk.run_id == readers.run_id, WarmChunk.chunk == readers.chunk)
    session.execute(statement.values(done_at=now).execution_options(**_NO_SYNC))


def release_chunk(session: Session, readers: ReaderRange) -> None:
    """Give a chunk back that could not be written."""
    statement = sa.update(WarmChunk).where(WarmChunk.run_id == readers.run_id, WarmChunk.chunk == readers.chunk)
    session.execute(statement.values(claimed_until=None).execution_options(**_NO_SYNC))


def read_warm_progress(session: Session, run_id: int) -> WarmProgress:
    """Return how far the warm stage is."""
    row = session.execute(
        sa.select(sa.func.count(), sa.func.count(WarmChunk.done_at)).where(WarmChunk.run_id == run_id)
    ).one()
    return WarmProgress(chunks=row[0], done=row[1])


def delete_chunks(session: Session, run_id: int) -> None:
    """Forget the chunks of a run that has ended."""
    session.execute(sa.delete(WarmChunk).where(WarmChunk.run_id == run_id).execution_options(**_NO_SYNC))
