"""Appending to the log at speed: one statement for the events of many requests, and what is stored under their ids."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy.orm import Session

from api.store.pairs import OfPairs
from api.store.tables import EPOCH, ONE_MICROSECOND
from recommender.domain import EventKind

EventKey: TypeAlias = tuple[int, str]  # user_id, event_id
WORDS: Final = (EventKind.CLICK, EventKind.READ, EventKind.DISMISS, EventKind.UNDISMISS)


# A row of the log in the order of FIELDS; a plain tuple, because thousands are made each second.
EventRow: TypeAlias = tuple[
    int,
    str,
    int,
    int,
    int,
    int,
    int,
    int | None,
    int | None,
    float | None,
    str | None,
    int | None,
    int | None,
    float | None,
    str | None,
    str | None,
    str,
]
FIELDS: Final = (  # times are microseconds since 1970
    *("user_id", "event_id", "kind", "paper_id", "occurred_at", "received_at", "raw_occurred_at", "raw_sent_at"),
    *("position", "value", "slate_id", "slate_position", "slate_source", "propensity", "slate_version"),
    *("slate_variant", "payload_hash"),
)


class Stored(NamedTuple):
    """What the log holds under an event's id."""

    event_pk: int
    payload_hash: str


_COLUMNS: Final = ", ".join(FIELDS)
_ROW: Final = f"({', '.join('?' * len(FIELDS))}, 0)"
ROWS_PER_STATEMENT: Final = 64  # the driver gives way to other threads at each statement, not at each row
_TYPES: Final = (
    *("bigint", "varchar", "smallint", "bigint", "bigint", "bigint", "bigint", "bigint", "integer", "float8"),
    *("varchar", "integer", "smallint", "float8", "varchar", "varchar", "varchar"),
)
_POSTGRESQL: Final = (
    f"INSERT INTO events ({_COLUMNS}, is_import)"  # noqa: S608 - our own names
    f" SELECT {_COLUMNS}, FALSE FROM unnest({', '.join(f'%s::{name}[]' for name in _TYPES)})"
    f" WITH ORDINALITY AS new ({_COLUMNS}, place) ORDER BY place"
    " ON CONFLICT (user_id, event_id) DO NOTHING RETURNING event_pk"
)


def append_events(session: Session, rows: Sequence[EventRow]) -> Sequence[int]:
    """Append the rows whose (user_id, event_id) is new; return the event_pk of each of those, in their order."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        count, last = 0, 0
        for start in range(0, len(rows), ROWS_PER_STATEMENT):
            part = rows[start : start + ROWS_PER_STATEMENT]
            done = connection.exec_driver_sql(_to_sqlite(len(part)), tuple(chain.from_iterable(part)))
            count, last = count + done.rowcount, done.lastrowid
        if count < len(rows):  # a row that was there uses up a number, too: the new ones have the highest, with gaps
            stored = find_stored(session, {row[:2] for row in rows})
            return sorted(known.event_pk for known in stored.values())[len(stored) - count :]
        # Within a write transaction nobody else numbers rows, so those of one group follow each other.
        return range(last - count + 1, last + 1)
    columns = tuple(map(list, zip(*rows, strict=True)))
    return connection.exec_driver_sql(_POSTGRESQL, columns).scalars().all()


@lru_cache(ROWS_PER_STATEMENT)
def _to_sqlite(count: int) -> str:
    return (
        f"INSERT INTO events ({_COLUMNS}, is_import) VALUES {', '.join([_ROW] * count)}"  # noqa: S608 - our own names
        " ON CONFLICT (user_id, event_id) DO NOTHING"
    )


_FIND_STORED: Final = OfPairs(
    "SELECT events.user_id, events.event_id, events.event_pk, events.payload_hash FROM {asked}"
    " JOIN events ON events.user_id = asked.first AND events.event_id = asked.second",
    types=("bigint", "varchar"),
)
# The order is that of `brought_back_since`: by their own time, ties as they came.
_LATEST_WORDS: Final = OfPairs(
    "SELECT events.user_id, events.paper_id, events.kind FROM {asked}"  # noqa: S608 - our own names
    " JOIN events ON events.user_id = asked.first AND events.paper_id = asked.second"
    f" WHERE events.kind IN ({', '.join(str(int(kind)) for kind in WORDS)}) AND events.occurred_at >= {{since}}"
    " ORDER BY events.occurred_at, events.event_pk",
    types=("bigint", "bigint"),
)


def find_stored(session: Session, keys: Collection[EventKey]) -> dict[EventKey, Stored]:
    """Return what is stored under those of these (user_id, event_id) that exist."""
    rows = _FIND_STORED.rows(session, sorted(keys))
    return {(user_id, event_id): Stored(key, payload) for user_id, event_id, key, payload in rows}


def brought_back_since(
    session: Session, pairs: Collection[tuple[int, int]], *, since: datetime
) -> set[tuple[int, int]]:
    """Return those of these (user_id, paper_id) whose latest word since a time, by its own time, is an undismiss."""
    rows = _LATEST_WORDS.rows(session, sorted(pairs), since=(since - EPOCH) // ONE_MICROSECOND)
    latest = {(user_id, paper_id): kind for user_id, paper_id, kind in rows}
    return {pair for pair in latest if latest[pair] == EventKind.UNDISMISS}
