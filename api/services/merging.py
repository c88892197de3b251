"""Anonymous readers who sign in: their history becomes the account's, once, and so does what still arrives for them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api.errors import Conflict
from api.store import merges, users
from api.store.events import lock_readers
from api.store.tables_letters import ANONYMOUS_PREFIX


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did."""

    user_id: int  # of the account
    anonymous_id: int
    moved: int  # events that became the account's by this call


class MergedMeanwhile(Exception):
    """A reader became part of an account while a transaction wrote for them; it is to be tried again."""


def merge_reader(session: Session, anonymous: str, *, external_user: str, now: datetime) -> Merged:
    """Move an anonymous reader's history into an account; again into the same one moves what came since, if anything.

    Raises Conflict for a reader who belongs to another account.
    """
    found, _ = users.ensure_users(session, {anonymous, external_user}, now=now)
    source, account = found[anonymous], found[external_user]
    lock_readers(session, [source, account])  # from here on no event is written for either of them
    if merges.note_merge(session, user_id=source, into_user_id=account, now=now) != account:
        raise Conflict("this anonymous reader belongs to another account: ask for a new cookie by opening a page")
    moved = merges.move_events(session, user_id=source, into_user_id=account)
    merges.move_library(session, user_id=source, into_user_id=account)
    if moved:
        users.advance_users(session, [source, account], now=now)
    return Merged(account, source, moved)


def is_anonymous(external_user: str | None) -> bool:
    """True for a reader who may become part of an account at any moment; one known by number alone may be such."""
    return external_user is None or external_user.startswith(ANONYMOUS_PREFIX)


def find_accounts(session: Session, user_ids: Collection[int]) -> dict[int, int]:
    """Return the account of each of these readers who became part of one: their events belong there."""
    return merges.load_targets(session, user_ids)


def check_unmerged(session: Session, user_ids: Collection[int]) -> None:
    """Raise MergedMeanwhile when one of these readers, who are locked by now, became part of an account."""
    if merges.load_targets(session, user_ids):
        raise MergedMeanwhile
