"""Anonymous readers who sign in: their history becomes the account's, once, and so does what still arrives for them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api.errors import Conflict
from api.services.digests import drop_second_digest
from api.store import joining, merges, taste_rows, users
from api.store.events import lock_readers
from api.store.tables_letters import ANONYMOUS_PREFIX


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did."""

    user_id: int  # of the account
    anonymous_id: int
    moved: int  # events that became the account's by this call


def merge_reader(session: Session, anonymous: str, *, external_user: str, now: datetime) -> Merged:
    """Move an anonymous reader's history and all else that is theirs into an account.

    Again into the same one moves what came since, if anything. Raises Conflict for a reader of another account.
    """
    found, _ = users.ensure_users(session, {anonymous, external_user}, now=now)
    source, account = found[anonymous], found[external_user]
    lock_readers(session, [source, account])  # from here on no event is written for either of them
    if merges.note_merge(session, user_id=source, into_user_id=account, now=now) != account:
        raise Conflict("this anonymous reader belongs to another account: ask for a new cookie by opening a page")
    silent = taste_rows.joined_silence(session, user_id=source, into_user_id=account)
    moved = merges.move_events(session, user_id=source, into_user_id=account)
    merges.move_library(session, user_id=source, into_user_id=account)
    has_moved_more = joining.move_rest(session, user_id=source, into_user_id=account)
    if silent is not None:
        taste_rows.write_silence(session, account, silent)
    drop_second_digest(session, source)
    if moved or has_moved_more:
        users.advance_users(session, [source, account], now=now)
    return Merged(account, source, moved)


def is_anonymous(external_user: str | None) -> bool:
    """True for a reader who may become part of an account at any moment; one known by number alone may be such."""
    return external_user is None or external_user.startswith(ANONYMOUS_PREFIX)


def find_accounts(session: Session, user_ids: Collection[int]) -> dict[int, int]:
    """Return the account of each of these readers who became part of one: their events belong there."""
    return merges.load_targets(session, user_ids)
