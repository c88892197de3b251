"""Look-ups that the event loop makes itself: on SQLite they take microseconds, a thread's turn twenty times as long."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from api.store.engine import Database

SLICE: Final = 500  # instructions of SQLite between two looks at what is left
MOST_SLICES: Final = 20  # of one look-up, together less than a millisecond: what takes more is a thread's work


class NoGlanceError(Exception):
    """This cannot be had at once: a thread looks it up, and says what is wrong if something is."""


class Glance:
    """Reads what is committed, for the event loop alone: never waits for a lock and gives up on long work."""

    def __init__(self, db: Database) -> None:
        self._path = db.engine.url.database if db.is_sqlite else None
        self._connection: sqlite3.Connection | None = None
        self._slices = 0

    def rows(self, statement: str, values: Mapping[str, str | int]) -> list[Any]:
        """Return the rows of a statement with `:names`; raises NoGlanceError, always so on another kind of database."""
        if self._path is None:
            raise NoGlanceError
        self._slices = 0
        try:
            if self._connection is None:
                self._connection = self._connect(self._path)
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_INTERRUPT:
                self.close()  # the next one begins with another connection
            raise NoGlanceError from error

    def close(self) -> None:
        """Close the connection; the next look-up opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self, path: str) -> sqlite3.Connection:
        address = f"{Path(path).absolute().as_uri()}?mode=rw"  # never makes a file; readers write the log's index, too
        connection = sqlite3.connect(address, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA query_only=ON")
        connection.set_progress_handler(self._is_long, SLICE)
        return connection

    def _is_long(self) -> bool:
        self._slices += 1
        return self._slices > MOST_SLICES
