"""Shares of rate limits in the cache, where all processes draw from them; a cache that is away is no error."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from api.store.feed_cache import Circuit

TIMEOUT_SECONDS: Final = 0.2  # a request waits no longer than this for its share

# One number a bucket: the time (µs) at which it will be full again. The clock is the cache's own, the same for all.
# A time further ahead than the bucket is large comes from another limit or a clock that was set back.
DRAW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = tonumber(redis.call('GET', KEYS[1]) or now) or now
full = math.min(math.max(full, now), now + burst * interval)
local granted = math.min(wanted, math.floor((burst * interval - (full - now)) / interval))
if granted > 0 then
  full = full + granted * interval
  redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
end
return {granted, full - now, KEYS[1]}
"""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a bucket gave."""

    granted: int
    missing_us: int  # until it is full again, microseconds


def rate_key(kind: str, key: str) -> str:
    return f"rate:{kind}:{key}"


class RateStore:
    """Token buckets that all processes share."""

    def __init__(self, url: str) -> None:
        self._circuit = Circuit()
        self._client = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=None,  # `draw` limits the whole call
            socket_connect_timeout=None,
            retry=AsyncRetry(NoBackoff(), 0),
        )
        self._draw = self._client.register_script(DRAW)

    async def draw(self, kind: str, key: str, *, interval_us: int, burst: int, wanted: int) -> Drawn | None:
        """Take up to `wanted` requests out of a bucket of `burst`, refilled every `interval_us`; None: cache away."""
        if not self._circuit.lets_through():
            return None
        name = rate_key(kind, key)
        with self._circuit.guard("draw"):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer: Any = await self._draw(keys=[name], args=[interval_us, burst, wanted])
            granted, missing_us, echoed = answer
            if echoed == name.encode():  # never what somebody else had asked for
                return Drawn(int(granted), int(missing_us))
        return None

    async def aclose(self) -> None:
        """Close the connections."""
        with suppress(RedisError, OSError):
            await self._client.aclose()
