"""A reader's prepared list as bytes: about 1.5 kB for 200 papers, and it says whose it is."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

import numpy as np

from api.store.tables import EPOCH, ONE_MICROSECOND

MAGIC: Final = b"PF"
FORMAT: Final = 2
# magic, format, bytes per paper id, seq, user id, built at (microseconds), entries, pool, reasons, length of version
HEADER: Final = struct.Struct("<2sBBQQqHHBB")
SEQ_OFFSET: Final = 5  # of the seq in the value, counted from 1 as Lua does
LONGEST_REFERENCE: Final = 60  # bytes of a term or category in a reason
REASON_BITS: Final = 6
MOST_REASONS: Final = 1 << REASON_BITS  # what fits beside the source in one byte
SPLIT_WIDTH: Final = 3  # bytes of a paper id: the two lower ones of all papers, then the highest of all
LOW_BYTES: Final = 2
MOST_REASON_BYTES: Final = 320  # of all reasons of a list: 64 papers, or a dozen long terms
LARGEST_SCORE: Final = 65_000.0  # float16 ends at 65,504


class Source(IntEnum):
    """Where a paper of a list came from; the lower-cased name is the name on the wire."""

    PERSONAL = 0
    FRESH = 1
    TRENDING = 2
    LATEST = 3


class ReasonKind(IntEnum):
    """Why a paper is in a list."""

    TASTE = 0  # the history as a whole, or what is named instead
    SAVED = 1  # of a paper
    OPENED = 2  # of a paper
    CHOSEN = 3  # of a paper named as an interest
    TERM = 4  # of a free-text interest
    TRENDING = 5  # of a category, or empty
    NEW = 6  # of a category, or empty


PAPER_REASONS: Final = frozenset({ReasonKind.SAVED, ReasonKind.OPENED, ReasonKind.CHOSEN})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in a form that needs no title: `paper_id` or `text` is set as the kind asks."""

    kind: ReasonKind
    paper_id: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class FeedList:
    """One reader's ranked papers in columns, with what must not be shown any more."""

    user_id: int
    version: str  # of the model, "" without one
    seq: int  # the reader's last change that it includes
    built_at: datetime
    paper_ids: list[int]
    scores: list[float]
    codes: bytes  # source and position in `reasons` of each paper
    reasons: tuple[Reason, ...]
    hidden: frozenset[int] = frozenset()  # kept beside the list, not in its bytes
    pool: tuple[int, ...] = ()  # new papers that exploration draws from, none of them in the list
    is_muting: bool = False  # its reader mutes something; not in its bytes

    def __len__(self) -> int:
        return len(self.paper_ids)

    def source(self, position: int) -> Source:
        """Where the paper at `position` came from."""
        return Source(self.codes[position] >> REASON_BITS)

    def reason(self, position: int) -> Reason:
        """Why the paper at `position` is there."""
        return self.reasons[self.codes[position] & (MOST_REASONS - 1)]

    @property
    def main_source(self) -> Source:
        """The source that the list as a whole is named after: its first that is not an exploration slot."""
        named = (Source(code >> REASON_BITS) for code in self.codes)
        return next((source for source in named if source is not Source.FRESH), Source.LATEST)


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper on its way into a list."""

    paper_id: int
    score: float
    source: Source
    reason: Reason


def list_of(
    entries: Iterable[Entry],
    *,
    user_id: int,
    version: str,
    seq: int,
    built_at: datetime,
    hidden: frozenset[int] = frozenset(),
    pool: Iterable[int] = (),
) -> FeedList:
    """Put entries into columns; reasons beyond the table's size become the general one of their kind.

    Scores are rounded to what the bytes keep, so that a list is the same before and after the cache.
    """
    table: dict[Reason, int] = {Reason(ReasonKind.TASTE): 0, Reason(ReasonKind.TRENDING): 1, Reason(ReasonKind.NEW): 2}
    left = MOST_REASON_BYTES - sum(map(_size_of, table))
    ids: list[int] = []
    scores: list[float] = []
    codes = bytearray()
    for entry in entries:
        reason = entry.reason
        if reason not in table:
            reason = reason if len(table) < MOST_REASONS and _size_of(reason) <= left else _general(reason)
            left -= 0 if reason in table else _size_of(reason)
        at = table.setdefault(reason, len(table))
        ids.append(entry.paper_id)
        scores.append(entry.score)
        codes.append(entry.source << REASON_BITS | at)
    rounded: list[float] = np.clip(scores, -LARGEST_SCORE, LARGEST_SCORE).astype(np.float16).tolist()
    return FeedList(user_id, version, seq, built_at, ids, rounded, bytes(codes), tuple(table), hidden, tuple(pool))


def pack(feed: FeedList) -> bytes:
    """Return the bytes of a list; scores keep float16 precision, built_at whole microseconds."""
    listed = [*feed.paper_ids, *feed.pool]
    bits = max(listed, default=0).bit_length()
    width = SPLIT_WIDTH if bits <= 8 * SPLIT_WIDTH else 4 if bits <= 32 else 8
    used, codes = _used_reasons(feed)
    references = [_reference(reason) for reason in used]
    version = feed.version.encode()
    header = HEADER.pack(
        MAGIC,
        FORMAT,
        width,
        feed.seq,
        feed.user_id,
        (feed.built_at - EPOCH) // ONE_MICROSECOND,
        len(feed.paper_ids),
        len(feed.pool),
        len(used),
        len(version),
    )
    scores = np.clip(feed.scores, -LARGEST_SCORE, LARGEST_SCORE).astype("<f2").tobytes()
    kinds, lengths = bytes(reason.kind for reason in used), bytes(map(len, references))
    ids = _pack_ids(listed, width=width)
    return b"".join((header, version, ids, scores, codes, kinds, lengths, *references))


def _pack_ids(paper_ids: list[int], *, width: int) -> bytes:
    if width != SPLIT_WIDTH:
        return np.asarray(paper_ids, dtype=f"<u{width}").tobytes()
    ids = np.asarray(paper_ids, dtype=np.uint32)
    return (ids & 0xFFFF).astype("<u2").tobytes() + (ids >> 8 * LOW_BYTES).astype(np.uint8).tobytes()


def _used_reasons(feed: FeedList) -> tuple[list[Reason], bytes]:
    """The reasons that papers point at, and codes that point at them in that order."""
    mask = MOST_REASONS - 1
    used = sorted({code & mask for code in feed.codes})
    place = {old: new for new, old in enumerate(used)}
    codes = bytes((code & ~mask & 0xFF) | place[code & mask] for code in feed.codes)
    return [feed.reasons[at] for at in used], codes


def _general(reason: Reason) -> Reason:
    kind = reason.kind if reason.kind in {ReasonKind.TRENDING, ReasonKind.NEW} else ReasonKind.TASTE
    return Reason(kind)


def _size_of(reason: Reason) -> int:
    """The bytes of a reason in a list: its kind, the length of what it names, and that."""
    return 2 + len(_reference(reason))


def _reference(reason: Reason) -> bytes:
    if reason.kind in PAPER_REASONS:
        return reason.paper_id.to_bytes(max((reason.paper_id.bit_length() + 7) // 8, 1), "little")
    return reason.text.encode()[:LONGEST_REFERENCE]
