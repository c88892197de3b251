"""A row in every table that says something of a reader, made from the tables themselves: no new one is forgotten."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.every_table import every_table, reader_columns
from api.store.tables import Paper, User
from api.store.tables_base import UtcTime
from tests.api.hub_world import daily_row

START: Final = datetime(2026, 5, 1, tzinfo=UTC)
PAPER_ID: Final = 77
# Tables that name readers otherwise than by a reference to their row, and the columns that do.
NAMED: Final = {"dead_letters": ("user_id", "external_user"), "sign_in_links": ("mail",)}
OF_ACCOUNTS: Final = frozenset({"accounts", "identities", "sessions"})  # which nobody anonymous has
# Columns whose names sound like somebody, though nobody of this service is in them: papers' own people, processes, the
# kind of person that audited something was done by, ranges of numbers.
NOBODYS: Final = frozenset(
    {
        ("audit_log", "by"),
        ("papers", "submitted_by"),  # at the source; submissions of readers are in `submissions`
        ("papers", "authors"),
        ("papers", "num_authors"),
        ("erasures", "user_id"),
        ("erasures", "name_hash"),
        ("warm_chunks", "first_user_id"),
        ("warm_chunks", "last_user_id"),
        ("sources", "name"),
        ("sources", "lease_owner"),
        ("training_runs", "lease_owner"),
    }
)


def reader_tables() -> list[sa.Table]:
    """Return every table with rows of readers, those of `NAMED` and what hangs on others included."""
    found: list[sa.Table] = []
    for table in every_table():
        hangs_on_one = any(key.column.table in found for key in table.foreign_keys)
        if table is User.__table__ or table.name in NAMED or hangs_on_one or list(reader_columns(table)):
            found.append(table)
    return found


def fill_tables(session: Session, *, name: str, number: int, mail: str, merged_into: int | None = None) -> None:
    """Store one row of a reader in each table; every text in it holds the name, and counters begin at the number."""
    numbers = itertools.count(number)
    made: dict[sa.Table, dict[str, Any]] = {}
    for table in reader_tables():
        if table.name == "merges":
            if merged_into is not None:
                row = {"user_id": number, "into_user_id": merged_into, "merged_at": START, "events": 1}
                session.connection().execute(table.insert(), row)
            continue
        if merged_into is not None and table.name in OF_ACCOUNTS:
            continue
        row = {column.name: _value(column, made, numbers, name=name, mail=mail) for column in table.columns}
        if table is User.__table__:
            row |= {"user_id": number, "external_id": name}
        row |= _names(table.name, number=number, name=name)
        session.connection().execute(table.insert(), row)
        made[table] = row


def add_paper(session: Session) -> None:
    """Store the paper that all rows are about."""
    session.connection().execute(sa.insert(Paper), [daily_row(PAPER_ID, START)])


def dump(session: Session) -> dict[str, list[str]]:
    """Return every row of every table as text."""
    return {table.name: sorted(str(list(row)) for row in session.execute(sa.select(table))) for table in every_table()}


def _names(table: str, *, number: int, name: str) -> dict[str, Any]:
    if table == "dead_letters":
        return {"user_id": number, "external_user": name}
    return {"kind": 1} if table == "events" else {}


def _value(
    column: sa.Column[Any], made: dict[sa.Table, dict[str, Any]], numbers: Iterator[int], *, name: str, mail: str
) -> Any:
    for key in column.foreign_keys:
        if key.column.table is column.table:
            return None
        if key.column.table in made:
            return made[key.column.table][key.column.name]
        return PAPER_ID if key.column.table.name == "papers" else None
    if column.name in {"mail", "recipient"}:
        return mail
    return _filler(column.type, next(numbers), words=column.name, name=name)


def _filler(kind: sa.types.TypeEngine[Any], number: int, *, words: str, name: str) -> Any:
    """Return a value of a column's type that names its reader, where it can."""
    if isinstance(kind, sa.String):
        text = f"{words} {number} {name}"
        return text if kind.length is None or kind.length >= len(text) else f"{number} {name}"[: kind.length]
    fillers: dict[type[Any], Any] = {
        UtcTime: START + timedelta(seconds=number % 1000),
        sa.JSON: {"said": name},
        sa.Boolean: True,
        sa.LargeBinary: f"{number} {name}".encode(),
        sa.SmallInteger: number % 100,
    }
    return next((value for one, value in fillers.items() if isinstance(kind, one)), number)
