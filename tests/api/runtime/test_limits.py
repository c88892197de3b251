"""Rate limits: exact over processes, cheap for most requests, and kept by each process alone without a cache."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from api.runtime.limits import MOST_PURSES, Allowance, Limits
from api.settings import Settings
from api.store import rates
from api.store.rates import RateStore


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "TIMEOUT_SECONDS", 10.0)  # a busy machine is no dead cache


@pytest.fixture
def server(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


class Clock:
    """A clock that a test moves; the cache's own goes on by itself."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def limits_of(url: str, clock: Clock | None = None, **settings: float) -> Limits:
    chosen = Settings(**{"rate_reader": 1.0, "rate_reader_burst": 5, **settings})  # type: ignore[arg-type] # pydantic checks them
    return Limits(chosen, RateStore(url), clock=clock or Clock())


async def take(limits: Limits, times: int, key: str = "ada") -> list[Allowance]:
    found = [await limits.take("reader", key) for _ in range(times)]
    assert None not in found
    return [allowance for allowance in found if allowance is not None]


def run(limits: Limits, times: int, key: str = "ada") -> list[bool]:
    async def ask() -> list[bool]:
        try:
            return [allowance.is_allowed for allowance in await take(limits, times, key)]
        finally:
            await limits.aclose()

    return asyncio.run(ask())


def calls(server: Any) -> int:
    stats = server.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval"))


def test_a_burst_passes_and_what_follows_is_refused(redis_url: str) -> None:
    assert run(limits_of(redis_url), 8) == [True] * 5 + [False] * 3


def test_one_caller_does_not_use_up_what_is_anothers(redis_url: str) -> None:
    async def ask() -> list[bool]:
        limits = limits_of(redis_url)
        mine = await take(limits, 6, "ada")
        theirs = await take(limits, 1, "bob")
        await limits.aclose()
        return [mine[-1].is_allowed, theirs[0].is_allowed]

    assert asyncio.run(ask()) == [False, True]


def test_requests_at_the_same_time_share_one_bucket(redis_url: str) -> None:
    async def ask() -> int:
        limits = limits_of(redis_url)
        found = await asyncio.gather(*(limits.take("reader", "ada") for _ in range(50)))
        await limits.aclose()
        return sum(allowance is not None and allowance.is_allowed for allowance in found)

    assert asyncio.run(ask()) == 5


def test_two_processes_share_one_bucket(redis_url: str) -> None:
    async def ask() -> int:
        both = [limits_of(redis_url, rate_reader_burst=60), limits_of(redis_url, rate_reader_burst=60)]
        passed = 0
        for turn in range(100):
            passed += sum(allowance.is_allowed for allowance in await take(both[turn % 2], 1))
        for limits in both:
            await limits.aclose()
        return passed

    assert 60 <= asyncio.run(ask()) <= 62  # while it runs, a second or two of refill


def test_the_bucket_refills_with_time(redis_url: str) -> None:
    async def ask() -> list[bool]:
        clock = Clock()
        limits = limits_of(redis_url, clock, rate_reader=20.0)
        empty = (await take(limits, 6))[-1]
        await asyncio.sleep(0.12)  # the cache's clock
        clock.now += 0.12
        again = (await take(limits, 1))[0]
        await limits.aclose()
        return [empty.is_allowed, again.is_allowed]

    assert asyncio.run(ask()) == [False, True]


def test_a_refused_caller_is_told_when_to_come_again(redis_url: str) -> None:
    async def ask() -> list[Allowance]:
        limits = limits_of(redis_url, rate_reader=0.1)
        found = await take(limits, 6)
        await limits.aclose()
        return found

    first, *_, refused = asyncio.run(ask())
    assert (first.header, first.policy.header) == ('"reader";r=4;t=10', '"reader";q=5;w=50')
    assert (refused.header, refused.retry_after_seconds) == ('"reader";r=0;t=50', 10)


def test_what_is_left_goes_down_by_one_with_each_request(redis_url: str) -> None:
    async def ask() -> list[int]:
        limits = limits_of(redis_url, rate_reader=50.0, rate_reader_burst=200)
        found = await take(limits, 30)
        await limits.aclose()
        return [allowance.remaining for allowance in found]

    left = asyncio.run(ask())
    assert left[:10] == list(range(199, 189, -1))
    assert all(167 <= after <= 200 for after in left[10:])


