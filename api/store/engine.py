"""The database: one engine a process, short read sessions and write transactions that begin as writers."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

SQLITE_BUSY_MS: Final = 10_000  # writers of other processes hold the lock for under 200 ms each
WAL_LOOK_SECONDS: Final = 0.01
LAST_WAIT_SECONDS: Final = 1.0  # looks at what has changed take milliseconds
LAST_LOOK_SECONDS: Final = 0.005
_WRITES = "paperfeed_writes"
# FULL syncs the log at every commit: what was acknowledged survives the loss of the machine.
_SQLITE_PRAGMAS: Final[tuple[str, ...]] = (
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={SQLITE_BUSY_MS}",
    "cache_size=-16384",
    "temp_store=MEMORY",
)


class Database:
    """Sessions on one database; `read` never locks, `write` commits when its block ends."""

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.url = url
        self.engine = _create_engine(url, pool_size=pool_size)
        self._pragmas = _SQLITE_PRAGMAS
        if self.is_sqlite:
            event.listen(self.engine, "connect", self._prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @property
    def is_sqlite(self) -> bool:
        """True on SQLite, where one writer at a time is allowed."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session for reading; it is rolled back at the end."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a write transaction (BEGIN IMMEDIATE on SQLite), committed when the block ends without an error."""
        writer = self.engine.execution_options(**{_WRITES: True})
        with Session(writer, expire_on_commit=False) as session, session.begin():
            yield session

    def dispose(self) -> None:
        """Close all pooled connections, as a forked child must before its first query."""
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Close all connections at the end; those that other threads still use get a moment to come back."""
        pool, until = self.engine.pool, time.monotonic() + LAST_WAIT_SECONDS
        while isinstance(pool, sa.QueuePool) and pool.checkedout() and time.monotonic() < until:
            time.sleep(LAST_LOOK_SECONDS)
        self.engine.dispose()

    def set_pragmas(self, *pragmas: str) -> None:
        """Run these SQLite pragmas, too, on every connection from now on; safe while other threads connect."""
        # Listeners are never added to an engine in use: another thread may be walking through them.
        self._pragmas = (*_SQLITE_PRAGMAS, *pragmas)
        self.engine.dispose()

    def ping(self) -> float:
        """Return the seconds one trivial query takes."""
        started = time.perf_counter()
        with self.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
        return time.perf_counter() - started

    def _prepare_sqlite(self, connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        raw: Any = connection
        raw.isolation_level = None  # the driver must not open transactions of its own: `_begin_sqlite` does
        cursor = raw.cursor()
        _use_wal(cursor)
        for pragma in self._pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def _create_engine(url: str, *, pool_size: int) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=5,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 5},
            json_serializer=_to_json,
            json_deserializer=orjson.loads,
            hide_parameters=True,
        )
    return sa.create_engine(
        parsed,
        connect_args={"timeout": SQLITE_BUSY_MS / 1000, "check_same_thread": False},
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        hide_parameters=True,  # an error names the statement that failed, never whose address was in it
    )


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()


def _use_wal(cursor: sqlite3.Cursor) -> None:
    """Let readers and a writer work side by side; SQLite itself does not wait for another who is about to write."""
    until = time.monotonic() + SQLITE_BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(WAL_LOOK_SECONDS)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
