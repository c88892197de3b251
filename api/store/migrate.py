"""Bringing a database to the tables of this version, safely from several processes at once."""

import logging
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from api.errors import Unavailable
from api.store.engine import Database

log = logging.getLogger(__name__)

MIGRATIONS: Final = Path(__file__).parent.parent / "migrations"
HEAD: Final = "0008"  # newest revision; named here so that a process that only asks need not load alembic
UPGRADE_LOCK: Final = 5_071_944_318  # any number that nobody else locks in the same PostgreSQL database

_VERSION: Final = sa.table("alembic_version", sa.column("version_num", sa.String))  # kept by alembic


def upgrade(db: Database) -> bool:
    """Run all missing revisions in one transaction; True when there were any.

    A second process that upgrades at the same time waits for the first and then finds nothing to do.
    """
    if is_current(db):
        return False
    with db.write() as session:
        connection = session.connection()
        if not db.is_sqlite:  # SQLite's write transaction is the lock already
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(UPGRADE_LOCK)))
        before = current_revision(connection)
        run_revisions(connection, to=HEAD)
        changed = current_revision(connection) != before
    if changed:
        log.info("database upgraded", extra={"from": before, "to": HEAD})
    return changed


def run_revisions(connection: sa.Connection, *, to: str) -> None:
    """Run the missing revisions up to this one in the caller's transaction."""
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
