"""Tasks that keep prepared lists and trending true."""

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from api.queue import REFRESH_TRENDING, SPREAD_NEWS, SWEEP_FEEDS
from api.runtime.metrics import LISTS_REPAIRED
from api.runtime.state import Runtime
from api.services import news, refreshing, trending
from api.store.pending import PendingReaders
from workers.app import task
from workers.processes import runtime
from workers.refreshing import READERS_PER_BATCH, refresh

log = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 50.0  # a sweep stops by itself after this time; the next one goes on
SWEEP_BATCH: Final = 200
SWEEP_LIMIT: Final = 120
TRENDING_LIMIT: Final = 120
NEWS_LIMIT: Final = 60
REST_PER_ROUND: Final = 25.0  # from one round of lists for new papers to the next: papers that come in drops share one
REST_PER_BOARD: Final = 9.0  # at most a tenth of a worker's time goes into trending


@task(SWEEP_FEEDS, time_limit=SWEEP_LIMIT)
def sweep_feeds() -> int:
    """Rebuild every list that is older than its reader's last change, and return how many were."""
    held = runtime()
    if not held.feeds.ping() or not held.feeds.claim("sweep", seconds=SWEEP_SECONDS):
        return 0
    try:
        return _sweep(held, until=time.monotonic() + SWEEP_SECONDS)
    finally:
        held.feeds.release("sweep")


@task(REFRESH_TRENDING, time_limit=TRENDING_LIMIT)
def refresh_trending() -> None:
    """Compute what is trending and put it into the cache."""
    held = runtime()
    if not held.feeds.claim("trending", seconds=TRENDING_LIMIT):
        return
    started = time.monotonic()
    with held.db.read() as session:
        half_life_days = held.settings.trending_half_life_days
        trending.refresh_board(session, held.feeds, now=datetime.now(UTC), half_life_days=half_life_days)
    seconds = time.monotonic() - started
    held.feeds.release("trending")
    if seconds > 1.0:
        held.feeds.claim("trending", seconds=REST_PER_BOARD * seconds)


@task(SPREAD_NEWS, time_limit=NEWS_LIMIT)
def spread_news() -> int:
    """Have the lists of active readers follow new papers, and return how many lists that are."""
    held = runtime()
    if not held.feeds.claim("news", seconds=NEWS_LIMIT):
        return 0
    pending = PendingReaders(held.settings.resolved_broker_url)
    readers = 0
    try:
        with held.db.read() as session:
            readers = news.spread_news(session, pending, settings=held.settings, now=datetime.now(UTC))
    finally:
        pending.close()
        held.feeds.release("news")
    if readers:
        held.feeds.claim("news", seconds=REST_PER_ROUND)
        log.info("new papers for readers", extra={"readers": readers})
    return readers


def _sweep(held: Runtime, *, until: float) -> int:
    held.serving.poll()
    active_since = datetime.now(UTC) - timedelta(minutes=held.settings.refresh_active_minutes)
    swept = _sweep_those(held, active_since, until=until) + _sweep_those(held, None, until=until)
    LISTS_REPAIRED.inc(swept)
    if swept:
        log.info("lists repaired", extra={"lists": swept})
    return swept


def _sweep_those(held: Runtime, active_since: datetime | None, *, until: float) -> int:
    """Repair the lists of readers active since then, of all when that is None, as far as the time goes."""
    swept = last = 0
    stale = [0] * SWEEP_BATCH
    while len(stale) == SWEEP_BATCH and time.monotonic() < until:
        with held.db.read() as session:
            stale = refreshing.find_stale(session, active_since=active_since, after_user_id=last, limit=SWEEP_BATCH)
        for start in range(0, len(stale), READERS_PER_BATCH):
            if time.monotonic() >= until:
                return swept
            lists, is_noted = refresh(held, stale[start : start + READERS_PER_BATCH])
            swept += len(lists) * is_noted
        last = stale[-1] if stale else last
    return swept
