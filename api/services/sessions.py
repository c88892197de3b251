"""Sessions of browsers that are signed in: begun, found, prolonged by use, listed and ended."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.errors import NotFound
from api.runtime.access import hash_secret
from api.runtime.signed_in import SignedIn
from api.store import sessions

__all__ = ["NewSession", "SignedIn", "read_session"]

SECRET_BYTES: Final = 32
MOST_LISTED: Final = 100
LONGEST_DEVICE: Final = 80
# A session in use is written down as such at most this often, or at each quarter of a shorter life.
TOUCH_AFTER: Final = timedelta(days=1)
TOUCHES_PER_LIFE: Final = 4


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lasts."""

    idle: timedelta  # without use
    most: timedelta  # with it

    def ends_at(self, *, created_at: datetime, now: datetime) -> datetime:
        """Return when a session that is used now is over."""
        return min(now + self.idle, created_at + self.most)

    @property
    def touch_after(self) -> timedelta:
        """Return the age of the last noted use at which another is worth writing down."""
        return min(TOUCH_AFTER, self.idle / TOUCHES_PER_LIFE)


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that has just begun; its secret goes into the cookie and is stored nowhere."""

    session_id: int
    account_id: int
    secret: bytes
    secret_hash: str


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session as its owner sees it."""

    session_id: int
    device: str
    method: str
    created_at: datetime
    used_at: datetime
    is_current: bool


def hash_session(secret: bytes) -> str:
    """Return what is stored of a session's secret."""
    return hash_secret(secret.hex())


def begin_session(
    session: Session, account_id: int, *, method: str, device: str, lifetime: Lifetime, now: datetime
) -> NewSession:
    """Begin a session with a secret that nobody has seen."""
    secret = secrets.token_bytes(SECRET_BYTES)
    secret_hash = hash_session(secret)
    session_id = sessions.insert_session(
        session,
        secret_hash=secret_hash,
        account_id=account_id,
        method=method,
        device=device[:LONGEST_DEVICE],
        now=now,
        expires_at=lifetime.ends_at(created_at=now, now=now),
    )
    return NewSession(session_id, account_id, secret, secret_hash)


def read_session(
    session: Session, secret_hash: str, *, moderators: Collection[str], lifetime: Lifetime, now: datetime
) -> tuple[SignedIn, bool] | None:
    """Return who is signed in by a secret, and whether this use is worth noting; None for one that is over."""
    found = sessions.find_session(session, secret_hash, now=now)
    if found is None or now - found.used_at > lifetime.idle or now - found.created_at > lifetime.most:
        return None
    who = SignedIn(
        found.account_id,
        found.user_id,
        found.external_user,
        found.mail,
        found.display_name,
        found.mail in moderators,
        found.session_id,
    )
    return who, now - found.used_at > lifetime.touch_after


def prolong_session(session: Session, secret_hash: str, *, lifetime: Lifetime, now: datetime) -> None:
    """Note that a session is in use, so that it lasts on."""
    found = sessions.find_session(session, secret_hash, now=now)
    if found is not None:
        ends_at = lifetime.ends_at(created_at=found.created_at, now=now)
        sessions.touch_session(session, found.session_id, now=now, expires_at=ends_at)


def list_own_sessions(session: Session, who: SignedIn, *, now: datetime) -> list[ListedSession]:
    """Return where somebody is signed in, last used first."""
    rows = sessions.list_sessions(session, who.account_id, now=now, limit=MOST_LISTED)
    return [
        ListedSession(
            row.session_id, row.device, row.method, row.created_at, row.used_at, row.session_id == who.session_id
        )
        for row in rows
    ]


def end_session(session: Session, secret_hash: str) -> int | None:
    """End the session of a secret; return its account, None where there was none."""
    return sessions.delete_session(session, secret_hash)


def end_own_session(session: Session, who: SignedIn, session_id: int) -> None:
    """End one of somebody's sessions by its number."""
    if not sessions.delete_session_of(session, who.account_id, session_id):
        raise NotFound("this session is over already")


def end_all_sessions(session: Session, account_id: int) -> int:
    """End all sessions of an account; return how many there were."""
    return sessions.delete_sessions(session, account_id)
