"""Signed tokens: a slate says what one page showed, a cursor holds the frozen rest of a list."""

import base64
import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import orjson

from api.errors import InvalidCursor
from api.services.cursors import from_url_safe
from api.store.feed_codec import FeedList, Source, pack, unpack
from api.store.papers import Place
from api.store.tables import EPOCH, ONE_MICROSECOND

SIGNATURE_BYTES: Final = 16
LONGEST_TOKEN: Final = 16_384  # characters
LARGEST_EXTRA: Final = 65_535  # bytes of filters, and paper ids that a cursor may skip
SLATE_HEADER: Final = struct.Struct("<BQ8sqIHB")  # format, reader, slate, time, first rank, papers, length of version
CURSOR_HEADER: Final = struct.Struct("<BHHf")  # format, bytes of the frame, ids to skip, lowest score
FORMAT: Final = 1
WIDE: Final = np.dtype("<i8")


@dataclass(frozen=True, slots=True)
class Slate:
    """What one page showed to whom, when, and from which model."""

    slate_id: str
    user_id: int  # 0: nobody in particular
    version: str
    shown_at: datetime
    first_rank: int
    paper_ids: tuple[int, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list was narrowed to."""

    categories: tuple[str, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """A place in a frozen list: what is left of it, and where "latest" goes on when it ends."""

    rest: FeedList
    source: str = "latest"  # what the list as a whole is
    shown: int = 0  # papers on the pages before
    skip: tuple[int, ...] = ()  # papers of the list already shown, and those the caller excluded
    filters: Filters = Filters()
    lowest: float = 0.0  # score of the list's last paper: what follows it is not above
    has_tail: bool = True  # False: the list ends where it ends
    tail: Place | None = None  # last place taken from "latest"


def write_slate(secret_key: bytes, page: FeedList, *, user_id: int, first_rank: int, now: datetime) -> str:
    """Return the token of a page of at most 100 papers."""
    version = page.version.encode()
    header = SLATE_HEADER.pack(
        FORMAT,
        user_id,
        secrets.token_bytes(8),
        (now - EPOCH) // ONE_MICROSECOND,
        first_rank,
        len(page),
        len(version),
    )
    ids = np.asarray(page.paper_ids, dtype=WIDE).astype("<u8").view(np.uint8).reshape(-1, 8)[:, :5]
    sources = bytes(page.source(at) for at in range(len(page)))
    return _seal(secret_key, b"slate", header + version + ids.tobytes() + sources)


def read_slate(secret_key: bytes, token: str) -> Slate | None:
    """Return what a token says, None for one that this service did not write."""
    payload = _open(secret_key, b"slate", token)
    if payload is None:
        return None
    _, user_id, slate_id, at, first_rank, count, tag = SLATE_HEADER.unpack_from(payload)
    start = SLATE_HEADER.size + tag
    ids = tuple(int.from_bytes(payload[start + 5 * at : start + 5 * at + 5], "little") for at in range(count))
    return Slate(
        slate_id=slate_id.hex(),
        user_id=user_id,
        version=payload[SLATE_HEADER.size : start].decode(),
        shown_at=EPOCH + timedelta(microseconds=at),
        first_rank=first_rank,
        paper_ids=ids,
        sources=tuple(Source(code) for code in payload[start + 5 * count :]),
    )


def write_cursor(secret_key: bytes, place: FeedPlace, *, scope: str) -> str:
    """Return a cursor that rebuilds the place for the list and reader that `scope` names."""
    tail = None if place.tail is None else [place.tail[0], (place.tail[1] - EPOCH) // ONE_MICROSECOND]
    since = None if place.filters.since is None else (place.filters.since - EPOCH) // ONE_MICROSECOND
    frame = orjson.dumps([place.source, place.shown, place.filters.categories, since, place.has_tail, tail])
    skip = place.skip[:LARGEST_EXTRA]
    header = CURSOR_HEADER.pack(FORMAT, len(frame), len(skip), place.lowest)
    ids = np.asarray(skip, dtype=WIDE).astype("<u8").view(np.uint8).reshape(-1, 8)[:, :5]
    return _seal(secret_key, _cursor_scope(scope), header + frame + ids.tobytes() + pack(place.rest))


def read_cursor(secret_key: bytes, cursor: str, *, scope: str) -> FeedPlace:
    """Return the place; raise InvalidCursor for a cursor that was not issued here for this list and reader."""
    payload = _open(secret_key, _cursor_scope(scope), cursor)
    rest = None
    if payload is not None:
        _, frame_length, skipped, lowest = CURSOR_HEADER.unpack_from(payload)
        start = CURSOR_HEADER.size + frame_length
        frame = payload[CURSOR_HEADER.size : start]
        ids = [int.from_bytes(payload[start + 5 * at : start + 5 * at + 5], "little") for at in range(skipped)]
        rest = unpack(payload[start + 5 * skipped :])
    if rest is None:
        raise InvalidCursor("this cursor does not belong to this list: start again without one", field="cursor")
    source, shown, categories, since, has_tail, tail = orjson.loads(frame)
    return FeedPlace(
        rest=rest,
        source=source,
        shown=shown,
        skip=tuple(ids),
        filters=Filters(tuple(categories), None if since is None else EPOCH + timedelta(microseconds=since)),
        lowest=lowest,
        has_tail=has_tail,
        tail=None if tail is None else (tail[0], EPOCH + timedelta(microseconds=tail[1])),
    )


def _cursor_scope(scope: str) -> bytes:
    return b"cursor\0" + scope.encode("utf-8", "surrogatepass")


def _seal(secret_key: bytes, purpose: bytes, payload: bytes) -> str:
    return base64.urlsafe_b64encode(_sign(secret_key, purpose, payload) + payload).rstrip(b"=").decode()


def _open(secret_key: bytes, purpose: bytes, token: str) -> bytes | None:
    if len(token) > LONGEST_TOKEN:
        return None
    raw = from_url_safe(token)
    signature, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
    return payload if hmac.compare_digest(signature, _sign(secret_key, purpose, payload)) else None


def _sign(secret_key: bytes, purpose: bytes, payload: bytes) -> bytes:
    key = hashlib.sha256(secret_key).digest()  # blake2b takes at most 64 bytes of key
    length = len(purpose).to_bytes(4, "little")
    return hashlib.blake2b(length + purpose + payload, key=key, digest_size=SIGNATURE_BYTES).digest()
