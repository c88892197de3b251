"""What both feed stores share: names of keys, what is written under them, and the circuit around a failing cache."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from redis.exceptions import RedisError

from api.store.feed_codec import SEQ_OFFSET, FeedList, pack
from api.store.hidden_codec import ENTRY_BYTES, rewrite, unpack_hidden
from api.store.packed_list import PackedList, open_packed

log = logging.getLogger(__name__)

FAILURES: Final = (RedisError, OSError, TimeoutError)
CIRCUIT_SECONDS: Final = 1.0  # after a failure the cache is left alone this long
MOST_HIDDEN: Final = 100  # kept of a reader when a list is built, which leaves out all; 5 bytes each
DAY_MS: Final = 86_400_000

# A list that includes more of the reader's events is never replaced by one that includes less, and papers hidden
# while it was being built stay hidden: only what the builder had seen of the string is replaced.
WRITE_LIST: Final = f"""
local stored = redis.call('GET', KEYS[1])
if stored and #stored >= {SEQ_OFFSET + 7} and struct.unpack('<I8', stored, {SEQ_OFFSET}) > tonumber(ARGV[2]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
local hidden, seen, since = redis.call('GET', KEYS[2]) or '', ARGV[4], ''
if #seen > 0 and string.sub(hidden, 1, #seen) == seen then
  since = string.sub(hidden, #seen + 1)
elseif #hidden >= {ENTRY_BYTES} and string.byte(hidden, {ENTRY_BYTES}) >= 128 then
  since = string.sub(hidden, {ENTRY_BYTES + 1})
else
  since = hidden
end
redis.call('SET', KEYS[2], ARGV[5] .. since, 'PX', ARGV[3])
return 1
"""


# One command for the readers of a whole commit: packing two for each of them costs the client ten times as much.
CHANGE_HIDDEN: Final = """
for at, key in ipairs(KEYS) do
  redis.call('APPEND', key, ARGV[at + 1])
  redis.call('PEXPIRE', key, ARGV[1])
end
"""


def feed_key(version: str, user_id: int) -> str:
    return f"feed:{version}:{user_id}"


def hidden_key(user_id: int) -> str:
    return f"hid:{user_id}"


def decided_key(user_id: int) -> str:
    return f"dec:{user_id}"


def claim_key(name: str) -> str:
    return f"claim:{name}"


def trending_key(window: str) -> str:
    return f"trending:{window}"


class Circuit:
    """Remembers that the cache failed, so that a stopped one costs nothing for most requests."""

    def __init__(self, seconds: float = CIRCUIT_SECONDS) -> None:
        self._seconds = seconds
        self._closed_from = 0.0
        self._is_failing = False

    def lets_through(self) -> bool:
        """True when the cache may be asked; while it fails, one caller each second is let through to look."""
        if not self._is_failing:
            return True
        now = time.monotonic()
        if now < self._closed_from:
            return False
        self._closed_from = now + self._seconds
        return True

    @contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Swallow failures of the cache."""
        try:
            yield
        except FAILURES as error:
            self.note_failure(what, error)
        else:
            self.note_success()

    def note_failure(self, what: str, error: Exception) -> None:
        """Leave the cache alone for a moment."""
        if not self._is_failing:
            log.warning("cache unreachable", extra={"call": what, "error": type(error).__name__})
        self._is_failing = True
        self._closed_from = time.monotonic() + self._seconds

    def note_success(self) -> None:
        """Let everybody through again."""
        if self._is_failing:
            log.info("cache is back")
        self._is_failing = False


def write_arguments(feed: FeedList, *, seen: bytes, ttl_ms: int) -> list[bytes | int]:
    hidden = rewrite(feed.hidden, user_id=feed.user_id, seen=seen, most=MOST_HIDDEN)
    return [pack(feed), feed.seq, ttl_ms, seen, hidden]


@dataclass(frozen=True, slots=True)
class CachedList:
    """A reader's list as the cache keeps it, with what must not be shown any more."""

    papers: PackedList
    hidden: frozenset[int]


def precedes(seq: int, decided: object) -> bool:
    """True for a list that is older than what its reader decided about lists: it may hold what they mute."""
    return isinstance(decided, bytes) and decided.isdigit() and seq < int(decided)


def checked_list(
    value: object, hidden_value: object, decided: object = None, *, user_id: int, version: str
) -> CachedList | None:
    """The list when it is whole, this reader's and this version's, its hidden papers are known, and it obeys them."""
    hidden = unpack_hidden(hidden_value, user_id=user_id)
    papers = open_packed(value if isinstance(value, bytes) else None)
    if papers is None or hidden is None or papers.user_id != user_id or papers.version != version:
        return None
    if precedes(papers.seq, decided):
        return None
    return CachedList(papers, hidden.paper_ids)
