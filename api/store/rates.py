"""Shares of rate limits in the cache, where all processes draw from them; a cache that is away is no error."""

from dataclasses import dataclass
from hashlib import sha1
from typing import Final

from redis.exceptions import ResponseError

from api.store.feed_cache import Circuit
from api.store.redis_line import Argument, RedisLine, Reply

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
_DRAW_NAME: Final = sha1(DRAW.encode(), usedforsecurity=False).hexdigest()  # what the server calls it


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
        self._line = RedisLine(url, patience_seconds=TIMEOUT_SECONDS)

    async def draw(self, kind: str, key: str, *, interval_us: int, burst: int, wanted: int) -> Drawn | None:
        """Take up to `wanted` requests out of a bucket of `burst`, refilled every `interval_us`; None: cache away."""
        if not self._circuit.lets_through():
            return None
        name = rate_key(kind, key)
        with self._circuit.guard("draw"):
            granted, missing_us, echoed = await self._draw(name, interval_us, burst, wanted)
            if echoed == name.encode():  # never what somebody else had asked for
                return Drawn(int(granted), int(missing_us))
        return None

    async def aclose(self) -> None:
        """Close the connection."""
        await self._line.aclose()

    async def _draw(self, *arguments: Argument) -> Reply:
        try:
            (answer,) = await self._line.ask(("EVALSHA", _DRAW_NAME, 1, *arguments))
        except ResponseError as error:
            if not str(error).startswith("NOSCRIPT"):  # the server has never seen it, or has been restarted
                raise
            (answer,) = await self._line.ask(("EVAL", DRAW, 1, *arguments))
        return answer
