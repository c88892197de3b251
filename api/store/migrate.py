"""Bringing a database to the tables of this version, safely from several processes at once."""

import logging
import time
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from api.errors import Unavailable
from api.store.engine import Database

log = logging.getLogger(__name__)

MIGRATIONS: Final = Path(__file__).parent.parent / "migrations"
HEAD: Final = "0016"  # newest revision; named here so that a process that only asks need not load alembic
UPGRADE_LOCK: Final = 5_071_944_318  # any number that nobody else locks in the same PostgreSQL database
UPGRADE_LOOK_SECONDS: Final = 0.2  # between looks whether another process has upgraded
LOCK_SECONDS: Final = 2.0  # a revision waits this long for a table: whoever comes after it waits as long
LOCK_TRIES: Final = 60
LOCK_PAUSE_SECONDS: Final = 3.0  # before a table is asked for again

_LOCK_STATES: Final = frozenset({"55P03", "40P01"})  # of PostgreSQL: a lock was not to be had, a deadlock
_VERSION: Final = sa.table("alembic_version", sa.column("version_num", sa.String))  # kept by alembic


def upgrade(db: Database) -> bool:
    """Run all missing revisions, on SQLite in one transaction, else each in its own; True when there were any.

    A second process that upgrades at the same time waits for the first and then finds nothing to do.
    """
    if is_current(db):
        return False
    before = _upgrade_at_once(db) if db.is_sqlite else _upgrade_in_steps(db)
    if before == HEAD:
        return False
    log.info("database upgraded", extra={"from": before, "to": HEAD})
    return True


def _upgrade_at_once(db: Database) -> str | None:
    """Return the revision before; SQLite's write transaction is the lock."""
    with db.write() as session:
        connection = session.connection()
        before = current_revision(connection)
        run_revisions(connection, to=HEAD)
    return before


def _upgrade_in_steps(db: Database) -> str | None:
    """Return the revision before; between two revisions others get at their tables."""
    with db.engine.connect() as connection:
        try:
            # Asking again, not waiting: an index cannot be built beside a statement that waits for its builder.
            while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(UPGRADE_LOCK))):
                connection.rollback()
                time.sleep(UPGRADE_LOOK_SECONDS)
            before = current_revision(connection)
            connection.rollback()
            _run_patiently(connection)
        finally:
            connection.invalidate()  # its end is the end of the lock and of the limit
    return before


def _run_patiently(connection: sa.Connection) -> None:
    """Run the missing revisions, again from the first that is missing when a table was not to be had."""
    for tried in range(1, LOCK_TRIES + 1):
        limit_lock_waits(connection)
        connection.commit()
        try:
            run_revisions(connection, to=HEAD)
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in _LOCK_STATES or tried == LOCK_TRIES:
                raise
        else:
            return
        connection.rollback()
        log.info("upgrade waits for a table", extra={"tried": tried})
        time.sleep(LOCK_PAUSE_SECONDS)


def limit_lock_waits(connection: sa.Connection, *, seconds: float | None = None) -> None:
    """Let this connection to PostgreSQL wait so long for a lock, the usual time unless told; 0 is without end."""
    wait = LOCK_SECONDS if seconds is None else seconds
    connection.execute(sa.select(sa.func.set_config("lock_timeout", f"{wait * 1000:.0f}ms", False)))


def run_revisions(connection: sa.Connection, *, to: str) -> None:
    """Run the missing revisions up to this one, in the caller's transaction where the connection is in one."""
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    # Alembic reads options through configparser, where a percent sign starts a reference.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, to)
    except CommandError as error:  # the only way to get here: the database names a revision nobody here knows
        raise Unavailable("the tables are of a newer version: install that version of paperfeed") from error


def is_current(db: Database) -> bool:
    """True when the database has exactly the tables of this version."""
    with db.engine.connect() as connection:
        return current_revision(connection) == HEAD


def current_revision(connection: sa.Connection) -> str | None:
    """Return the revision that the database is at, None for an empty one."""
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    return connection.scalar(sa.select(_VERSION.c.version_num))
