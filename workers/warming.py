"""Lists under a version that does not answer yet: chunks of readers that any number of workers share."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from api.runtime.serving import Served
from api.services import training, warming
from api.settings import Settings
from api.store.engine import Database
from api.store.feed_codec import FeedList
from api.store.feeds import FeedStore
from api.store.runs import ReaderRange
from recommender.hybrid import Hybrid

log = logging.getLogger(__name__)

CLAIM_SECONDS: Final = 120.0  # a worker that died leaves its chunk to others after this long
READERS_PER_BLOCK: Final = 20  # ranked together; between two blocks a cancel is heard
CACHE_PATIENCE_SECONDS: Final = 10.0  # a cache that is away longer is not waited for: lists are a memo
RETRY_SECONDS: Final = 0.5


class CacheAway(Exception):
    """The cache took no list for too long."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What writing lists needs."""

    settings: Settings
    db: Database
    feeds: FeedStore


@lru_cache(maxsize=1)
def load_version(models_dir: Path, version: str) -> Served:
    """Return a version that is on disk, kept until another one is asked for."""
    return Served(version, Hybrid.load(models_dir / version, mmap=True, verify=True))


def write_chunks(
    shop: Workshop, served: Served, run_id: int, *, check: Callable[[], None], on_chunk: Callable[[], object]
) -> int:
    """Write chunks until none is free and return the number of lists; raises CacheAway, and whatever `check` does."""
    lists = 0
    while True:
        check()
        with shop.db.write() as session:
            readers = training.claim_warm_chunk(session, run_id, now=datetime.now(UTC), seconds=CLAIM_SECONDS)
        if readers is None:
            return lists
        lists += _write_chunk(shop, served, readers, check=check)
        on_chunk()


def _write_chunk(shop: Workshop, served: Served, readers: ReaderRange, *, check: Callable[[], None]) -> int:
    active_since = datetime.now(UTC) - timedelta(days=shop.settings.active_days)
    with shop.db.read() as session:
        user_ids = warming.read_active_readers(session, readers, since=active_since)
    is_written = False
    try:
        for start in range(0, len(user_ids), READERS_PER_BLOCK):
            check()
            _write_block(shop, served, user_ids[start : start + READERS_PER_BLOCK], check=check)
        is_written = True
    finally:
        with shop.db.write() as session:
            warming.end_chunk(session, readers, is_written=is_written, now=datetime.now(UTC))
    return len(user_ids)


def _write_block(shop: Workshop, served: Served, user_ids: list[int], *, check: Callable[[], None]) -> None:
    seen = shop.feeds.read_hidden_of(user_ids)
    with shop.db.read() as session:
        lists = warming.build_warm_lists(session, served, user_ids, now=datetime.now(UTC), size=shop.settings.list_size)
    _write_lists(shop.feeds, lists, seen=seen, check=check)


def _write_lists(
    feeds: FeedStore, lists: Sequence[FeedList], *, seen: Sequence[bytes], check: Callable[[], None]
) -> None:
    give_up_at = time.monotonic() + CACHE_PATIENCE_SECONDS
    while not feeds.write_lists(lists, seen=seen):
        if time.monotonic() > give_up_at:
            raise CacheAway(f"the cache took no list for {CACHE_PATIENCE_SECONDS:g} s")
        check()
        time.sleep(RETRY_SECONDS)
