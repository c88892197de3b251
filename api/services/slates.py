"""Slates: what one page showed to whom, as a signed text that comes back with events, so that nothing is looked up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from struct import Struct, pack, unpack_from
from typing import Final, Literal, TypeVar, overload

import msgspec

from api.runtime.keys import KeyRing
from api.services.feed_places import Page
from api.store.feed_codec import Source
from api.store.packed_list import SOURCES
from api.store.tables import EPOCH, ONE_MICROSECOND

FORMAT: Final = 2
PURPOSE: Final = b"slate"
# format, reader, slate, time, first rank, papers, bytes of a paper id, of the version, of the variant, propensities
HEADER: Final = Struct("<BQ8sqIBBBBB")
MOST_PROPENSITIES: Final = 64  # different ones in one slate: what fits beside the source in one byte
SOURCE_SHIFT: Final = 6
ID_FORMATS: Final = {4: "I", 8: "Q"}  # by bytes of a paper id
MOST_REMEMBERED: Final = 4096  # opened slates of a process, about 4 kB each
# A rotation reaches other processes within seconds, other hosts with their restart: what the replaced key still seals.
OVERLAP: Final = timedelta(minutes=10)

Other = TypeVar("Other")
Refusal = Literal["forged_slate", "stale_slate"]


class Shown(msgspec.Struct, frozen=True, gc=False):  # one is made for each event that comes in
    """How a slate showed one paper."""

    position: int  # from 1, over all pages of the list
    source: Source
    propensity: float  # probability of this paper at this place, over all slate ids


@dataclass(frozen=True, slots=True)
class Slate:
    """What one page showed to whom, when, and from which model."""

    slate_id: str  # 16 hex digits: all pages of one frozen list share it
    user_id: int  # 0: nobody in particular
    version: str  # of the model, "" without one
    variant: str
    shown_at: datetime
    papers: Mapping[int, Shown]  # by paper id, in the order of the page


class _Papers(Mapping[int, Shown]):
    """The papers of a slate, of which an event asks for one: they are told apart on demand."""

    __slots__ = ("_codes", "_first_rank", "_places", "_table")

    def __init__(self, first_rank: int, ids: tuple[int, ...], codes: bytes, table: tuple[float, ...]) -> None:
        self._first_rank = first_rank
        self._places = {paper_id: at for at, paper_id in enumerate(ids)}
        self._codes = codes
        self._table = table

    def __getitem__(self, paper_id: int) -> Shown:
        return self._tell(self._places[paper_id])

    @overload
    def get(self, paper_id: int, default: None = None, /) -> Shown | None: ...
    @overload
    def get(self, paper_id: int, default: Shown, /) -> Shown: ...
    @overload
    def get(self, paper_id: int, default: Other, /) -> Shown | Other: ...
    def get(self, paper_id: int, default: object = None, /) -> object:
        """As of any mapping, without an exception: asked for each event that comes in."""
        at = self._places.get(paper_id)
        return default if at is None else self._tell(at)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _tell(self, at: int) -> Shown:
        code = self._codes[at]
        chance = self._table[code & (MOST_PROPENSITIES - 1)]
        return Shown(self._first_rank + at, SOURCES[code >> SOURCE_SHIFT], chance)


class _Forged(Exception):
    """A text that is no slate of ours: an exception, because what raises is not remembered."""


def write_slate(keys: KeyRing, page: Page, *, user_id: int, variant: str, now: datetime) -> str:
    """Return the token of a page of at most 255 papers."""
    table = {chance: at for at, chance in enumerate(dict.fromkeys(page.propensities))}
    if len(table) > MOST_PROPENSITIES:
        raise ValueError(f"a page has at most {MOST_PROPENSITIES} different propensities, not {len(table)}")
    codes = bytes(
        [source << SOURCE_SHIFT | table[chance] for source, chance in zip(page.sources, page.propensities, strict=True)]
    )
    version, name = page.frozen.version.encode(), variant.encode()
    width = 8 if max(page.paper_ids, default=0) >> 32 else 4
    header = HEADER.pack(
        FORMAT,
        user_id,
        page.slate_id,
        (now - EPOCH) // ONE_MICROSECOND,
        page.first_rank,
        len(page),
        width,
        len(version),
        len(name),
        len(table),
    )
    ids = pack(f"<{len(page)}{ID_FORMATS[width]}", *page.paper_ids)
    chances = pack(f"<{len(table)}d", *table)
    return keys.seal(PURPOSE, b"".join((header, version, name, ids, codes, chances)))


def open_slate(keys: KeyRing, token: str, *, now: datetime, days: int) -> Slate | Refusal:
    """Return what a token says, or why it does not count: not ours, or older than so many days."""
    try:
        slate, retired_at = _opened(keys, token)
    except _Forged:
        return "forged_slate"
    is_old = now - slate.shown_at > timedelta(days=days)
    is_of_replaced_key = retired_at is not None and slate.shown_at > retired_at + OVERLAP
    return "stale_slate" if is_old or is_of_replaced_key else slate


def read_slate(keys: KeyRing, token: str) -> Slate | None:
    """Return what a token says whatever its age, None for one that this service did not write."""
    try:
        return _opened(keys, token)[0]
    except _Forged:
        return None


@lru_cache(maxsize=MOST_REMEMBERED)
def _opened(keys: KeyRing, token: str) -> tuple[Slate, datetime | None]:
    """What a token says, and when its key was replaced as far as was known at the first look."""
    opened = keys.open(PURPOSE, token)
    if opened is None or len(opened.payload) < HEADER.size or opened.payload[0] != FORMAT:
        raise _Forged
    payload = opened.payload
    _, user_id, slate_id, shown, first_rank, count, width, tag, name, chances = HEADER.unpack_from(payload)
    version_at = HEADER.size
    variant_at = version_at + tag
    ids_at = variant_at + name
    codes_at = ids_at + width * count
    ids = unpack_from(f"<{count}{ID_FORMATS[width]}", payload, ids_at)
    table = unpack_from(f"<{chances}d", payload, codes_at + count)
    slate = Slate(
        slate_id.hex(),
        user_id,
        payload[version_at:variant_at].decode(),
        payload[variant_at:ids_at].decode(),
        EPOCH + timedelta(microseconds=shown),
        _Papers(first_rank, ids, payload[codes_at : codes_at + count], table),
    )
    return slate, opened.retired_at