def test_callers_without_a_limit_cost_no_round_trip_and_no_memory(redis_url: str, server: "redis.Redis") -> None:
    async def ask() -> object:
        limits = limits_of(redis_url)
        before = server.info("stats")["total_commands_processed"]
        found = [await limits.take("service", str(number)) for number in range(100)]
        after = server.info("stats")["total_commands_processed"]
        await limits.aclose()
        assert set(found) == {None}
        assert not limits.is_limited("service")
        return after - before

    assert asyncio.run(ask()) == 1  # the question itself


def test_most_requests_of_a_limited_caller_ask_nobody(redis_url: str, server: "redis.Redis") -> None:
    async def ask() -> int:
        limits = limits_of(redis_url, rate_reader=50.0, rate_reader_burst=200)
        before = calls(server)
        await take(limits, 200)
        await limits.aclose()
        return calls(server) - before

    assert asyncio.run(ask()) <= 21


def test_a_flood_of_refused_requests_asks_nobody(redis_url: str, server: "redis.Redis") -> None:
    async def ask() -> int:
        limits = limits_of(redis_url)
        await take(limits, 6)
        before = calls(server)
        assert not any(allowance.is_allowed for allowance in await take(limits, 500))
        await limits.aclose()
        return calls(server) - before

    assert asyncio.run(ask()) == 0


def test_without_a_cache_each_process_keeps_the_limit_itself(tmp_path: Path) -> None:
    clock = Clock()
    limits = limits_of(f"unix://{tmp_path / 'nothing.sock'}", clock)
    assert run(limits, 8) == [True] * 5 + [False] * 3
    clock.now += 2.0
    assert run(limits, 3) == [True, True, False]


def test_a_cache_that_goes_away_gives_no_fresh_burst(redis_url: str, tmp_path: Path) -> None:
    async def ask() -> list[bool]:
        limits = limits_of(redis_url)
        first = await take(limits, 4)
        await limits._store.aclose()
        limits._store = RateStore(f"unix://{tmp_path / 'nothing.sock'}")
        rest = await take(limits, 4)
        await limits.aclose()
        return [allowance.is_allowed for allowance in first + rest]

    assert asyncio.run(ask()) == [True] * 5 + [False] * 3


@pytest.mark.parametrize("value", ["nonsense", "99999999999999999999", "-5"])
def test_a_strange_value_in_the_cache_locks_nobody_out_for_long(
    redis_url: str, server: "redis.Redis", value: str
) -> None:
    server.set(rates.rate_key("reader", "ada"), value)

    async def ask() -> Allowance:
        limits = limits_of(redis_url)
        found = await take(limits, 1)
        await limits.aclose()
        return found[0]

    found = asyncio.run(ask())
    assert found.is_allowed or found.retry_after_seconds <= 5


def test_a_bucket_leaves_the_cache_when_it_is_full_again(redis_url: str, server: "redis.Redis") -> None:
    run(limits_of(redis_url), 3)
    assert 0 < server.pttl(rates.rate_key("reader", "ada")) <= 3_001


def test_a_caller_that_goes_away_while_it_waits_takes_nobody_along(redis_url: str) -> None:
    async def ask() -> list[bool]:
        limits = limits_of(redis_url)
        waiting = [asyncio.ensure_future(limits.take("reader", "ada")) for _ in range(4)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        found = await asyncio.gather(*waiting[1:])
        await limits.aclose()
        return [allowance is not None and allowance.is_allowed for allowance in found]

    assert asyncio.run(ask()) == [True] * 3


def test_addresses_that_never_come_again_are_forgotten(tmp_path: Path) -> None:
    limits = limits_of(f"unix://{tmp_path / 'nothing.sock'}")

    async def ask() -> int:
        for number in range(MOST_PURSES + 100):
            await limits.take("reader", str(number))
        await limits.aclose()
        return len(limits._purses)

    assert asyncio.run(ask()) == MOST_PURSES
