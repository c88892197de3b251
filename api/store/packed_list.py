"""A prepared list read in place: of its bytes only what a page needs is taken apart."""

import struct
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final

import numpy as np

from api.store.feed_codec import (
    FORMAT,
    HEADER,
    LOW_BYTES,
    MAGIC,
    MOST_REASONS,
    PAPER_REASONS,
    REASON_BITS,
    SPLIT_WIDTH,
    FeedList,
    Reason,
    ReasonKind,
    Source,
    pack,
)
from api.store.tables import EPOCH

SOURCES: Final = tuple(Source)
SOURCE_OF: Final = tuple(SOURCES[code >> REASON_BITS] for code in range(256))  # by code
KINDS: Final = tuple(ReasonKind)
MOST_REMEMBERED: Final = 16_384  # reasons of a process, about 200 bytes each
REASON_MASK: Final = MOST_REASONS - 1
WIDTHS: Final[dict[int, np.dtype[np.unsignedinteger[Any]]]] = {
    LOW_BYTES: np.dtype("<u2"),
    4: np.dtype("<u4"),
    8: np.dtype("<u8"),
}
# The codes that a table of so many reasons allows.
_ALLOWED: Final = tuple(bytes(code for code in range(256) if code & REASON_MASK < count) for count in range(65))
_KINDS: Final = bytes(KINDS)
_FRESH: Final = Reason(ReasonKind.NEW)


class PackedList:
    """The bytes of a list with their facts: papers are named by their position, those of the pool after the ranked."""

    __slots__ = (
        "_codes",
        "_ends",
        "_known",
        "_reasons",
        "_reasons_at",
        "_scores_at",
        "built_at",
        "count",
        "paper_ids",
        "raw",
        "seq",
        "user_id",
        "version",
    )

    def __init__(self, raw: bytes) -> None:
        """Raise ValueError, IndexError, OverflowError or struct.error for other bytes than `pack` writes."""
        magic, form, width, seq, user_id, built, count, pool, reasons, tag = HEADER.unpack_from(raw)
        if magic != MAGIC or form != FORMAT:
            raise ValueError("no list of this format")
        at = HEADER.size + tag
        self.raw = raw
        self.user_id: int = user_id
        self.seq: int = seq
        self.version = raw[HEADER.size : at].decode()
        self.count: int = count  # of ranked papers
        self.paper_ids: list[int] = _read_ids(raw, at, width=width, count=count + pool)  # (count + pool,)
        self.built_at: datetime = EPOCH + timedelta(microseconds=built)
        self._scores_at = at + len(self.paper_ids) * width
        codes_at = self._scores_at + 2 * count
        self._codes = raw[codes_at : codes_at + count]
        self._reasons_at = codes_at + count
        self._reasons: int = reasons
        self._known: dict[int, Reason] = {-1: _FRESH}
        lengths = raw[self._reasons_at + reasons : self._reasons_at + 2 * reasons]
        self._ends = list(accumulate(lengths, initial=self._reasons_at + 2 * reasons))
        kinds = raw[self._reasons_at : self._reasons_at + reasons]
        is_whole = self._ends[-1] == len(raw) and len(lengths) == reasons
        if not is_whole or kinds.translate(None, _KINDS) or self._codes.translate(None, _ALLOWED[reasons]):
            raise ValueError("bytes are missing or changed")

    def __len__(self) -> int:
        return self.count

    @property
    def main_source(self) -> Source:
        """The source that the list as a whole is named after: its first that is not an exploration slot."""
        for code in self._codes:
            source = SOURCE_OF[code]
            if source is not Source.FRESH:
                return source
        return Source.LATEST

    @property
    def lowest(self) -> float:
        """The score of the last ranked paper."""
        return self.scores(self.count - 1, self.count)[0] if self.count else 0.0

    def scores(self, start: int, stop: int) -> Sequence[float]:
        """The scores of the ranked papers from one position up to another."""
        found: tuple[float, ...] = struct.unpack_from(f"<{stop - start}e", self.raw, self._scores_at + 2 * start)
        return found

    def source(self, position: int) -> Source:
        """Where the paper at `position` came from."""
        return SOURCES[self._codes[position] >> REASON_BITS] if position < self.count else Source.FRESH

    def sources(self, positions: Iterable[int]) -> list[Source]:
        """Where the papers at these positions came from."""
        count, codes = self.count, self._codes
        return [SOURCE_OF[codes[position]] if position < count else Source.FRESH for position in positions]

    def reason(self, position: int) -> Reason:
        """Why the paper at `position` is there."""
        return self.reasons((position,))[0]

    def reasons(self, positions: Iterable[int]) -> list[Reason]:
        """Why the papers at these positions are there."""
        count, codes, known = self.count, self._codes, self._known
        numbers = [codes[position] & REASON_MASK if position < count else -1 for position in positions]
        for number in set(numbers).difference(known):
            known[number] = self._read_reason(number)
        return [known[number] for number in numbers]

    def in_columns(self) -> FeedList:
        """The whole list as it is built."""
        return FeedList(
            user_id=self.user_id,
            version=self.version,
            seq=self.seq,
            built_at=self.built_at,
            paper_ids=self.paper_ids[: self.count],
            scores=list(self.scores(0, self.count)),
            codes=self._codes,
            reasons=tuple(map(self._read_reason, range(self._reasons))),
            pool=tuple(self.paper_ids[self.count :]),
        )

    def _read_reason(self, number: int) -> Reason:
        return _reason(self.raw[self._reasons_at + number], self.raw[self._ends[number] : self._ends[number + 1]])


def _read_ids(raw: bytes, at: int, *, width: int, count: int) -> list[int]:
    if width == SPLIT_WIDTH:
        lows = np.frombuffer(raw, WIDTHS[LOW_BYTES], count, at)
        highs_at = at + LOW_BYTES * count
        if raw.count(0, highs_at, highs_at + count) == count:  # where no paper has a number above 65,535
            few: list[int] = lows.tolist()
            return few
        highs = np.frombuffer(raw, np.uint8, count, highs_at)
        split: list[int] = (lows + highs.astype(np.uint32) * (1 << 8 * LOW_BYTES)).tolist()
        return split
    if width not in {4, 8}:
        raise ValueError("no width of paper ids")
    ids: list[int] = np.frombuffer(raw, WIDTHS[width], count, at).tolist()
    return ids


@lru_cache(maxsize=MOST_REMEMBERED)
def _reason(kind_number: int, reference: bytes) -> Reason:
    kind = KINDS[kind_number]
    if kind in PAPER_REASONS:
        return Reason(kind, paper_id=int.from_bytes(reference, "little"))
    return Reason(kind, text=reference.decode(errors="ignore"))


def open_packed(value: bytes | None) -> PackedList | None:
    """Return the list in these bytes, None where they are no list of this format."""
    if value is None:
        return None
    try:
        return PackedList(value)
    except (struct.error, ValueError, IndexError, OverflowError):
        return None


def packed(feed: FeedList) -> PackedList:
    """Return a list as the cache would keep it."""
    return PackedList(pack(feed))


def unpack(value: bytes | None) -> FeedList | None:
    """Return the list in these bytes in columns, None where they are no list of this format."""
    found = open_packed(value)
    return None if found is None else found.in_columns()
