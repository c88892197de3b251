"""Cursors: a place in one list of one reader, signed, so that nobody else's and nothing invented is accepted."""

import base64
import hashlib
import hmac
from typing import Final, TypeAlias

import orjson

from api.errors import InvalidCursor

SIGNATURE_BYTES: Final = 12
LONGEST_CURSOR: Final = 2000  # characters

Place: TypeAlias = list[int | str | None]


def encode_cursor(secret_key: bytes, scope: str, place: Place) -> str:
    """Return a URL-safe cursor of a place in the list that `scope` names (list, reader, filters)."""
    payload = orjson.dumps(place)
    return base64.urlsafe_b64encode(_sign(secret_key, scope, payload) + payload).rstrip(b"=").decode()


def decode_cursor(secret_key: bytes, scope: str, cursor: str) -> Place:
    """Return the place; raise InvalidCursor for one that was not issued here for this list."""
    if len(cursor) <= LONGEST_CURSOR:
        raw = from_url_safe(cursor)
        signature, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if hmac.compare_digest(signature, _sign(secret_key, scope, payload)):
            place: Place = orjson.loads(payload)
            return place
    raise InvalidCursor("this cursor does not belong to this list: start again without one", field="cursor")


def from_url_safe(text: str) -> bytes:
    """Return the bytes of a text, none unless it is spelt as we write it: padding and loose last bits are a change."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == text else b""


def _sign(secret_key: bytes, scope: str, payload: bytes) -> bytes:
    message = b"cursor\0" + scope.encode() + b"\0" + payload
    return hmac.new(secret_key, message, hashlib.sha256).digest()[:SIGNATURE_BYTES]
