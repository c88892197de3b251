"""A store of prepared lists, and a look behind it."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from api.store.feeds import FeedStore


@pytest.fixture
def feeds(redis_url: str) -> Iterator[FeedStore]:
    """Return a store on the test Redis."""
    store = FeedStore(redis_url)
    yield store
    store.close()


@pytest.fixture
def cache(redis_url: str) -> Iterator[Any]:
    """Return a plain client of the same Redis."""
    with redis.Redis.from_url(redis_url) as client:
        yield client
