"""Digests in SQL: who wants one and when, which are due, and what was in those before."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables_mails import HAS_BOUNCED, QUEUED, Digest, MailedPaper, QueuedMail
from api.store.upsert import insert_into

_NO_SYNC: Final = {"synchronize_session": False}
_FRESH: Final = {"populate_existing": True}


def load_digest(session: Session, digest_id: int) -> Digest | None:
    """Return one digest as the database has it now."""
    return session.get(Digest, digest_id, populate_existing=True)


def find_digest(session: Session, user_id: int) -> Digest | None:
    """Return the digest of a reader, None for one who never asked for it."""
    return session.scalars(sa.select(Digest).where(Digest.user_id == user_id).execution_options(**_FRESH)).one_or_none()


def find_address(session: Session, recipient: str) -> Digest | None:
    """Return the subscription of an address that belongs to no reader."""
    query = sa.select(Digest).where(Digest.recipient == recipient, Digest.user_id.is_(None))
    return session.scalars(query.execution_options(**_FRESH)).one_or_none()


def ensure_digest(session: Session, values: Mapping[str, Any]) -> Digest:
    """Return the digest of this reader, or of this address without a reader; added where there is none."""
    session.execute(insert_into(session, Digest).values(**values).on_conflict_do_nothing())
    if values["user_id"] is None:
        whose = sa.and_(Digest.recipient == values["recipient"], Digest.user_id.is_(None))
    else:
        whose = Digest.user_id == values["user_id"]
    return session.scalars(sa.select(Digest).where(whose).execution_options(**_FRESH)).one()


def reload_digest(session: Session, digest_id: int) -> Digest:
    """Return a digest that is there, as this transaction has it now."""
    return session.scalars(sa.select(Digest).where(Digest.digest_id == digest_id).execution_options(**_FRESH)).one()


def update_digest(session: Session, digest_id: int, values: Mapping[str, Any]) -> bool:
    """Write to a digest; False when it is gone."""
    statement = sa.update(Digest).where(Digest.digest_id == digest_id).values(**values).returning(Digest.digest_id)
    return session.scalar(statement.execution_options(**_NO_SYNC)) is not None


def delete_digest(session: Session, digest_id: int) -> None:
    """Forget a digest with its mails and what was in them."""
    session.execute(sa.delete(Digest).where(Digest.digest_id == digest_id), execution_options=dict(_NO_SYNC))


def due_digests(session: Session, *, now: datetime, after: int, limit: int) -> Sequence[Digest]:
    """Return digests that are due, by number."""
    query = sa.select(Digest).where(Digest.due_at <= now, Digest.digest_id > after).order_by(Digest.digest_id)
    return session.scalars(query.limit(limit).execution_options(**_FRESH)).all()


def claim_occasion(session: Session, digest: Digest, *, next_at: datetime, period_day: str) -> bool:
    """Move a digest on to its next occasion; False when somebody else did, or what it says has changed meanwhile."""
    statement = (
        sa.update(Digest)
        .where(
            Digest.digest_id == digest.digest_id,
            Digest.due_at == digest.due_at,
            Digest.recipient == digest.recipient,
            Digest.confirmed_at.is_not(None),
        )
        .values(due_at=next_at, last_period=period_day)
        .returning(Digest.digest_id)
        .execution_options(**_NO_SYNC)
    )
    return session.scalar(statement) is not None


def delete_queued_issues(session: Session, digest_id: int) -> None:
    """Take back issues that wait to be sent: whoever is about to hand one over finds that it is not theirs."""
    session.execute(
        sa.delete(QueuedMail).where(QueuedMail.digest_id == digest_id, QueuedMail.state == QUEUED),
        execution_options=dict(_NO_SYNC),
    )


def mailed_paper_ids(session: Session, digest_id: int) -> frozenset[int]:
    """Return the papers that were in a digest before."""
    return frozenset(session.scalars(sa.select(MailedPaper.paper_id).where(MailedPaper.digest_id == digest_id)))


def last_mailed_at(session: Session, digest_id: int) -> datetime | None:
    """Return when the last issue of a digest was made, None before the first."""
    return session.scalar(sa.select(sa.func.max(MailedPaper.mailed_at)).where(MailedPaper.digest_id == digest_id))


def insert_mailed(session: Session, digest_id: int, paper_ids: Collection[int], *, mail_id: int, now: datetime) -> None:
    """Note what is in an issue."""
    if not paper_ids:
        return
    rows = [
        {"digest_id": digest_id, "paper_id": paper_id, "mail_id": mail_id, "mailed_at": now} for paper_id in paper_ids
    ]
    session.connection().execute(insert_into(session, MailedPaper).on_conflict_do_nothing(), rows)


def delete_mailed(session: Session, *, before: datetime) -> None:
    """Forget what was mailed so long ago that nobody would mail it again."""
    session.execute(sa.delete(MailedPaper).where(MailedPaper.mailed_at < before), execution_options=dict(_NO_SYNC))


def delete_unconfirmed(session: Session, *, now: datetime) -> int:
    """Forget addresses without a reader that nobody has confirmed in time, and return how many there were."""
    statement = (
        sa.delete(Digest)
        .where(Digest.user_id.is_(None), Digest.confirmed_at.is_(None), Digest.confirm_until < now)
        .returning(Digest.digest_id)
    )
    return len(session.scalars(statement.execution_options(**_NO_SYNC)).all())


def bounced_readers(session: Session) -> frozenset[int]:
    """Return the readers whose digests were stopped because their address refuses mails."""
    query = sa.select(Digest.user_id).where(HAS_BOUNCED, Digest.user_id.is_not(None))
    return frozenset(user_id for user_id in session.scalars(query) if user_id is not None)


def count_due(session: Session, *, now: datetime) -> tuple[int, datetime | None]:
    """Return how many digests are due and since when the longest due one is."""
    query = sa.select(sa.func.count(), sa.func.min(Digest.due_at)).where(Digest.due_at <= now)
    number, oldest = session.execute(query).one()
    return number, oldest
