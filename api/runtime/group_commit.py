"""Group commit: work that arrives together shares one transaction, and each caller hears only after its commit."""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.errors import Unavailable
from api.store.engine import Database

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

MOST_WEIGHT: Final = 2000  # events in one transaction: well under 200 ms
MOST_WAITING: Final = 2000  # requests; more than that is refused rather than answered too late
# PostgreSQL's codes for "another writer was faster", where trying again is right: a deadlock, and a row that was looked
# up and then removed (SQLite, with one writer at a time, knows neither).
OVERTAKEN: Final = frozenset({"40P01", "23503"})


class GroupCommit(Generic[Item, Outcome]):
    """One writer thread over one database; `work` does the SQL of many items and returns one outcome each."""

    def __init__(
        self,
        database: Database,
        work: Callable[[Session, list[Item]], list[Outcome]],
        *,
        weigh: Callable[[Item], int] = lambda _item: 1,
    ) -> None:
        self._database = database
        self._work = work
        self._weigh = weigh
        self._waiting: queue.Queue[tuple[Item, Future[Outcome]] | None] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the writer thread."""
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Commit what is waiting, then end the writer thread."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def submit(self, item: Item) -> "Future[Outcome]":
        """Hand in an item; the future ends after the commit, or with the error that prevented it."""
        if self._thread is None:
            raise Unavailable("the service is starting or stopping: send the same request again")
        future: Future[Outcome] = Future()
        try:
            self._waiting.put_nowait((item, future))
        except queue.Full:
            raise Unavailable("too many requests wait for the database: send the same request again") from None
        return future

    def _run(self) -> None:
        is_last = False
        while not is_last:
            group, is_last = self._gather()
            if group:
                self._commit_group(group)

    def _gather(self) -> tuple[list[tuple[Item, "Future[Outcome]"]], bool]:
        """Wait for one item, then take all that wait with it; True when this is the last group."""
        group: list[tuple[Item, Future[Outcome]]] = []
        weight = 0
        entry = self._waiting.get()
        while entry is not None:
            if entry[1].set_running_or_notify_cancel():  # from here on a caller that goes away changes nothing
                group.append(entry)
                weight += self._weigh(entry[0])
            if weight >= MOST_WEIGHT:
                return group, False
            try:
                entry = self._waiting.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit_group(self, group: list[tuple[Item, "Future[Outcome]"]]) -> None:
        try:
            outcomes = self._commit([item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - the writer thread is a skin: every caller gets the error
            self._after_failure(group, error)
            return
        for (_, future), outcome in zip(group, outcomes, strict=True):
            future.set_result(outcome)

    def _after_failure(self, group: list[tuple[Item, "Future[Outcome]"]], error: Exception) -> None:
        # A database that is away fails everybody alike; anything else may be the fault of one item alone.
        if len(group) == 1 or _is_outage(error):
            log.warning("commit failed", extra={"requests": len(group), "error": type(error).__name__})
            for _, future in group:
                future.set_exception(error)
            return
        for entry in group:
            self._commit_group([entry])

    def _commit(self, items: list[Item]) -> list[Outcome]:
        try:
            return self._commit_once(items)
        except sa.exc.DBAPIError as error:
            if not _is_overtaken(error):
                raise
        return self._commit_once(items)

    def _commit_once(self, items: list[Item]) -> list[Outcome]:
        with self._database.write() as session:
            return self._work(session, items)


def _is_overtaken(error: sa.exc.DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in OVERTAKEN


def _is_outage(error: Exception) -> bool:
    return isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError)
