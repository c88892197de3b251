"""Indexes on large tables: PostgreSQL builds them while others read and write."""

from dataclasses import dataclass

import sqlalchemy as sa
from alembic import op

from api.store.migrate import limit_lock_waits


@dataclass(frozen=True, slots=True)
class PartialIndex:
    """An index of the rows that meet a condition."""

    name: str
    table: str
    columns: tuple[str, ...]
    where: str


def is_postgresql() -> bool:
    """True when the revision runs on PostgreSQL."""
    return op.get_context().dialect.name == "postgresql"


def build_indexes(*indexes: PartialIndex) -> None:
    """Build these indexes, half-built ones of a broken-off upgrade anew; PostgreSQL commits what was done before.

    There it waits for the open transactions of others for as long as they last, and nobody waits for it.
    """
    if not is_postgresql():
        for index in indexes:
            _create(index)
        return
    with op.get_context().autocommit_block():
        limit_lock_waits(op.get_bind(), seconds=0)
        for index in indexes:
            if _is_whole(index.name):
                continue
            op.drop_index(index.name, table_name=index.table, if_exists=True, postgresql_concurrently=True)
            _create(index)
        limit_lock_waits(op.get_bind())


def _is_whole(name: str) -> bool:
    """True when an earlier upgrade has built this index to its end."""
    query = sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    return bool(op.get_bind().scalar(query, {"name": name}))


def _create(index: PartialIndex) -> None:
    where = sa.text(index.where)
    op.create_index(
        index.name,
        index.table,
        list(index.columns),
        sqlite_where=where,
        postgresql_where=where,
        postgresql_concurrently=True,
    )
