"""What both feed stores share: names of keys, what is written under them, and the circuit around a failing cache."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from redis.exceptions import RedisError

from api.store.feed_codec import SEQ_OFFSET, FeedList, pack, unpack

log = logging.getLogger(__name__)

CIRCUIT_SECONDS: Final = 1.0  # after a failure the cache is left alone this long
# Redis keeps small sets of integers in a packed form; all other hidden papers are left out when a list is built.
MOST_HIDDEN: Final = 500
DAY_MS: Final = 86_400_000

# A list that includes more of the reader's events is never replaced by one that includes less, and papers hidden
# while it was being built stay hidden: only what the builder had seen in the set is taken out of it.
WRITE_LIST: Final = f"""
local stored = redis.call('GET', KEYS[1])
if stored and #stored >= {SEQ_OFFSET + 7} and struct.unpack('<I8', stored, {SEQ_OFFSET}) > tonumber(ARGV[2]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
local removed = tonumber(ARGV[4])
if removed > 0 then redis.call('SREM', KEYS[2], unpack(ARGV, 5, 4 + removed)) end
redis.call('SADD', KEYS[2], unpack(ARGV, 5 + removed))
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
"""


def feed_key(version: str, user_id: int) -> str:
    return f"feed:{version}:{user_id}"


def hidden_key(user_id: int) -> str:
    return f"hidden:{user_id}"


def claim_key(name: str) -> str:
    return f"claim:{name}"


def trending_key(window: str) -> str:
    return f"trending:{window}"


def whole_set_mark(user_id: int) -> int:
    """A member that only a list's writer adds: without it the set is partial, with another reader's it is foreign."""
    return -user_id


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
        """Swallow failures of the cache: the one place that does."""
        try:
            yield
        except (RedisError, OSError, TimeoutError) as error:
            if not self._is_failing:
                log.warning("cache unreachable", extra={"call": what, "error": type(error).__name__})
            self._is_failing = True
            self._closed_from = time.monotonic() + self._seconds
        else:
            if self._is_failing:
                log.info("cache is back")
            self._is_failing = False


def write_arguments(feed: FeedList, *, seen: frozenset[int], ttl_ms: int) -> list[bytes | int]:
    mark = whole_set_mark(feed.user_id)
    kept = [*(feed.hidden & seen), *sorted(feed.hidden - seen, reverse=True)][:MOST_HIDDEN]
    removed = [paper_id for paper_id in seen - set(kept) if paper_id != mark][: 8 * MOST_HIDDEN]
    return [pack(feed), feed.seq, ttl_ms, len(removed), *removed, mark, *kept]


def checked_list(value: object, members: object, *, user_id: int, version: str) -> FeedList | None:
    """The list when it is whole, this reader's and this version's, and its hidden papers are known."""
    feed = unpack(value if isinstance(value, bytes) else None)
    if feed is None or feed.user_id != user_id or feed.version != version or not isinstance(members, (set, list)):
        return None
    hidden = frozenset(map(int, members))
    return replace(feed, hidden=hidden) if whole_set_mark(user_id) in hidden else None
