"""Group commit: work that arrives together shares one transaction, and each caller hears only after its commit."""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

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
# up and then removed. SQLite, with one writer at a time, knows the second alone: from what a process remembers.
OVERTAKEN: Final = frozenset({"40P01", "23503"})
# The last is how PostgreSQL answers a write while it is for reading only.
OUTAGES: Final = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError, sa.exc.InternalError)


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Item, Outcome]):
    """An item, and the caller that waits for its outcome in its own loop."""

    item: Item
    future: "asyncio.Future[Outcome]"
    loop: asyncio.AbstractEventLoop


Ending: TypeAlias = tuple["asyncio.Future[Outcome]", Outcome | Exception]


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
        self._follow: Callable[[Sequence[Outcome]], None] | None = None
        self._waiting: queue.Queue[_Entry[Item, Outcome] | None] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None

    def start(self, follow: Callable[[Sequence[Outcome]], None] | None = None) -> None:
        """Start the writer thread; it calls `follow` with all outcomes of a transaction before anybody is answered."""
        self._follow = follow
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Commit what is waiting, then end the writer thread."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def submit(self, item: Item) -> "asyncio.Future[Outcome]":
        """Hand in an item; the future ends after the commit, or with the error that prevented it."""
        if self._thread is None:
            raise Unavailable("the service is starting or stopping: send the same request again")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        try:
            self._waiting.put_nowait(_Entry(item, future, loop))
        except queue.Full:
            raise Unavailable("too many requests wait for the database: send the same request again") from None
        return future

    def _run(self) -> None:
        is_last = False
        while not is_last:
            group, is_last = self._gather()
            if group:
                self._commit_group(group)

    def _gather(self) -> tuple[list[_Entry[Item, Outcome]], bool]:
        """Wait for one item, then take all that wait with it; True when this is the last group."""
        group: list[_Entry[Item, Outcome]] = []
        weight = 0
        entry = self._waiting.get()
        while entry is not None:
            if not entry.future.cancelled():  # from here on a caller that goes away changes nothing
                group.append(entry)
                weight += self._weigh(entry.item)
            if weight >= MOST_WEIGHT:
                return group, False
            try:
                entry = self._waiting.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit_group(self, group: list[_Entry[Item, Outcome]]) -> None:
        try:
            outcomes = self._commit([entry.item for entry in group])
        except Exception as error:  # noqa: BLE001 - the writer thread is a skin: every caller gets the error
            self._after_failure(group, error)
            return
        if self._follow is not None:
            try:
                self._follow(outcomes)
            except Exception:
                log.exception("nothing followed a commit", extra={"requests": len(group)})
        _end(group, outcomes)

    def _after_failure(self, group: list[_Entry[Item, Outcome]], error: Exception) -> None:
        # A database that is away fails everybody alike; anything else may be the fault of one item alone.
        if len(group) == 1 or _is_outage(error):
            log.warning("commit failed", extra={"requests": len(group), "error": type(error).__name__})
            _end(group, [error] * len(group))
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


def _end(group: Sequence[_Entry[Item, Outcome]], endings: Sequence[Outcome | Exception]) -> None:
    """Answer the callers of a group: one wake-up for each loop, which is one for all but in tests."""
    of_loop: dict[asyncio.AbstractEventLoop, list[Ending[Outcome]]] = {}
    for entry, ending in zip(group, endings, strict=True):
        of_loop.setdefault(entry.loop, []).append((entry.future, ending))
    for loop, ended in of_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, ended)
        except RuntimeError:  # the loop has ended, and with it everybody who waited in it
            log.info("nobody waits any more", extra={"requests": len(ended)})


def _settle(ended: Sequence[Ending[Outcome]]) -> None:
    for future, ending in ended:
        if future.done():  # the caller went away
            continue
        if isinstance(ending, Exception):
            future.set_exception(ending)
        else:
            future.set_result(ending)


def _is_overtaken(error: sa.exc.DBAPIError) -> bool:
    if getattr(error.orig, "sqlite_errorname", None) == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return True
    return getattr(error.orig, "sqlstate", None) in OVERTAKEN


def _is_outage(error: Exception) -> bool:
    return isinstance(error, OUTAGES)
