"""New papers straight to the driver: several times fewer steps for each row than through the statement compiler."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import Base, Paper, PaperCategory

_LAST_NUMBER: Final = sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'papers'")
_NEXT_NUMBERS: Final = sa.text(
    "SELECT nextval(pg_get_serial_sequence('papers', 'paper_id')) FROM generate_series(1, :count)"
)


def insert_papers(session: Session, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert papers that are not there, given by column, and return their numbers; the caller holds the lock."""
    numbers = _next_numbers(session, len(rows))
    _insert(session, Paper, [{**row, "paper_id": number} for row, number in zip(rows, numbers, strict=True)])
    return numbers


def insert_categories(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert categories of papers that have no such ones."""
    if rows:
        _insert(session, PaperCategory, rows)


def _next_numbers(session: Session, count: int) -> list[int]:
    if session.get_bind().dialect.name == "sqlite":  # nobody else writes: this transaction holds the lock
        last = session.scalar(_LAST_NUMBER) or 0
        return list(range(last + 1, last + 1 + count))
    return list(session.scalars(_NEXT_NUMBERS, {"count": count}))


def _insert(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    connection = session.connection()
    writer = _writer(table, connection.dialect)
    connection.exec_driver_sql(writer.statement, [tuple(writer.values(row)) for row in rows])


class _Writer:
    """The INSERT of a table in a driver's own words, and rows as that driver takes them."""

    def __init__(self, table: sa.Table, dialect: sa.Dialect) -> None:
        names = [column.name for column in table.columns]
        conversions = [_conversion(column, dialect) for column in table.columns]
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        marks = ", ".join([mark] * len(names))
        self.statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - our own names
        self._pick = itemgetter(*names)
        self._conversions = [(at, convert) for at, convert in enumerate(conversions) if convert is not None]

    def values(self, row: Mapping[str, Any]) -> list[Any]:
        """Return the values of a row in the order of the statement; None stays what SQL calls null."""
        values = list(self._pick(row))
        for at, convert in self._conversions:
            if values[at] is not None:
                values[at] = convert(values[at])
        return values


@lru_cache(maxsize=8)
def _writer(table: type[Base], dialect: sa.Dialect) -> _Writer:
    return _Writer(table.metadata.tables[table.__tablename__], dialect)


def _conversion(column: sa.Column[Any], dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    return column.type.dialect_impl(dialect).bind_processor(dialect)
