"""Papers a reader must not be shown any more, as a string of entries that one command makes longer.

Each entry has 40 bits, the lowest first. The first one is a mark that only a list's writer makes: it names the reader,
and without it the string is partial. Later entries undo earlier ones: a paper that shows again is one with a bit set.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Final

ENTRY_BYTES: Final = 5
MARK: Final = 1 << 39  # of the first entry; its lowest bits are the reader
CUT: Final = 1 << 38  # in the mark: older hidden papers were left out
SHOWN: Final = 1 << 38  # in any other entry: the paper is hidden no longer
NUMBER: Final = CUT - 1  # the bits of a reader or paper: 2.7e11 of each
LONGEST: Final = 2_000 * ENTRY_BYTES  # a longer string is read as none, which has it written anew and short


@dataclass(frozen=True, slots=True)
class Hidden:
    """The papers that one reader's string hides."""

    paper_ids: frozenset[int]
    is_cut: bool = False  # older ones were left out: lists do not have them anyway


def mark_of(user_id: int, *, is_cut: bool = False) -> bytes:
    """Return the first entry of a reader's string."""
    return (MARK | (CUT if is_cut else 0) | user_id).to_bytes(ENTRY_BYTES, "little")


def entries_of(paper_ids: Iterable[int], *, shown: bool = False) -> bytes:
    """Return entries that hide papers, or show them again."""
    bit = SHOWN if shown else 0
    return b"".join((bit | paper_id).to_bytes(ENTRY_BYTES, "little") for paper_id in paper_ids)


def unpack_hidden(value: object, *, user_id: int) -> Hidden | None:
    """Return what a whole string of this reader hides, None for a partial, foreign, damaged or overlong one."""
    if not isinstance(value, bytes) or not ENTRY_BYTES <= len(value) <= LONGEST or len(value) % ENTRY_BYTES:
        return None
    mark = int.from_bytes(value[:ENTRY_BYTES], "little")
    if mark & ~CUT != MARK | user_id:
        return None
    return Hidden(_fold(value[ENTRY_BYTES:]), bool(mark & CUT))


def rewrite(hidden: Collection[int], *, user_id: int, seen: bytes, most: int) -> bytes:
    """Return a whole string of at most `most` hidden papers, those marked last in `seen` above all."""
    marked = [paper_id for paper_id in _numbers(_entries(seen)) if paper_id in hidden]
    latest_first = dict.fromkeys([*reversed(marked), *sorted(hidden, reverse=True)])
    kept = list(latest_first)[:most]
    return mark_of(user_id, is_cut=len(latest_first) > most) + entries_of(reversed(kept))


def hidden_of(value: object) -> frozenset[int]:
    """Return what a string hides, whole or not."""
    return _fold(_entries(value if isinstance(value, bytes) else b""))


def _entries(value: bytes) -> bytes:
    """The entries of a string without its mark, if it has one."""
    has_mark = len(value) >= ENTRY_BYTES and value[ENTRY_BYTES - 1] & 0x80
    return value[ENTRY_BYTES if has_mark else 0 : len(value) - len(value) % ENTRY_BYTES]


def _numbers(entries: bytes) -> list[int]:
    parts = _layout(len(entries) // ENTRY_BYTES).unpack(entries)
    lows, highs = parts[::2], parts[1::2]
    if not any(highs):  # numbers below 2**32, none of which shows again
        return list(lows)
    return [low | high << 32 for low, high in zip(lows, highs, strict=True)]


@lru_cache(maxsize=LONGEST // ENTRY_BYTES + 1)
def _layout(count: int) -> Struct:
    return Struct("<" + count * "IB")


def _fold(entries: bytes) -> frozenset[int]:
    if not entries:
        return frozenset()
    numbers = _numbers(entries)
    found = frozenset(numbers)
    if max(found) < SHOWN:
        return found
    hidden: set[int] = set()
    for number in numbers:
        if number & SHOWN:
            hidden.discard(number & NUMBER)
        else:
            hidden.add(number)
    return frozenset(hidden)
