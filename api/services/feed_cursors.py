"""Cursors of frozen lists: the list's own bytes and the little that says how they are arranged and what comes next."""

from datetime import timedelta
from struct import Struct
from typing import Final

import orjson

from api.errors import InvalidCursor
from api.runtime.keys import KeyRing
from api.services.cursors import cursor_purpose
from api.services.feed_places import NOT_NARROWED, FeedPlace, Filters
from api.store.feed_codec import Source
from api.store.packed_list import open_packed
from api.store.tables import EPOCH, ONE_MICROSECOND
from recommender.slate_randomisation import Randomisation

FORMAT: Final = 2
LARGEST_SKIP: Final = 65_535  # papers that a cursor may leave out
WIDE: Final = 8  # bytes of a paper id
# format, source, has tail, slate, next place, shown, bytes of the mask, ids to skip, bytes of the frame, lowest score,
# probability of a swap, share that explores
HEADER: Final = Struct("<BB?8sIIHHHfdd")


def write_cursor(keys: KeyRing, place: FeedPlace, *, scope: str) -> str:
    """Return a cursor that rebuilds the place for the list and reader that `scope` names."""
    mask = _mask(place.left_out)
    frame = _frame(place)
    skip = place.skip[:LARGEST_SKIP]
    header = HEADER.pack(
        FORMAT,
        place.source,
        place.has_tail,
        place.slate_id,
        place.following,
        place.shown,
        len(mask),
        len(skip),
        len(frame),
        place.lowest,
        place.randomisation.swap_probability,
        place.randomisation.exploration_share,
    )
    ids = b"".join(paper_id.to_bytes(WIDE, "little") for paper_id in skip)
    return keys.seal(cursor_purpose(scope), b"".join((header, mask, ids, frame, place.frozen.raw)))


def read_cursor(keys: KeyRing, cursor: str, *, scope: str) -> FeedPlace:
    """Return the place; raise InvalidCursor for a cursor that was not issued here for this list and reader."""
    opened = keys.open(cursor_purpose(scope), cursor)
    place = None if opened is None else _read(opened.payload)
    if place is None:
        raise InvalidCursor("this cursor does not belong to this list: start again without one", field="cursor")
    return place


def _read(payload: bytes) -> FeedPlace | None:
    if len(payload) < HEADER.size or payload[0] != FORMAT:
        return None
    (_, source, has_tail, slate_id, following, shown, masked, skipped, framed, lowest, swap, share) = (
        HEADER.unpack_from(payload)
    )
    ids_at = HEADER.size + masked
    frame_at = ids_at + skipped * WIDE
    list_at = frame_at + framed
    frozen = open_packed(payload[list_at:])
    if frozen is None:
        return None
    filters, tail = NOT_NARROWED, None
    if framed:
        categories, since, last = orjson.loads(payload[frame_at:list_at])
        filters = Filters(tuple(categories), None if since is None else EPOCH + timedelta(microseconds=since))
        tail = None if last is None else (last[0], EPOCH + timedelta(microseconds=last[1]))
    return FeedPlace(
        frozen,
        slate_id,
        Randomisation(swap, share),
        _positions(payload[HEADER.size : ids_at]),
        following,
        shown,
        Source(source),
        lowest,
        has_tail,
        tuple(int.from_bytes(payload[at : at + WIDE], "little") for at in range(ids_at, frame_at, WIDE)),
        filters,
        tail,
    )


def _frame(place: FeedPlace) -> bytes:
    """Filters and tail, nothing where there are none."""
    if place.tail is None and place.filters == NOT_NARROWED:
        return b""
    tail = None if place.tail is None else [place.tail[0], (place.tail[1] - EPOCH) // ONE_MICROSECOND]
    since = None if place.filters.since is None else (place.filters.since - EPOCH) // ONE_MICROSECOND
    return orjson.dumps([place.filters.categories, since, tail])


def _mask(positions: tuple[int, ...]) -> bytes:
    """One bit for each position up to the last one set."""
    if not positions:
        return b""
    mask = bytearray(positions[-1] // 8 + 1)
    for at in positions:
        mask[at >> 3] |= 1 << (at & 7)
    return bytes(mask)


def _positions(mask: bytes) -> tuple[int, ...]:
    return tuple(at for at in range(8 * len(mask)) if mask[at >> 3] >> (at & 7) & 1) if mask else ()
