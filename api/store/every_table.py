"""All tables at once, for what must not overlook one: whose rows refer to a reader or a paper, by which column."""

from collections.abc import Iterator

import sqlalchemy as sa

from api.store import (
    tables_accounts,  # noqa: F401 - its tables belong to the same metadata, as do those of the others
    tables_collections,  # noqa: F401
    tables_comments,  # noqa: F401
    tables_feed_addresses,  # noqa: F401
    tables_letters,  # noqa: F401
    tables_mails,  # noqa: F401
    tables_shelf,  # noqa: F401
    tables_sources,  # noqa: F401
    tables_tastes,  # noqa: F401
)
from api.store.tables import Base, Paper, User


def every_table() -> list[sa.Table]:
    """Return all tables, each after those that it refers to."""
    return list(Base.metadata.sorted_tables)


def reader_columns(table: sa.Table) -> Iterator[sa.Column[int]]:
    """Yield the columns of a table that refer to a reader's row."""
    for column in table.columns:
        if any(key.column is User.__table__.c.user_id for key in column.foreign_keys):
            yield column


def paper_columns(table: sa.Table) -> Iterator[sa.Column[int]]:
    """Yield the columns of a table that refer to a paper's row."""
    for column in table.columns:
        if any(key.column is Paper.__table__.c.paper_id for key in column.foreign_keys):
            yield column
