"""Everything that is kept about a reader, as one JSON document written page by page."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy.orm import Session

from api.store import own_rows
from api.store.own_rows import PAGE, OwnTable
from recommender.domain import EventKind

FORMAT: Final = "paperfeed export 1"

OpenSession = Callable[[], AbstractContextManager[Session]]


def export_reader(open_session: OpenSession, user_id: int | None, *, now: datetime) -> Iterator[bytes]:
    """Yield parts of a JSON object: a list of rows under the name of each table that has any, and nothing secret.

    No session is open while a part is on its way, however slow the way; rows that change meanwhile come as they are
    then.
    """
    yield b'{"format":' + orjson.dumps(FORMAT) + b',"made_at":' + orjson.dumps(now) + b',"tables":{'
    is_first = True
    for own, keys in _find_rows(open_session, user_id):
        yield (b"" if is_first else b",") + orjson.dumps(own.table.name) + b":["
        is_first = False
        for start in range(0, len(keys), PAGE):
            with open_session() as session:
                rows = own_rows.load_own_rows(session, own, keys[start : start + PAGE])
            part = b",\n".join(orjson.dumps(_shown(own.table.name, row), default=_to_text) for row in rows)
            yield (b",\n" if start and rows else b"") + part
        yield b"]"
    yield b"}}\n"


def _find_rows(open_session: OpenSession, user_id: int | None) -> Iterator[tuple[OwnTable, list[tuple[Any, ...]]]]:
    with open_session() as session:
        owner = None if user_id is None else own_rows.find_owner(session, user_id)
    if owner is None:
        return
    for own in own_rows.own_tables(owner):
        with open_session() as session:
            keys = own_rows.own_keys(session, own)
        if keys:
            yield own, keys


def _shown(table: str, row: dict[str, Any]) -> dict[str, Any]:
    return row | {"kind": EventKind(row["kind"]).name.lower()} if table == "events" else row


def _to_text(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise TypeError(type(value).__name__)
