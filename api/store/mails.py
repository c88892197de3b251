"""Mails in SQL: written once per key, taken by one worker at a time, and what became of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables_mails import (
    FAILED,
    HANDING_OVER,
    IS_URGENT,
    IS_WAITING,
    QUEUED,
    SENT,
    UNKNOWN,
    MailedPaper,
    QueuedMail,
)
from api.store.upsert import insert_into

_NO_SYNC: Final = {"synchronize_session": False}
# What a mail says goes when nobody needs it any more: its links are keys.
EMPTIED: Final[Mapping[str, Any]] = {"text": "", "html": "", "headers": {}, "lease_owner": None, "lease_until": None}


@dataclass(frozen=True, slots=True)
class MailLease:
    """The right to send one mail; it ends when another owner takes it."""

    mail_id: int
    fencing_token: int


def insert_mail(session: Session, values: Mapping[str, Any]) -> int | None:
    """Add a mail and return its number; None when there is one of its key."""
    insert = insert_into(session, QueuedMail).values(**values)
    return session.scalar(insert.on_conflict_do_nothing(index_elements=["key"]).returning(QueuedMail.mail_id))


def count_keys(session: Session, keys: Collection[str]) -> int:
    """Return how many mails of these keys were written down."""
    query = sa.select(sa.func.count()).select_from(QueuedMail).where(QueuedMail.key.in_(keys))
    return session.execute(query).scalar_one()


def delete_mails_to(session: Session, recipient: str) -> int:
    """Remove the mails to an address, however it is spelt, and return how many there were."""
    wanted = sa.func.lower(QueuedMail.recipient) == recipient.lower()
    deleted = session.scalars(sa.delete(QueuedMail).where(wanted).returning(QueuedMail.mail_id))
    return len(deleted.all())


def has_waiting(session: Session, *, now: datetime) -> bool:
    """True when a mail is due, held by somebody, or of no use any more: one step of an index where there is none."""
    late = sa.or_(QueuedMail.due_at <= now, QueuedMail.lease_until < now, QueuedMail.useful_until < now)
    query = sa.select(QueuedMail.mail_id).where(IS_WAITING, late).limit(1)
    return session.scalar(query) is not None


def claim_mail(session: Session, *, owner: str, now: datetime, lease_until: datetime) -> QueuedMail | None:
    """Take the next mail that is due: what somebody waits for before digests, then the longest due."""
    mail_id = _find_next(session, IS_URGENT, now=now) or _find_next(session, IS_WAITING, now=now)
    if mail_id is None:
        return None
    statement = (
        sa.update(QueuedMail)
        .where(QueuedMail.mail_id == mail_id, QueuedMail.state == QUEUED, _is_free(now))
        .values(
            lease_owner=owner,
            lease_until=lease_until,
            fencing_token=QueuedMail.fencing_token + 1,
            attempts=QueuedMail.attempts + 1,
        )
        .returning(QueuedMail)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return session.scalars(statement).one_or_none()


def _find_next(session: Session, among: sa.TextClause, *, now: datetime) -> int | None:
    """The first of these mails that is due: a step of their index, said in the index's own words."""
    query = (
        sa.select(QueuedMail.mail_id)
        .where(among, QueuedMail.state == QUEUED, QueuedMail.due_at <= now, _is_free(now))
        .order_by(QueuedMail.due_at, QueuedMail.mail_id)
        .limit(1)
    )
    if session.get_bind().dialect.name == "postgresql":
        # Two workers take two mails instead of waiting. Within the update it would be asked again for each row.
        query = query.with_for_update(skip_locked=True)
    return session.scalar(query)


def update_held_mail(session: Session, lease: MailLease, values: Mapping[str, Any], *, state: str) -> bool:
    """Write to a mail in this state through its lease; False when another has taken it or has settled it."""
    statement = (
        sa.update(QueuedMail)
        .where(
            QueuedMail.mail_id == lease.mail_id,
            QueuedMail.fencing_token == lease.fencing_token,
            QueuedMail.lease_owner.is_not(None),
            QueuedMail.state == state,
        )
        .values(**values)
        .returning(QueuedMail.mail_id)
        .execution_options(**_NO_SYNC)
    )
    return session.scalar(statement) is not None


