"""A reader's list where the cache lacks it: built by this process, in one of few slots."""

import threading
from collections.abc import Collection
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from starlette.concurrency import run_in_threadpool

from api.runtime.metrics import FEED_CACHE
from api.runtime.state import Runtime
from api.services.feed import NO_VERSION
from api.services.feed_reading import build_for_reader, build_without_model
from api.services.muting import muted_paper_ids
from api.store.events import hidden_paper_ids
from api.store.feed_cache import CachedList
from api.store.packed_list import PackedList, packed

WAIT_FOR_SLOT_SECONDS: Final = 0.5  # then the reader gets what everybody gets
HITS, MISSES = (FEED_CACHE.labels(outcome) for outcome in ("hit", "miss"))


async def read_list(runtime: Runtime, user_id: int | None) -> CachedList:
    """Return a reader's list, built where the cache lacks it; what everybody gets for a reader nobody knows."""
    if user_id is None:
        return await run_in_threadpool(_build_common, runtime, None)
    served = runtime.serving.current
    if served is None:  # the process has just started, or there is no model yet
        served = await run_in_threadpool(runtime.serving.poll)
    version = NO_VERSION if served is None else served.version
    feed = await runtime.async_feeds.read_list(user_id, version=version)
    (MISSES if feed is None else HITS).inc()
    if feed is None:
        return await run_in_threadpool(_build_missing, runtime, user_id)
    if runtime.serving.is_outdated(feed.papers.built_at):
        return await run_in_threadpool(_build_anew, runtime, user_id, feed)
    return feed


async def read_hidden(runtime: Runtime, user_id: int | None, frozen: PackedList) -> Collection[int]:
    """Return what a reader has hidden, read from SQL where the cache lacks it or is behind the frozen list."""
    if user_id is None:
        return ()
    hidden = await runtime.async_feeds.read_hidden(user_id, seq=frozen.seq)
    return await run_in_threadpool(_hidden_from_sql, runtime, user_id, frozen) if hidden is None else hidden


def _hidden_from_sql(runtime: Runtime, user_id: int, frozen: PackedList) -> frozenset[int]:
    with runtime.db.read() as session:
        muted = muted_paper_ids(session, user_id, frozen.paper_ids)
        return muted.union(hidden_paper_ids(session, user_id).tolist())


def _build_missing(runtime: Runtime, user_id: int) -> CachedList:
    """Build the list that the cache lacks and put it there; without a free slot, what everybody gets."""
    slots = _build_slots(runtime.settings.feed_build_slots)
    if not slots.acquire(timeout=WAIT_FOR_SLOT_SECONDS):
        return _build_common(runtime, user_id)
    try:
        return _build_own(runtime, user_id)
    finally:
        slots.release()


def _build_anew(runtime: Runtime, user_id: int, feed: CachedList) -> CachedList:
    """Build a list that lacks the papers of a while ago; without a free slot the reader gets it as it is once more."""
    slots = _build_slots(runtime.settings.feed_build_slots)
    if not slots.acquire(blocking=False):
        runtime.hints.refresh(user_id, is_active=False)
        return feed
    try:
        return _build_own(runtime, user_id)
    finally:
        slots.release()


def _build_own(runtime: Runtime, user_id: int) -> CachedList:
    seen = runtime.feeds.read_hidden(user_id)
    with runtime.db.read() as session:
        feed = build_for_reader(session, runtime.serving.current, user_id, now=datetime.now(UTC))
    runtime.feeds.write_list(feed, seen=seen)
    return CachedList(packed(feed), feed.hidden)


def _build_common(runtime: Runtime, user_id: int | None) -> CachedList:
    with runtime.db.read() as session:
        feed = build_without_model(session, user_id, now=datetime.now(UTC))
    return CachedList(packed(feed), feed.hidden)


@lru_cache(maxsize=1)
def _build_slots(count: int) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(count)
