"""A broker that is away never keeps a request waiting."""

import time
from collections.abc import Iterator

import pytest
import redis

from api import queue
from api.queue import REFRESH_FEED
from api.runtime.hints import MOST_WAITING, Hints
from api.settings import read_settings


@pytest.fixture
def dead_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point the process to a broker that is not there."""
    monkeypatch.setenv("PAPERFEED_BROKER_URL", "redis://127.0.0.1:1/0")
    read_settings.cache_clear()
    queue._producer.cache_clear()
    yield
    read_settings.cache_clear()
    queue._producer.cache_clear()


@pytest.mark.usefixtures("dead_broker")
def test_hints_to_a_dead_broker_cost_nothing() -> None:
    hints = Hints()
    hints.start()
    started = time.perf_counter()
    for user_id in range(MOST_WAITING // 2):
        hints.offer(REFRESH_FEED, user_id)
    assert time.perf_counter() - started < 10.0  # one request to the dead broker each would take minutes
    hints.close()


def test_too_many_hints_are_dropped() -> None:
    hints = Hints()
    assert all(hints.offer(REFRESH_FEED, user_id) for user_id in range(MOST_WAITING))
    assert not hints.offer(REFRESH_FEED, 1)


def test_hints_arrive_at_the_broker(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERFEED_BROKER_URL", redis_url.replace("unix://", "redis+socket://"))
    read_settings.cache_clear()
    queue._producer.cache_clear()
    hints = Hints()
    hints.start()
    for user_id in range(3):
        hints.offer(REFRESH_FEED, user_id)
    deadline = time.monotonic() + 60
    with redis.Redis.from_url(redis_url) as client:
        while client.llen("events") != 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    hints.close()
    read_settings.cache_clear()
    queue._producer.cache_clear()
