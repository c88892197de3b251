"""Writing much at once beside a running service: many commits, one wait for the disk."""

import contextlib
from typing import Final

from api.store.engine import Database

# A synced commit for each chunk would take most of the time. Moving the log into the database is left out of commits,
# too: `checkpoint` does it between them, when the lock that other writers wait for is free.
_SQLITE_BULK: Final = ("synchronous=NORMAL", "wal_autocheckpoint=0")


def begin_bulk(database: Database) -> None:
    """Let this process write many chunks without waiting for the disk each time; commits stay atomic."""
    if database.is_sqlite:
        database.set_pragmas(*_SQLITE_BULK)


def checkpoint(database: Database) -> None:
    """Wait until all that was committed is on the disk; other writers go on meanwhile."""
    if database.is_sqlite:
        # Outside of a transaction: a checkpoint begins with syncing the whole log.
        with contextlib.closing(database.engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
