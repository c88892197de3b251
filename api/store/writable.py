"""Whether the database takes writes now."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from api.store.engine import Database

_READ_ONLY: Final = ("readonly", "read-only")  # as SQLite says it


def is_writable(database: Database) -> bool:
    """Return False where the database says that it is for reading only; raises SQLAlchemyError when it is away."""
    if not database.is_sqlite:
        with database.read() as session:
            answer: str = session.execute(sa.text("SELECT current_setting('transaction_read_only')")).scalar_one()
        return answer == "off"
    try:
        with database.write() as session:
            session.connection()
    except OperationalError as error:  # others mean that somebody else writes just now
        return not any(words in str(error.orig) for words in _READ_ONLY)
    return True
