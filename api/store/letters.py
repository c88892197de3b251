"""Rejected events, kept for a while."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables_letters import DeadLetter

KEYS_PER_STATEMENT: Final = 500
LETTERS_LOCK: Final = 5_071_944_319  # any number that nobody else locks in the same PostgreSQL database


def lock_letters(session: Session) -> None:
    """Let one transaction at a time change letters; taken after every other lock, so that nobody waits in a circle."""
    if session.get_bind().dialect.name != "sqlite":  # which has one writer anyway
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(LETTERS_LOCK)))


def keep_letters(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store letters in their order; those whose fingerprint is there already count up by the row's `times`."""
    known = _known(session, [row["fingerprint"] for row in rows])
    # An upsert would be shorter, but use up a number for each repetition, and letters go by number.
    if new := [row for row in rows if row["fingerprint"] not in known]:
        session.connection().execute(sa.insert(DeadLetter), new)
    if repeated := [row for row in rows if row["fingerprint"] in known]:
        again = (
            sa.update(DeadLetter)
            .where(DeadLetter.fingerprint == sa.bindparam("key"))
            .values(times=DeadLetter.times + sa.bindparam("more"), last_at=sa.bindparam("now"))
        )
        session.connection().execute(
            again, [{"key": row["fingerprint"], "more": row["times"], "now": row["last_at"]} for row in repeated]
        )


def drop_beyond(session: Session, *, most: int) -> int:
    """Remove the oldest letters until at most `most` are left; return how many went."""
    newest = session.execute(sa.select(sa.func.max(DeadLetter.letter_id))).scalar_one()
    if newest is None or newest <= most:
        return 0
    return _delete(session, DeadLetter.letter_id <= newest - most)


def drop_older(session: Session, before: datetime, *, limit: int) -> int:
    """Remove up to `limit` letters that were last received before a time; return how many went."""
    old = sa.select(DeadLetter.letter_id).where(DeadLetter.last_at < before).order_by(DeadLetter.last_at).limit(limit)
    return _delete(session, DeadLetter.letter_id.in_(old))


def count_open(session: Session, *, most: int) -> int:
    """Return how many letters wait, counting no further than `most`."""
    waiting = sa.select(DeadLetter.letter_id).where(DeadLetter.replayed_at.is_(None)).limit(most).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(waiting)) or 0


def load_page(
    session: Session, *, before: int | None, limit: int, code: str | None, external_user: str | None, is_open: bool
) -> Sequence[DeadLetter]:
    """Return letters, newest first, with numbers below `before`; open ones were not replayed with success."""
    query = sa.select(DeadLetter)
    if before is not None:
        query = query.where(DeadLetter.letter_id < before)
    if code is not None:
        query = query.where(DeadLetter.code == code)
    if external_user is not None:
        query = query.where(DeadLetter.external_user == external_user)
    if is_open:
        query = query.where(DeadLetter.replayed_at.is_(None))
    return session.scalars(query.order_by(DeadLetter.letter_id.desc()).limit(limit)).all()


def load_open(session: Session, letter_ids: Collection[int]) -> Sequence[DeadLetter]:
    """Return these letters where they are still open, oldest first."""
    query = sa.select(DeadLetter).where(DeadLetter.letter_id.in_(letter_ids), DeadLetter.replayed_at.is_(None))
    return session.scalars(query.order_by(DeadLetter.letter_id)).all()


def load_open_after(session: Session, code: str, *, after: int, limit: int) -> Sequence[DeadLetter]:
    """Return open letters with a code and numbers above `after`, oldest first."""
    query = sa.select(DeadLetter).where(
        DeadLetter.code == code, DeadLetter.letter_id > after, DeadLetter.replayed_at.is_(None)
    )
    return session.scalars(query.order_by(DeadLetter.letter_id).limit(limit)).all()


def mark_replayed(session: Session, outcomes: dict[int, str], *, now: datetime) -> None:
    """Note what became of letters that are in the log now."""
    statement = (
        sa.update(DeadLetter)
        .where(DeadLetter.letter_id == sa.bindparam("key"), DeadLetter.replayed_at.is_(None))
        .values(replayed_at=sa.bindparam("now"), outcome=sa.bindparam("became"))
    )
    rows = [{"key": letter_id, "now": now, "became": became} for letter_id, became in sorted(outcomes.items())]
    session.connection().execute(statement, rows)


def count_letters(session: Session) -> int:
    """Return how many letters there are."""
    return session.execute(sa.select(sa.func.count()).select_from(DeadLetter)).scalar_one()


def _known(session: Session, fingerprints: Sequence[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for start in range(0, len(fingerprints), KEYS_PER_STATEMENT):
        part = fingerprints[start : start + KEYS_PER_STATEMENT]
        found.update(session.scalars(sa.select(DeadLetter.fingerprint).where(DeadLetter.fingerprint.in_(part))))
    return found


def _delete(session: Session, which: sa.ColumnElement[bool]) -> int:
    result = session.connection().execute(sa.delete(DeadLetter).where(which))
    return result.rowcount
