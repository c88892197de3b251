"""Cursors: a place in one list of one reader, signed, so that nobody else's and nothing invented is accepted."""

from typing import Final, TypeAlias

import orjson

from api.errors import InvalidCursor
from api.runtime.keys import KeyRing

LONGEST_CURSOR: Final = 2000  # characters

Place: TypeAlias = list[int | str | None]


def encode_cursor(keys: KeyRing, scope: str, place: Place) -> str:
    """Return a URL-safe cursor of a place in the list that `scope` names (list, reader, filters)."""
    return keys.seal(cursor_purpose(scope), orjson.dumps(place))


def decode_cursor(keys: KeyRing, scope: str, cursor: str) -> Place:
    """Return the place; raise InvalidCursor for one that was not issued here for this list."""
    opened = keys.open(cursor_purpose(scope), cursor) if len(cursor) <= LONGEST_CURSOR else None
    if opened is None:
        raise InvalidCursor("this cursor does not belong to this list: start again without one", field="cursor")
    place: Place = orjson.loads(opened.payload)
    return place


def cursor_purpose(scope: str) -> bytes:
    """Return what the cursors of a list are sealed for."""
    return b"cursor\0" + scope.encode("utf-8", "surrogatepass")
