"""Rate limits: token buckets shared through the cache, of which each process holds a few requests in hand."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from api.settings import Settings
from api.store.rates import Drawn, RateStore

Kind: TypeAlias = Literal["reader", "service", "anonymous", "asking"]

# A twentieth of a burst is drawn at once, so that most requests of a limited caller ask nobody. What lies in hand was
# paid for, so all processes together never let through more than the bucket gave.
PARTS_OF_BURST: Final = 20
MICROSECONDS: Final = 1e6
SECONDS_AN_HOUR: Final = 3_600
MOST_PURSES: Final = 20_000  # callers a process remembers, about 8 MB


@dataclass(frozen=True, slots=True)
class Policy:
    """How much one kind of caller may ask."""

    name: Kind
    rate: float  # requests a second
    burst: int

    @property
    def interval_us(self) -> int:
        """Microseconds after which one more request is free."""
        return max(round(MICROSECONDS / self.rate), 1)

    @property
    def portion(self) -> int:
        """Requests that a process draws at once."""
        return max(self.burst // PARTS_OF_BURST, 1)

    @property
    def window_seconds(self) -> int:
        """Seconds in which an empty bucket fills."""
        return max(math.ceil(self.burst * self.interval_us / MICROSECONDS), 1)

    @property
    def header(self) -> str:
        """The `RateLimit-Policy` field."""
        return f'"{self.name}";q={self.burst};w={self.window_seconds}'


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether a request of a limited caller may pass, and what is left."""

    policy: Policy
    is_allowed: bool
    remaining: int
    reset_seconds: int  # until the bucket is full
    retry_after_seconds: int  # 0 for a request that may pass

    @property
    def header(self) -> str:
        """The `RateLimit` field."""
        return f'"{self.policy.name}";r={self.remaining};t={self.reset_seconds}'


@dataclass(slots=True)
class _Purse:
    """What this process knows about one caller; times are of the limiter's clock."""

    in_hand: int = 0
    spoils_at: float = 0.0  # what is in hand is given up then: the bucket has refilled as much
    refused_until: float = 0.0
    full_at: float = 0.0  # when the bucket will be full, as it was last heard or reckoned
    drawing: "asyncio.Task[None] | None" = None


class Limits:
    """The limits of one process; callers without a limit cost neither a round trip nor memory."""

    def __init__(self, settings: Settings, store: RateStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        wanted = (
            Policy("reader", settings.rate_reader, settings.rate_reader_burst),
            Policy("service", settings.rate_service, settings.rate_service_burst),
            Policy("anonymous", settings.rate_anonymous, settings.rate_anonymous_burst),
            Policy("asking", settings.digest_requests_an_hour / SECONDS_AN_HOUR, settings.digest_requests_an_hour),
        )
        self._policies: dict[Kind, Policy] = {policy.name: policy for policy in wanted if policy.rate > 0}
        self._store = store
        self._clock = clock
        self._purses: OrderedDict[tuple[Kind, str], _Purse] = OrderedDict()

    def is_limited(self, kind: Kind) -> bool:
        """True when callers of this kind have a limit."""
        return kind in self._policies

    async def take(self, kind: Kind, key: str) -> Allowance | None:
        """Count one request of a caller; None when callers of this kind have no limit."""
        policy = self._policies.get(kind)
        if policy is None:
            return None
        purse = self._purse(kind, key)
        while True:
            now = self._clock()
            if purse.in_hand and now < purse.spoils_at:
                purse.in_hand -= 1
                return self._allow(policy, purse, now)
            if now < purse.refused_until:
                return self._refuse(policy, purse, now)
            if purse.drawing is None:  # one request asks for all that arrive meanwhile
                purse.drawing = asyncio.ensure_future(self._draw(policy, key, purse))
            await asyncio.shield(purse.drawing)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._store.aclose()

    def _purse(self, kind: Kind, key: str) -> _Purse:
        purse = self._purses.get((kind, key))
        if purse is None:
            purse = self._purses[kind, key] = _Purse()
            if len(self._purses) > MOST_PURSES:
                self._purses.popitem(last=False)
        else:
            self._purses.move_to_end((kind, key))
        return purse

    async def _draw(self, policy: Policy, key: str, purse: _Purse) -> None:
        try:
            drawn = await self._store.draw(
                policy.name, key, interval_us=policy.interval_us, burst=policy.burst, wanted=policy.portion
            )
            now = self._clock()
            drawn = drawn or _draw_alone(policy, purse, now)
            purse.full_at = now + drawn.missing_us / MICROSECONDS
            purse.in_hand = drawn.granted
            purse.spoils_at = now + max(policy.portion * policy.interval_us / MICROSECONDS, 1.0)
            if not drawn.granted:
                missing_us = drawn.missing_us - (policy.burst - 1) * policy.interval_us
                purse.refused_until = now + max(missing_us, 1) / MICROSECONDS
        finally:
            purse.drawing = None

    def _allow(self, policy: Policy, purse: _Purse, now: float) -> Allowance:
        missing = max(purse.full_at - now, 0.0)
        free = policy.burst - math.ceil(missing * MICROSECONDS / policy.interval_us - 1e-3)  # of one: rounding
        return Allowance(policy, True, min(max(free, 0) + purse.in_hand, policy.burst), math.ceil(missing), 0)

    def _refuse(self, policy: Policy, purse: _Purse, now: float) -> Allowance:
        wait = max(math.ceil(purse.refused_until - now), 1)
        return Allowance(policy, False, 0, max(math.ceil(purse.full_at - now), wait), wait)


def _draw_alone(policy: Policy, purse: _Purse, now: float) -> Drawn:
    """The same bucket in this process, while the cache is away; it goes on from what was heard last."""
    size_us = policy.burst * policy.interval_us
    missing_us = min(max(round((purse.full_at - now) * MICROSECONDS), 0), size_us)
    granted = min(policy.portion, (size_us - missing_us) // policy.interval_us)
    return Drawn(granted, missing_us + granted * policy.interval_us)
