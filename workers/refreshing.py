"""Lists follow events within a fraction of a second: a thread of each worker process takes the readers that wait.

No message of Celery's is between an event and its list: a task waits for those before it, and some take seconds. What
this loses (a worker killed in the middle of a batch, a broker flushed) is found by the sweep, which is a task.

While nobody waits, it rebuilds the lists of readers for whom there are new papers, at most half of the time.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from sqlalchemy.exc import DBAPIError

from api.runtime.metrics import REFRESH_SECONDS
from api.runtime.state import Runtime
from api.services import refreshing
from api.store.feed_codec import FeedList
from api.store.pending import LONGEST_WAIT_SECONDS, Change, PendingReaders

log = logging.getLogger(__name__)

READERS_PER_BATCH: Final = 10  # ranked together; a longer batch would keep its first reader waiting for its last
SETTLE_SECONDS: Final = 0.05  # what a reader does within this time is one refresh
WAIT_SECONDS: Final = LONGEST_WAIT_SECONDS  # an idle thread looks this often whether it should end
SHORTEST_REST_SECONDS: Final = 0.01  # no waiting at all would be waiting for ever
PAUSE_SECONDS: Final = 1.0  # after a failure


class Refresher:
    """The thread that rebuilds the lists of pending readers, batch by batch, while a worker process lives."""

    def __init__(self, held: Runtime, pending: PendingReaders) -> None:
        self._held = held
        self._pending = pending
        self._rest_seconds = 0.0  # before the next lists for new papers
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refresher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the batch it is at."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pending.close()

    def refresh_next(self, *, wait_seconds: float = WAIT_SECONDS) -> int | None:
        """Rebuild the lists of the readers who come first and return how many; None while the broker is away."""
        first = self._pending.wait(self._rest_seconds or wait_seconds)
        if not first:
            return None if first is None else self._refresh_for_news()
        settled_at = min(change.since for change in first.values()) + SETTLE_SECONDS
        time.sleep(min(max(settled_at - time.time(), 0.0), SETTLE_SECONDS))
        changes = _joined(first, self._pending.take(READERS_PER_BATCH - 1))
        lists, is_noted = refresh(self._held, list(changes), on_written=partial(_observe, changes))
        if not is_noted and self._follows_another_version(lists):
            self._pending.add({feed.user_id: changes[feed.user_id] for feed in lists})
        return len(lists)

    def _refresh_for_news(self) -> int:
        """Rebuild the lists of some readers for whom there are new papers, when the model knows these."""
        readers = self._pending.take_news(READERS_PER_BATCH)
        if not readers:
            self._rest_seconds = 0.0
            return 0
        started = time.monotonic()
        since = max(readers.values())
        serving = self._held.serving
        if serving.current is not None and serving.looked_at < since:  # it looks every second, but rests after work
            self._pending.add_news(list(readers), since=since)
            self._rest_seconds = WAIT_SECONDS
            return 0
        lists, _ = refresh(self._held, list(readers))
        self._rest_seconds = max(time.monotonic() - started, SHORTEST_REST_SECONDS)
        return len(lists)

    def _follows_another_version(self, lists: Sequence[FeedList]) -> bool:
        """True when this process has just learned of a promotion that these lists were built before."""
        served = self._held.serving.poll()
        return served is not None and any(feed.version != served.version for feed in lists)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                refreshed = self.refresh_next()
            except Exception:  # a thread's outermost call: the sweep takes up what this batch has lost
                log.exception("refresh failed")
                refreshed = None
            if refreshed is None:
                self._stopping.wait(PAUSE_SECONDS)


def refresh(
    held: Runtime, user_ids: Sequence[int], *, on_written: Callable[[Sequence[FeedList]], None] = lambda _: None
) -> tuple[list[FeedList], bool]:
    """Rebuild these readers' lists and return what the cache took, and whether it was noted.

    A reader whose list cannot be built keeps nobody else from theirs. `on_written` hears of lists as soon as pages are
    made of them, before they are noted.
    """
    started = time.monotonic()
    try:
        lists = _write_lists(held, user_ids)
    except DBAPIError:
        raise  # a database that is away fails everybody alike
    except Exception:
        if len(user_ids) == 1:
            log.exception("list cannot be built", extra={"user_id": user_ids[0]})
            return [], True
        parts = [refresh(held, [user_id], on_written=on_written) for user_id in user_ids]
        return [feed for lists, _ in parts for feed in lists], all(is_noted for _, is_noted in parts)
    if not lists:
        return [], True
    on_written(lists)
    with held.db.write() as session:
        is_noted = refreshing.note_refreshed(session, lists)
    milliseconds = round(1000 * (time.monotonic() - started), 1)
    extra = {"readers": len(lists), "version": lists[0].version, "noted": is_noted, "ms": milliseconds}
    log.info("lists refreshed", extra=extra)
    return lists, is_noted


def _observe(changes: Mapping[int, Change], lists: Sequence[FeedList]) -> None:
    written_at = time.time()
    for feed in lists:
        REFRESH_SECONDS.observe(max(written_at - changes[feed.user_id].since, 0.0))


def _write_lists(held: Runtime, user_ids: Sequence[int]) -> list[FeedList]:
    with held.db.read() as session:
        return refreshing.refresh_lists(session, held.feeds, held.serving.current, user_ids, now=datetime.now(UTC))


def _joined(first: Mapping[int, Change], others: Mapping[int, Change]) -> dict[int, Change]:
    joined = dict(first)
    for user_id, change in others.items():
        joined[user_id] = change.joined(joined.get(user_id, change))
    return joined
