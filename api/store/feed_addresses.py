"""Secret addresses of personal feeds; only hashes of their secrets are kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import User
from api.store.tables_feed_addresses import FeedAddress


class FoundAddress(NamedTuple):
    """Whose feed an address is of."""

    address_id: int
    user_id: int
    external_user: str
    revoked_at: datetime | None


def insert_address(session: Session, *, user_id: int, secret_hash: str, label: str, now: datetime) -> int:
    """Store a new address and return its number."""
    row = FeedAddress(user_id=user_id, secret_hash=secret_hash, label=label, created_at=now)
    session.add(row)
    session.flush()
    return row.address_id


def find_address(session: Session, secret_hash: str) -> FoundAddress | None:
    """Return the address of a secret, revoked or not, None where there is none."""
    query = (
        sa.select(FeedAddress.address_id, FeedAddress.user_id, User.external_id, FeedAddress.revoked_at)
        .join(User, User.user_id == FeedAddress.user_id)
        .where(FeedAddress.secret_hash == secret_hash)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else FoundAddress(row[0], row[1], row[2], row[3])


def list_addresses(session: Session, user_id: int) -> Sequence[FeedAddress]:
    """Return a reader's addresses in force, oldest first."""
    query = sa.select(FeedAddress).where(FeedAddress.user_id == user_id, FeedAddress.revoked_at.is_(None))
    return session.scalars(query.order_by(FeedAddress.address_id)).all()


def mark_revoked(session: Session, user_id: int, address_id: int, *, now: datetime) -> bool:
    """Revoke one of a reader's addresses; False where there is none in force of this number."""
    update = sa.update(FeedAddress).where(
        FeedAddress.user_id == user_id, FeedAddress.address_id == address_id, FeedAddress.revoked_at.is_(None)
    )
    revoked = session.execute(update.values(revoked_at=now).returning(FeedAddress.address_id)).one_or_none()
    return revoked is not None


def delete_longest_revoked(session: Session, user_id: int, *, keep: int) -> None:
    """Forget a reader's revoked addresses but for the latest `keep` of them."""
    revoked = sa.select(FeedAddress.address_id).where(
        FeedAddress.user_id == user_id, FeedAddress.revoked_at.is_not(None)
    )
    kept = revoked.order_by(FeedAddress.revoked_at.desc(), FeedAddress.address_id.desc()).limit(keep)
    known = set(session.scalars(kept))
    session.execute(
        sa.delete(FeedAddress).where(
            FeedAddress.user_id == user_id, FeedAddress.revoked_at.is_not(None), FeedAddress.address_id.not_in(known)
        )
    )
