"""A reader's prepared list as bytes: about 1.5 kB for 200 papers, and it says whose it is."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

import numpy as np

from api.store.tables import EPOCH, ONE_MICROSECOND

MAGIC: Final = b"PF"
FORMAT: Final = 1
# magic, format, bytes per paper id, seq, user id, built at (microseconds), entries, reasons, length of the version tag
HEADER: Final = struct.Struct("<2sBBQQqHBB")
SEQ_OFFSET: Final = 5  # of the seq in the value, counted from 1 as Lua does
REASON_HEADER: Final = struct.Struct("<BB")  # kind, length of the reference
LONGEST_REFERENCE: Final = 60  # bytes of a term or category in a reason
REASON_BITS: Final = 6
MOST_REASONS: Final = 1 << REASON_BITS  # what fits beside the source in one byte
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

    def select(self, positions: Iterable[int]) -> "FeedList":
        """The papers at these positions, in that order."""
        chosen = list(positions)
        return replace(
            self,
            paper_ids=[self.paper_ids[at] for at in chosen],
            scores=[self.scores[at] for at in chosen],
            codes=bytes(self.codes[at] for at in chosen),
        )


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
) -> FeedList:
    """Put entries into columns; reasons beyond the table's size become the general one of their kind.

    Scores are rounded to what the bytes keep, so that a list is the same before and after the cache.
    """
    table: dict[Reason, int] = {Reason(ReasonKind.TASTE): 0, Reason(ReasonKind.TRENDING): 1, Reason(ReasonKind.NEW): 2}
    ids: list[int] = []
    scores: list[float] = []
    codes = bytearray()
    for entry in entries:
        reason = entry.reason
        if reason not in table and len(table) >= MOST_REASONS:
            reason = _general(reason)
        at = table.setdefault(reason, len(table))
        ids.append(entry.paper_id)
        scores.append(entry.score)
        codes.append(entry.source << REASON_BITS | at)
    rounded: list[float] = np.clip(scores, -LARGEST_SCORE, LARGEST_SCORE).astype(np.float16).tolist()
    return FeedList(user_id, version, seq, built_at, ids, rounded, bytes(codes), tuple(table), hidden)


def pack(feed: FeedList) -> bytes:
    """Return the bytes of a list; scores keep float16 precision, built_at whole microseconds."""
    width = 8 if any(paper_id >> 32 for paper_id in feed.paper_ids) else 4
    used, codes = _used_reasons(feed)
    version = feed.version.encode()
    header = HEADER.pack(
        MAGIC,
        FORMAT,
        width,
        feed.seq,
        feed.user_id,
        (feed.built_at - EPOCH) // ONE_MICROSECOND,
        len(feed.paper_ids),
        len(used),
        len(version),
    )
    ids = np.asarray(feed.paper_ids, dtype=f"<u{width}").tobytes()
    scores = np.clip(feed.scores, -LARGEST_SCORE, LARGEST_SCORE).astype("<f2").tobytes()
    return b"".join((header, version, ids, scores, codes, *map(_pack_reason, used)))


def unpack(value: bytes | None) -> FeedList | None:
    """Return the list in these bytes, None where they are no list of this format."""
    if value is None:
        return None
    try:
        return _unpack(value)
    except (struct.error, ValueError, IndexError, OverflowError):
        return None


def _unpack(value: bytes) -> FeedList | None:
    magic, form, width, seq, user_id, built, count, reasons, tag = HEADER.unpack_from(value)
    if magic != MAGIC or form != FORMAT or width not in {4, 8}:
        return None
    at = HEADER.size
    version = value[at : at + tag].decode()
    at += tag
    ids = np.frombuffer(value, dtype=f"<u{width}", count=count, offset=at).tolist()
    at += count * width
    scores = np.frombuffer(value, dtype="<f2", count=count, offset=at).tolist()
    at += count * 2
    codes = value[at : at + count]
    table, end = _unpack_reasons(value, at + count, count=reasons)
    if end != len(value) or len(codes) != count or any((code & (MOST_REASONS - 1)) >= reasons for code in set(codes)):
        return None
    return FeedList(user_id, version, seq, EPOCH + timedelta(microseconds=built), ids, scores, codes, table)


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


def _pack_reason(reason: Reason) -> bytes:
    if reason.kind in PAPER_REASONS:
        reference = reason.paper_id.to_bytes(5, "little")
    else:
        reference = reason.text.encode()[:LONGEST_REFERENCE]
    return REASON_HEADER.pack(reason.kind, len(reference)) + reference


def _unpack_reasons(value: bytes, at: int, *, count: int) -> tuple[tuple[Reason, ...], int]:
    table = []
    for _ in range(count):
        kind_number, length = REASON_HEADER.unpack_from(value, at)
        kind = ReasonKind(kind_number)
        reference = value[at + REASON_HEADER.size : at + REASON_HEADER.size + length]
        at += REASON_HEADER.size + length
        if kind in PAPER_REASONS:
            table.append(Reason(kind, paper_id=int.from_bytes(reference, "little")))
        else:
            table.append(Reason(kind, text=reference.decode(errors="ignore")))
    return tuple(table), at
