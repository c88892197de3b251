"""What one reader's prepared list and hidden papers take in the cache."""

import statistics
from typing import Final

import redis

from api.store.feed_cache import MOST_HIDDEN, feed_key, hidden_key
from api.store.hidden_codec import entries_of, mark_of
from tests.benchmarks.service.harness import Bench, Row
from tests.benchmarks.service.requests import read_feeds
from tests.benchmarks.service.world import PAPERS, VERSION, make_world, running

MOST_BYTES: Final = 2500


def measure(bench: Bench) -> list[Row]:
    """The lists that the service builds, each beside as many hidden papers as are kept; the largest reader counts."""
    world = make_world(bench.folder / "redis")
    with running(world) as service:
        read_feeds(service, world.readers)
        with service.cache as cache:
            sizes = [_size_of(cache, user_id) for user_id in range(1, len(world.readers) + 1)]
    found = max(sizes)
    return [
        Row(
            what=f"Redis bytes per reader: list of {world.settings.list_size}, {MOST_HIDDEN} hidden",
            against="",
            at_least=f"under {MOST_BYTES:,}",
            is_met=found < MOST_BYTES,
            value=found,
            unit="bytes",
            note=f"the largest of {len(sizes)} readers, median {statistics.median(sizes):,.0f}",
        )
    ]


def _size_of(cache: redis.Redis, user_id: int) -> int:
    """What the cache counts for both keys, keys and housekeeping included."""
    hidden = mark_of(user_id) + entries_of(range(PAPERS, PAPERS + MOST_HIDDEN))
    cache.set(hidden_key(user_id), hidden, px=86_400_000)
    keys = (feed_key(VERSION, user_id), hidden_key(user_id))
    return sum(int(cache.memory_usage(key) or 0) for key in keys)
