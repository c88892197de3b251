"""Prepared lists in the cache: a memo that may vanish at any moment, so every failure is a miss."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.store.feed_cache import (
    CHANGE_HIDDEN,
    DAY_MS,
    FAILURES,
    WRITE_LIST,
    CachedList,
    Circuit,
    checked_list,
    claim_key,
    decided_key,
    feed_key,
    hidden_key,
    precedes,
    trending_key,
    write_arguments,
)
from api.store.feed_codec import FeedList
from api.store.hidden_codec import entries_of, unpack_hidden
from api.store.redis_line import Command, RedisLine, Reply

T = TypeVar("T")

TIMEOUT_SECONDS: Final = 0.2  # a page waits no longer than this for a cache that hangs
WAITS: Final = 4
WAIT_SECONDS: Final = 0.1  # each
LATEST: Final = 2**63  # a change that no decision follows
DISTRUST_SECONDS: Final = 60.0  # after a mark was lost; by then the sweep has rebuilt the list


class FeedStore:
    """Prepared lists for tasks and commands."""

    def __init__(self, url: str, *, ttl_days: int = 30) -> None:
        self._ttl_ms = ttl_days * DAY_MS
        self._circuit = Circuit()
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._write = self._client.register_script(WRITE_LIST)
        self._change = self._client.register_script(CHANGE_HIDDEN)

    def ping(self) -> bool:
        """True when the cache answers now, whatever the circuit remembers."""
        with self._circuit.guard("ping"):
            return bool(self._client.ping())
        return False

    def read_list(self, user_id: int, *, version: str) -> FeedList | None:
        """Return the reader's prepared list with its hidden papers, None when any of it is missing or foreign."""

        def call() -> FeedList | None:
            found: Any = self._client.mget(feed_key(version, user_id), hidden_key(user_id), decided_key(user_id))
            feed = checked_list(*found, user_id=user_id, version=version)
            return None if feed is None else replace(feed.papers.in_columns(), hidden=feed.hidden)

        return self._call("read_list", call, default=None)

    def read_hidden(self, user_id: int) -> bytes:
        """Return the marks as they stand; a builder reads them before the reader's events, for `write_list`."""

        def call() -> bytes:
            value: object = self._client.get(hidden_key(user_id))
            return value if isinstance(value, bytes) else b""

        return self._call("read_hidden", call, default=b"")

    def write_list(self, feed: FeedList, *, seen: bytes = b"") -> bool:
        """Write a list unless one that includes more of the reader's events is there; False when the cache is away."""

        def call() -> bool:
            keys = [feed_key(feed.version, feed.user_id), hidden_key(feed.user_id)]
            self._write(keys=keys, args=write_arguments(feed, seen=seen, ttl_ms=self._ttl_ms))
            self._note_muting(self._client, feed)
            return True

        return self._call("write_list", call, default=False)

    def read_hidden_of(self, user_ids: Sequence[int]) -> list[bytes]:
        """Return the same of several readers in one round trip."""

        def call() -> list[bytes]:
            values: Any = self._client.mget([hidden_key(user_id) for user_id in user_ids])
            return [value or b"" for value in values]

        return self._call("read_hidden", call, default=[b""] * len(user_ids)) if user_ids else []

    def write_lists(self, lists: Sequence[FeedList], *, seen: Sequence[bytes]) -> bool:
        """Write each list as `write_list` does, with few round trips for all; False when the cache is away."""

        def call() -> bool:
            pipe = self._client.pipeline(transaction=False)
            for feed, marks in zip(lists, seen, strict=True):
                keys = [feed_key(feed.version, feed.user_id), hidden_key(feed.user_id)]
                self._write(keys=keys, args=write_arguments(feed, seen=marks, ttl_ms=self._ttl_ms), client=pipe)
                self._note_muting(pipe, feed)
            pipe.execute()
            return True

        return self._call("write_list", call, default=False)

    def drop_list(self, user_id: int) -> bool:
        """Make every prepared list of the reader a miss."""
        return self._call("drop_list", lambda: bool(self._client.delete(hidden_key(user_id))), default=False)

    def drop_readers(self, user_ids: Sequence[int], *, versions: Sequence[str]) -> bool:
        """Remove all that is kept of these readers under any of these versions; False when the cache is away."""

        def call() -> bool:
            for user_id in user_ids:
                self._client.delete(
                    hidden_key(user_id), decided_key(user_id), *(feed_key(version, user_id) for version in versions)
                )
            return True

        return self._call("drop_readers", call, default=False)

    def note_decided(self, user_id: int, *, seq: int) -> bool:
        """Make every prepared list a miss that does not include this change of what the reader wants of lists."""

        def call() -> bool:
            pipe = self._client.pipeline(transaction=False)
            pipe.set(decided_key(user_id), seq, px=self._ttl_ms)
            pipe.delete(hidden_key(user_id))
            pipe.execute()
            return True

        return self._call("note_decided", call, default=False)

    def mark_hidden(self, user_id: int, paper_ids: Sequence[int]) -> bool:
        """Take papers out of the reader's very next page."""
        return self._append("mark_hidden", user_id, entries_of(paper_ids))

    def unmark_hidden(self, user_id: int, paper_ids: Sequence[int]) -> bool:
        """Let papers show again whose hiding was undone."""
        return self._append("unmark_hidden", user_id, entries_of(paper_ids, shown=True))

    def change_hidden(self, hide: Mapping[int, Collection[int]], unhide: Mapping[int, Collection[int]]) -> bool:
        """Hide papers from readers and show others again, in one round trip for all; False when the cache is away."""

        def call() -> bool:
            readers = hide.keys() | unhide.keys()
            entries = [
                entries_of(hide.get(user_id, ())) + entries_of(unhide.get(user_id, ()), shown=True)
                for user_id in readers
            ]
            self._change(keys=[hidden_key(user_id) for user_id in readers], args=[self._ttl_ms, *entries])
            return True

        return self._call("change_hidden", call, default=False) if hide or unhide else True

    def claim(self, name: str, *, seconds: float) -> bool:
        """True for the first caller in this time; False without a cache, because what needs a claim needs the cache."""
        key, lasts = claim_key(name), int(seconds * 1000)
        return self._call("claim", lambda: bool(self._client.set(key, b"1", nx=True, px=lasts)), default=False)

    def release(self, name: str) -> None:
        """Give a claim back."""
        self._call("release", lambda: bool(self._client.delete(claim_key(name))), default=False)

    def read_trending(self, window: str) -> bytes | None:
        """Return the packed trending list of a window."""

        def call() -> bytes | None:
            value: object = self._client.get(trending_key(window))
            return value if isinstance(value, bytes) else None

        return self._call("read_trending", call, default=None)

    def write_trending(self, window: str, value: bytes, *, seconds: float) -> bool:
        """Keep a packed trending list for a while."""
        key, lasts = trending_key(window), int(seconds * 1000)
        return self._call("write_trending", lambda: bool(self._client.set(key, value, px=lasts)), default=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _note_muting(self, client: redis.Redis, feed: FeedList) -> None:
        """After the cache was emptied, too, cursors from before a reader muted something are looked through."""
        if feed.is_muting:
            client.set(decided_key(feed.user_id), feed.seq, px=self._ttl_ms, nx=True)

    def _append(self, what: str, user_id: int, entries: bytes) -> bool:
        def call() -> bool:
            pipe = self._client.pipeline(transaction=False)
            pipe.append(hidden_key(user_id), entries)
            pipe.pexpire(hidden_key(user_id), self._ttl_ms)
            pipe.execute()
            return True

        return self._call(what, call, default=False) if entries else True

    def _call(self, what: str, call: Callable[[], T], *, default: T) -> T:
        if not self._circuit.lets_through():
            return default
        with self._circuit.guard(what):
            return call()
        return default


class AsyncFeedStore:
    """The few calls that the hot paths make."""

    def __init__(self, url: str, *, ttl_days: int = 30) -> None:
        self._ttl_ms = ttl_days * DAY_MS
        self._circuit = Circuit()
        self._distrusted: dict[int, float] = {}  # readers whose hidden papers lack a mark, and until when
        self._distrusting = threading.Lock()
        self._line = RedisLine(url, patience_seconds=WAITS * WAIT_SECONDS)

    async def read_list(self, user_id: int, *, version: str) -> CachedList | None:
        """Return the reader's prepared list in one round trip, None when any of it is missing or foreign."""
        if self._is_distrusted(user_id):
            return None
        keys = feed_key(version, user_id), hidden_key(user_id), decided_key(user_id)
        replies = await self._ask("read_list", ("MGET", *keys))
        return None if replies is None else checked_list(*replies[0], user_id=user_id, version=version)

    async def read_hidden(self, user_id: int, *, seq: int = LATEST) -> frozenset[int] | None:
        """Return all the reader's hidden papers, None when the cache cannot say.

        Nor can it for a list of a change `seq` before the reader's latest decision: it may hold what they mute.
        """
        if self._is_distrusted(user_id):
            return None
        replies = await self._ask("read_hidden", ("MGET", hidden_key(user_id), decided_key(user_id)))
        if replies is None or precedes(seq, replies[0][1]):
            return None
        hidden = unpack_hidden(replies[0][0], user_id=user_id)
        return None if hidden is None or hidden.is_cut else hidden.paper_ids

    async def mark_hidden(self, user_id: int, paper_ids: Iterable[int]) -> bool:
        """Take papers out of the reader's very next page."""
        is_marked = await self._append("mark_hidden", user_id, entries_of(paper_ids))
        if not is_marked:
            self.distrust([user_id])
        return is_marked

    def distrust(self, user_ids: Iterable[int]) -> None:
        """Read no list of these readers for a while: the cache may come back with one that shows what they hid."""
        with self._distrusting:
            self._distrusted.update(dict.fromkeys(user_ids, time.monotonic() + DISTRUST_SECONDS))

    async def unmark_hidden(self, user_id: int, paper_ids: Iterable[int]) -> bool:
        """Let papers show again whose hiding was undone."""
        return await self._append("unmark_hidden", user_id, entries_of(paper_ids, shown=True))

    async def drop_list(self, user_id: int) -> bool:
        """Make every prepared list of the reader a miss."""
        replies = await self._ask("drop_list", ("DEL", hidden_key(user_id)))
        return replies is not None and bool(replies[0])

    async def aclose(self) -> None:
        """Close the connection."""
        await self._line.aclose()

    def _is_distrusted(self, user_id: int) -> bool:
        if not self._distrusted or user_id not in self._distrusted:
            return False
        now = time.monotonic()
        with self._distrusting:
            self._distrusted = {reader: until for reader, until in self._distrusted.items() if until > now}
        return user_id in self._distrusted

    async def _append(self, what: str, user_id: int, entries: bytes) -> bool:
        if not entries:
            return True
        key = hidden_key(user_id)
        return await self._ask(what, ("APPEND", key, entries), ("PEXPIRE", key, self._ttl_ms)) is not None

    async def _ask(self, what: str, *commands: Command) -> list[Reply] | None:
        if not self._circuit.lets_through():
            return None
        try:
            replies = await self._line.ask(*commands)
        except FAILURES as error:
            self._circuit.note_failure(what, error)
            return None
        self._circuit.note_success()
        return replies
