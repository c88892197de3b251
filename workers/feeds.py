"""Tasks that keep prepared lists and trending true."""

import logging
import time
from datetime import UTC, datetime
from typing import Final

from api.queue import REFRESH_FEED, REFRESH_TRENDING, SWEEP_FEEDS
from api.runtime.metrics import REFRESH_SECONDS
from api.runtime.state import Runtime
from api.services import feed as feed_service
from api.services import trending
from workers.app import task
from workers.processes import runtime

log = logging.getLogger(__name__)

REFRESH_LIMIT: Final = 30
SWEEP_SECONDS: Final = 50.0  # a sweep stops by itself after this time; the next one goes on
SWEEP_BATCH: Final = 200
SWEEP_LIMIT: Final = 120
TRENDING_LIMIT: Final = 120
REST_PER_BOARD: Final = 9.0  # at most a tenth of a worker's time goes into trending


@task(REFRESH_FEED, time_limit=REFRESH_LIMIT)
def refresh_feed(user_id: int) -> None:
    """Rebuild one reader's list after their events changed."""
    held = runtime()
    held.serving.poll()
    held.feeds.release_refresh(user_id)  # from here on an event asks for a refresh of its own
    _refresh(held, user_id, is_hinted=True)


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


def _sweep(held: Runtime, *, until: float) -> int:
    held.serving.poll()
    swept = last = 0
    while time.monotonic() < until:
        with held.db.read() as session:
            stale = feed_service.find_stale(session, after_user_id=last, limit=SWEEP_BATCH)
        for user_id in stale:
            if time.monotonic() >= until:
                break
            swept += _refresh(held, user_id)
        if len(stale) < SWEEP_BATCH:
            break
        last = stale[-1]
    if swept:
        log.info("lists repaired", extra={"lists": swept})
    return swept


def _refresh(held: Runtime, user_id: int, *, is_hinted: bool = False) -> bool:
    started = datetime.now(UTC)
    with held.db.read() as session:
        refreshed = feed_service.refresh_feed(session, held.feeds, held.serving.current, user_id, now=started)
    if refreshed is None:
        return False
    written = datetime.now(UTC)
    if is_hinted and refreshed.changed_at is not None:
        REFRESH_SECONDS.observe(max((written - refreshed.changed_at).total_seconds(), 0.0))
    with held.db.write() as session:
        is_noted = feed_service.note_refreshed(session, refreshed.feed)
    feed = refreshed.feed
    milliseconds = round(1000 * (written - started).total_seconds(), 1)
    log.info(
        "feed refreshed",
        extra={"user_id": user_id, "seq": feed.seq, "version": feed.version, "noted": is_noted, "ms": milliseconds},
    )
    return is_noted
