"""What a reader did and saved, page by page."""

from datetime import datetime
from typing import TypeAlias

from sqlalchemy.orm import Session

from api.errors import InvalidCursor
from api.runtime.keys import KeyRing
from api.services.cursors import Place, decode_cursor, encode_cursor
from api.store.events import HistoryEvent, load_history
from api.store.library import SavedPaper, load_saved
from api.store.tables import EPOCH, ONE_MICROSECOND

Spot: TypeAlias = tuple[datetime | None, int]


def read_history(
    session: Session, keys: KeyRing, *, user_id: int | None, cursor: str | None, limit: int
) -> tuple[list[HistoryEvent], str | None]:
    """Return a page of a reader's events, newest first, and the cursor of the next page."""
    scope = f"history:{user_id}"
    after = read_spot(keys, scope, cursor)
    if user_id is None:
        return [], None
    found = load_history(session, user_id, after=after, limit=limit + 1)
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], encode_cursor(keys, scope, place_of(last.occurred_at, last.event_pk))


def read_library(
    session: Session, keys: KeyRing, *, user_id: int | None, cursor: str | None, limit: int
) -> tuple[list[SavedPaper], str | None]:
    """Return a page of a reader's saved papers, last saved first, and the cursor of the next page."""
    scope = f"library:{user_id}"
    after = read_spot(keys, scope, cursor)
    if user_id is None:
        return [], None
    found = load_saved(session, user_id, after=after, limit=limit + 1)
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], encode_cursor(keys, scope, place_of(last.saved_at, last.paper_id))


def place_of(time: datetime | None, key: int) -> Place:
    """Return where a list goes on after an item of this time and key."""
    return [None if time is None else (time - EPOCH) // ONE_MICROSECOND, key]


def read_spot(keys: KeyRing, scope: str, cursor: str | None) -> Spot | None:
    """Return the time and key in a cursor, None without one; InvalidCursor for one of another list."""
    if cursor is None:
        return None
    match decode_cursor(keys, scope, cursor):
        case [int() | None as time, int() as key]:
            return (None if time is None else EPOCH + time * ONE_MICROSECOND), key
    raise InvalidCursor("this cursor does not belong to this list: start again without one", field="cursor")
