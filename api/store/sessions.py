"""Sessions of browsers; only hashes of their secrets are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import User
from api.store.tables_accounts import Account, SiteSession


@dataclass(frozen=True, slots=True)
class FoundSession:
    """A session in force, with its account and reader."""

    session_id: int
    account_id: int
    user_id: int
    external_user: str
    mail: str
    display_name: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime


def insert_session(
    session: Session,
    *,
    secret_hash: str,
    account_id: int,
    method: str,
    device: str,
    now: datetime,
    expires_at: datetime,
) -> int:
    """Store a new session and return its number."""
    row = SiteSession(
        secret_hash=secret_hash,
        account_id=account_id,
        created_at=now,
        used_at=now,
        expires_at=expires_at,
        method=method,
        device=device,
    )
    session.add(row)
    session.flush()
    return row.session_id


def find_session(session: Session, secret_hash: str, *, now: datetime) -> FoundSession | None:
    """Return the session of a secret with its account in one statement; None for one that is unknown or over."""
    query = (
        sa.select(
            SiteSession.session_id,
            Account.account_id,
            Account.user_id,
            User.external_id,
            Account.mail,
            Account.display_name,
            SiteSession.created_at,
            SiteSession.used_at,
            SiteSession.expires_at,
        )
        .join(Account, Account.account_id == SiteSession.account_id)
        .join(User, User.user_id == Account.user_id)
        .where(SiteSession.secret_hash == secret_hash, SiteSession.expires_at > now)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else FoundSession(*row)


def touch_session(session: Session, session_id: int, *, now: datetime, expires_at: datetime) -> None:
    """Note that a session is in use and lasts longer; one that has been used later meanwhile stays as it is."""
    session.execute(
        sa.update(SiteSession)
        .where(SiteSession.session_id == session_id, SiteSession.used_at < now)
        .values(used_at=now, expires_at=expires_at)
    )


def list_sessions(session: Session, account_id: int, *, now: datetime, limit: int) -> Sequence[SiteSession]:
    """Return an account's sessions in force, last used first."""
    query = (
        sa.select(SiteSession)
        .where(SiteSession.account_id == account_id, SiteSession.expires_at > now)
        .order_by(SiteSession.used_at.desc(), SiteSession.session_id.desc())
    )
    return session.scalars(query.limit(limit)).all()


def delete_session(session: Session, secret_hash: str) -> int | None:
    """End the session of a secret; return its account, None where there was none."""
    ended = sa.delete(SiteSession).where(SiteSession.secret_hash == secret_hash).returning(SiteSession.account_id)
    return session.execute(ended).scalar_one_or_none()


def delete_session_of(session: Session, account_id: int, session_id: int) -> bool:
    """End one session of an account by its number; False where it is not theirs or over already."""
    ended = sa.delete(SiteSession).where(SiteSession.session_id == session_id, SiteSession.account_id == account_id)
    return bool(session.connection().execute(ended).rowcount)


def delete_sessions(session: Session, account_id: int) -> int:
    """End all sessions of an account; return how many there were."""
    return session.connection().execute(sa.delete(SiteSession).where(SiteSession.account_id == account_id)).rowcount


def delete_expired(session: Session, *, now: datetime) -> int:
    """Remove sessions that are over; return how many."""
    return session.connection().execute(sa.delete(SiteSession).where(SiteSession.expires_at <= now)).rowcount
