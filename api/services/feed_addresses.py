"""Secret addresses of personal feeds: feed readers sign in nowhere, so whoever has the address may read the feed."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from api.errors import Conflict, Gone, InvalidRequest, NotFound
from api.runtime.access import hash_secret
from api.store import feed_addresses
from api.store.feed_addresses import FoundAddress

SECRET_BYTES: Final = 32  # 43 URL-safe characters
LONGEST_SECRET: Final = 100  # characters that are looked up
LONGEST_LABEL: Final = 100
MOST_ADDRESSES: Final = 20  # in force, of one reader
MOST_REVOKED: Final = 50  # remembered, so that programs which still ask are told to stop


@dataclass(frozen=True, slots=True)
class Address:
    """An address as its owner sees it; its secret is known only where it is used."""

    address_id: int
    label: str
    created_at: datetime


def make_address(session: Session, user_id: int, *, label: str, now: datetime) -> str:
    """Make a new address of a reader's feed and return its secret, which is told this once.

    Raises Conflict where there are too many, InvalidRequest for a label that is none.
    """
    name = " ".join(label.split())
    if len(name) > LONGEST_LABEL or not name.isprintable():
        raise InvalidRequest(f"a name takes {LONGEST_LABEL} printable characters at most", field="label")
    if len(feed_addresses.list_addresses(session, user_id)) >= MOST_ADDRESSES:
        raise Conflict(f"{MOST_ADDRESSES} addresses are the most: revoke one that is not used any more")
    secret = secrets.token_urlsafe(SECRET_BYTES)
    feed_addresses.insert_address(session, user_id=user_id, secret_hash=hash_secret(secret), label=name, now=now)
    return secret


def find_feed_of(session: Session, secret: str) -> FoundAddress:
    """Return whose feed a secret opens; raises NotFound for one that nobody has, Gone for one that was revoked."""
    found = feed_addresses.find_address(session, hash_secret(secret)) if len(secret) <= LONGEST_SECRET else None
    if found is None:
        raise NotFound("there is no feed at this address: make a new one in the settings")
    if found.revoked_at is not None:
        raise Gone("this address was revoked: make a new one in the settings, and remove this one from the feed reader")
    return found


def list_addresses(session: Session, user_id: int | None) -> list[Address]:
    """Return a reader's addresses in force, oldest first."""
    rows = [] if user_id is None else feed_addresses.list_addresses(session, user_id)
    return [Address(row.address_id, row.label, row.created_at) for row in rows]


def revoke_address(session: Session, user_id: int, address_id: int, *, now: datetime) -> None:
    """End an address at once; raises NotFound where the reader has none of this number."""
    if not feed_addresses.mark_revoked(session, user_id, address_id, now=now):
        raise NotFound("this address is revoked already")
    feed_addresses.delete_longest_revoked(session, user_id, keep=MOST_REVOKED)
