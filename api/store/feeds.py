"""Prepared lists in the cache: a memo that may vanish at any moment, so every failure is a miss."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from api.store.feed_cache import (
    DAY_MS,
    WRITE_LIST,
    Circuit,
    checked_list,
    claim_key,
    feed_key,
    hidden_key,
    trending_key,
    whole_set_mark,
    write_arguments,
)
from api.store.feed_codec import FeedList

T = TypeVar("T")

TIMEOUT_SECONDS: Final = 0.2  # a page waits no longer than this for a cache that hangs
CLAIM_MS: Final = 10_000  # a refresh whose message was lost blocks the next hint no longer than this
WAITS: Final = 4
WAIT_SECONDS: Final = 0.1  # each
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

    def ping(self) -> bool:
        """True when the cache answers now, whatever the circuit remembers."""
        with self._circuit.guard("ping"):
            return bool(self._client.ping())
        return False

    def read_list(self, user_id: int, *, version: str) -> FeedList | None:
        """Return the reader's prepared list with its hidden papers, None when any of it is missing or foreign."""

        def call() -> FeedList | None:
            pipe = self._client.pipeline(transaction=False)
            pipe.get(feed_key(version, user_id))
            pipe.smembers(hidden_key(user_id))
            value, members = pipe.execute()
            return checked_list(value, members, user_id=user_id, version=version)

        return self._call("read_list", call, default=None)

    def read_hidden(self, user_id: int) -> frozenset[int]:
        """Return what is marked hidden; a builder reads it before the reader's events and hands it to `write_list`."""

        def call() -> frozenset[int]:
            members: Any = self._client.smembers(hidden_key(user_id))
            return frozenset(map(int, members))

        return self._call("read_hidden", call, default=frozenset())

    def write_list(self, feed: FeedList, *, seen: frozenset[int] = frozenset()) -> bool:
        """Write a list unless one that includes more of the reader's events is there; False when the cache is away."""

        def call() -> bool:
            keys = [feed_key(feed.version, feed.user_id), hidden_key(feed.user_id)]
            self._write(keys=keys, args=write_arguments(feed, seen=seen, ttl_ms=self._ttl_ms))
            return True

        return self._call("write_list", call, default=False)

    def drop_list(self, user_id: int) -> bool:
        """Make every prepared list of the reader a miss."""
        return self._call("drop_list", lambda: bool(self._client.delete(hidden_key(user_id))), default=False)

    def mark_hidden(self, user_id: int, paper_ids: Sequence[int]) -> bool:
        """Take papers out of the reader's very next page."""

        def call() -> bool:
            pipe = self._client.pipeline(transaction=False)
            pipe.sadd(hidden_key(user_id), *paper_ids)
            pipe.pexpire(hidden_key(user_id), self._ttl_ms)
            pipe.execute()
            return True

        return self._call("mark_hidden", call, default=False) if paper_ids else True

    def unmark_hidden(self, user_id: int, paper_ids: Sequence[int]) -> bool:
        """Let papers show again whose hiding was undone."""
        if not paper_ids:
            return True
        key = hidden_key(user_id)
        return self._call("unmark_hidden", lambda: bool(self._client.srem(key, *paper_ids) or True), default=False)

    def claim(self, name: str, *, seconds: float) -> bool:
        """True for the first caller in this time; False without a cache, because what needs a claim needs the cache."""
        key, lasts = claim_key(name), int(seconds * 1000)
        return self._call("claim", lambda: bool(self._client.set(key, b"1", nx=True, px=lasts)), default=False)

    def release(self, name: str) -> None:
        """Give a claim back."""
        self._call("release", lambda: bool(self._client.delete(claim_key(name))), default=False)

    def claim_refresh(self, user_id: int) -> bool:
        """True when a refresh of this reader should be queued: no other is waiting, or the cache cannot say."""
        key = claim_key(f"refresh:{user_id}")
        return self._call("claim", lambda: bool(self._client.set(key, b"1", nx=True, px=CLAIM_MS)), default=True)

    def release_refresh(self, user_id: int) -> None:
        """Say that the reader's events are about to be read: later ones need a refresh of their own."""
        self.release(f"refresh:{user_id}")

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
        self._client = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=None,  # `_in_time` limits the whole call
            socket_connect_timeout=None,
            retry=AsyncRetry(NoBackoff(), 0),
        )

    async def read_list(self, user_id: int, *, version: str) -> FeedList | None:
        """Return the reader's prepared list in one round trip, None when any of it is missing or foreign."""

        async def call() -> FeedList | None:
            pipe = self._client.pipeline(transaction=False)
            pipe.get(feed_key(version, user_id))
            pipe.smembers(hidden_key(user_id))
            value, members = await pipe.execute()
            return checked_list(value, members, user_id=user_id, version=version)

        return None if self._is_distrusted(user_id) else await self._call("read_list", call, default=None)

    async def read_hidden(self, user_id: int) -> frozenset[int] | None:
        """Return the reader's hidden papers, None when the cache cannot say."""

        async def call() -> frozenset[int] | None:
            members: Any = self._client.smembers(hidden_key(user_id))
            hidden = frozenset(map(int, await members))
            return hidden if whole_set_mark(user_id) in hidden else None

        return None if self._is_distrusted(user_id) else await self._call("read_hidden", call, default=None)

    async def mark_hidden(self, user_id: int, paper_ids: Iterable[int]) -> bool:
        """Take papers out of the reader's very next page."""
        ids = list(paper_ids)

        async def call() -> bool:
            pipe = self._client.pipeline(transaction=False)
            pipe.sadd(hidden_key(user_id), *ids)
            pipe.pexpire(hidden_key(user_id), self._ttl_ms)
            await pipe.execute()
            return True

        is_marked = await self._call("mark_hidden", call, default=False) if ids else True
        if not is_marked:  # the cache may come back with a list that still shows them
            self._distrusted[user_id] = time.monotonic() + DISTRUST_SECONDS
        return is_marked

    async def unmark_hidden(self, user_id: int, paper_ids: Iterable[int]) -> bool:
        """Let papers show again whose hiding was undone."""
        ids = list(paper_ids)

        async def call() -> bool:
            removing: Any = self._client.srem(hidden_key(user_id), *ids)
            await removing
            return True

        return await self._call("unmark_hidden", call, default=False) if ids else True

    async def claim_refresh(self, user_id: int) -> bool:
        """True when a refresh of this reader should be queued: no other is waiting, or the cache cannot say."""

        async def call() -> bool:
            key = claim_key(f"refresh:{user_id}")
            return bool(await self._client.set(key, b"1", nx=True, px=CLAIM_MS))

        return await self._call("claim", call, default=True)

    async def drop_list(self, user_id: int) -> bool:
        """Make every prepared list of the reader a miss."""

        async def call() -> bool:
            return bool(await self._client.delete(hidden_key(user_id)))

        return await self._call("drop_list", call, default=False)

    def _is_distrusted(self, user_id: int) -> bool:
        if not self._distrusted or user_id not in self._distrusted:
            return False
        if time.monotonic() < self._distrusted[user_id]:
            return True
        now = time.monotonic()
        self._distrusted = {reader: until for reader, until in self._distrusted.items() if until > now}
        return False

    async def aclose(self) -> None:
        """Close the connections."""
        with suppress(RedisError, OSError):
            await self._client.aclose()

    async def _call(self, what: str, call: Callable[[], Coroutine[Any, Any, T]], *, default: T) -> T:
        if not self._circuit.lets_through():
            return default
        with self._circuit.guard(what):
            return await _in_time(asyncio.ensure_future(call()))
        return default


async def _in_time(answer: "asyncio.Future[T]") -> T:
    """Wait for the cache, in small parts: after a pause of this process, what has come in meanwhile is read first."""
    try:
        for _ in range(WAITS):
            await asyncio.wait({answer}, timeout=WAIT_SECONDS)
            if answer.done():
                return answer.result()
        raise TimeoutError
    finally:
        answer.cancel()