def owners_in_force(session: Session, *, now: datetime) -> list[tuple[MailLease, str]]:
    """Return which waiting mails somebody holds, and who."""
    query = sa.select(QueuedMail.mail_id, QueuedMail.fencing_token, QueuedMail.lease_owner).where(
        IS_WAITING,
        QueuedMail.lease_owner.is_not(None),
        QueuedMail.lease_until >= now,
    )
    return [(MailLease(row.mail_id, row.fencing_token), row.lease_owner) for row in session.execute(query)]


def settle_lost(session: Session, *, now: datetime) -> list[int]:
    """Note of mails whose owner was lost while handing over that nobody knows what became of them; return which."""
    statement = (
        sa.update(QueuedMail)
        .where(IS_WAITING, QueuedMail.state == HANDING_OVER, QueuedMail.lease_until < now)
        .values(
            **EMPTIED,
            state=UNKNOWN,
            finished_at=now,
            failure="the worker was lost between the last line and the answer",
        )
        .returning(QueuedMail.mail_id)
        .execution_options(**_NO_SYNC)
    )
    return list(session.scalars(statement))


def drop_useless(session: Session, *, now: datetime, waiting_since: datetime) -> list[int]:
    """Give up the mails that nobody wants any more or that have waited since then, and return which."""
    is_useless = sa.or_(QueuedMail.useful_until < now, QueuedMail.created_at < waiting_since)
    statement = (
        sa.update(QueuedMail)
        .where(IS_WAITING, QueuedMail.state == QUEUED, is_useless, _is_free(now))
        .values(
            **EMPTIED,
            state=FAILED,
            finished_at=now,
            failure=sa.func.coalesce(QueuedMail.failure, "could not be sent in time"),
        )
        .returning(QueuedMail.mail_id)
        .execution_options(**_NO_SYNC)
    )
    return list(session.scalars(statement))


def release_papers(session: Session, mail_ids: list[int]) -> None:
    """Let papers come again whose mail was surely not delivered."""
    session.execute(sa.delete(MailedPaper).where(MailedPaper.mail_id.in_(mail_ids)), execution_options={**_NO_SYNC})


def count_waiting(session: Session) -> tuple[int, datetime | None]:
    """Return how many mails wait, and when the first of them is or was due."""
    query = sa.select(sa.func.count(), sa.func.min(QueuedMail.due_at)).where(IS_WAITING)
    number, due_at = session.execute(query).one()
    return number, due_at


def list_waiting(session: Session, *, limit: int) -> list[QueuedMail]:
    """Return mails that were not sent, the ones that somebody may help with first."""
    query = (
        sa.select(QueuedMail)
        .where(QueuedMail.state != SENT)
        .order_by(QueuedMail.finished_at.is_not(None), QueuedMail.mail_id.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def known_mails(session: Session, mail_ids: Collection[int]) -> frozenset[int]:
    """Return which of these mails there are."""
    return frozenset(session.scalars(sa.select(QueuedMail.mail_id).where(QueuedMail.mail_id.in_(mail_ids))))


def queue_again(session: Session, mail_id: int, *, now: datetime) -> bool:
    """Let a waiting mail be tried now; False when it does not wait."""
    statement = (
        sa.update(QueuedMail)
        .where(QueuedMail.mail_id == mail_id, QueuedMail.state == QUEUED)
        .values(due_at=now)
        .returning(QueuedMail.mail_id)
        .execution_options(**_NO_SYNC)
    )
    return session.scalar(statement) is not None


def delete_finished(session: Session, *, before: datetime, limit: int) -> int:
    """Remove some mails that were done with before then, and return how many."""
    old = sa.select(QueuedMail.mail_id).where(QueuedMail.finished_at < before).limit(limit)
    statement = sa.delete(QueuedMail).where(QueuedMail.mail_id.in_(old)).returning(QueuedMail.mail_id)
    return len(session.scalars(statement.execution_options(**_NO_SYNC)).all())


def _is_free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(QueuedMail.lease_owner.is_(None), QueuedMail.lease_until < now)
