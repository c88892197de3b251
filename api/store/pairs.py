"""Statements about many pairs at once, written for the driver: each is one round trip and looks pairs up by index."""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy.orm import Session

# Compared with a list of tuples, SQLite reads the whole table. CROSS JOIN has it begin with what was asked.
_SQLITE: Final = (
    "(SELECT json_extract(value, '$[0]') AS first, json_extract(value, '$[1]') AS second FROM json_each(:pairs))"
    " AS asked CROSS"
)
_POSTGRESQL: Final = "unnest(%(first)s::{}[], %(second)s::{}[]) AS asked (first, second)"


class OfPairs:
    """A query that joins `{asked}`, which has the columns `first` and `second`; `{name}` stands for a parameter."""

    __slots__ = ("_query", "_types")

    def __init__(self, query: str, *, types: tuple[str, str]) -> None:
        """`types` are those of the pairs in PostgreSQL."""
        self._query = query
        self._types = types

    def rows(self, session: Session, pairs: Sequence[tuple[object, object]], **parameters: object) -> Sequence[Any]:
        """Return what the query finds about these pairs."""
        if not pairs:
            return ()
        connection = session.connection()
        if connection.dialect.name == "sqlite":
            query = self._query.format(asked=_SQLITE, **{name: f":{name}" for name in parameters})
            return connection.exec_driver_sql(query, {"pairs": orjson.dumps(pairs).decode(), **parameters}).all()
        first, second = map(list, zip(*pairs, strict=True))
        query = self._query.format(asked=_POSTGRESQL.format(*self._types), **{n: f"%({n})s" for n in parameters})
        return connection.exec_driver_sql(query, {"first": first, "second": second, **parameters}).all()
