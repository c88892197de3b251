"""What an anonymous reader owned beside their history, given to the account it became part of."""

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.every_table import every_table, reader_columns
from api.store.tables import User
from api.store.tables_collections import CollectionItem, PaperCollection
from api.store.tables_tastes import ReaderTaste

# Moved by rules of their own (`merges`, and below), or never an anonymous reader's.
_APART: Final = frozenset({"events", "library", "merges", "collections", "accounts", "tokens", "reader_tastes"})
MOST_SAID: Final = 200  # of each kind of interest or muted thing, once two readers are one


def move_rest(session: Session, *, user_id: int, into_user_id: int) -> bool:
    """Give a reader's rows of all other tables to an account; True when one that lists must follow was among them.

    Where the account has a row of its own in the same place, its word counts and the other row stays where it is.
    """
    for table in every_table():
        if table.name in _APART:
            continue
        for column in reader_columns(table):
            _move_rows(session, column, user_id=user_id, into_user_id=into_user_id)
    _move_collections(session, user_id=user_id, into_user_id=into_user_id)
    is_muting = _move_muted(session, user_id=user_id, into_user_id=into_user_id)
    return _move_interests(session, user_id=user_id, into_user_id=into_user_id) or is_muting


def _move_rows(session: Session, column: sa.Column[int], *, user_id: int, into_user_id: int) -> None:
    table = column.table
    taken = table.alias("taken")
    move = sa.update(table).where(column == user_id).values({column: into_user_id})
    for others in _keys_with(column):
        same = [taken.c[name] == table.c[name] for name in others]
        there = sa.exists().select_from(taken).where(taken.c[column.name] == into_user_id, *same)
        move = move.where(~there)
    session.connection().execute(move)


def _keys_with(column: sa.Column[int]) -> Iterator[list[str]]:
    """Yield the other columns of every key that this column is part of."""
    table = column.table
    if not isinstance(table, sa.Table):
        return
    keys = [list(table.primary_key.columns)]
    keys += [list(key.columns) for key in table.constraints if isinstance(key, sa.UniqueConstraint)]
    keys += [list(index.columns) for index in table.indexes if index.unique]
    for key in keys:
        names = [part.name for part in key]
        if column.name in names:
            yield [name for name in names if name != column.name]


def _move_collections(session: Session, *, user_id: int, into_user_id: int) -> None:
    """Give collections away; papers of one that the account has under the same title, or as library, go into that."""
    both = sa.select(PaperCollection).where(PaperCollection.user_id.in_((user_id, into_user_id)))
    rows = session.scalars(both).all()
    theirs = [row for row in rows if row.user_id == into_user_id]
    last = max((row.position for row in theirs), default=-1)
    for row in sorted((row for row in rows if row.user_id == user_id), key=lambda row: row.position):
        same = [one for one in theirs if one.title_key == row.title_key or (one.is_library and row.is_library)]
        if same:
            _move_items(session, row.collection_id, same[0].collection_id)
        else:
            last += 1
            row.user_id, row.position = into_user_id, last
    session.flush()


def _move_items(session: Session, collection_id: int, into_collection_id: int) -> None:
    there = sa.select(CollectionItem.paper_id).where(CollectionItem.collection_id == into_collection_id)
    move = sa.update(CollectionItem).where(
        CollectionItem.collection_id == collection_id, CollectionItem.paper_id.not_in(there)
    )
    session.connection().execute(move.values(collection_id=into_collection_id, position=None))


def _move_muted(session: Session, *, user_id: int, into_user_id: int) -> bool:
    """What either muted is muted; all else that the account decided about its lists stays as it is."""
    source = session.get(ReaderTaste, user_id)
    account = session.get(ReaderTaste, into_user_id)
    if source is None:
        return False
    if account is None:
        source.user_id = into_user_id
    else:
        account.muted = _joined(account.muted, source.muted)
    session.flush()
    return True


def _move_interests(session: Session, *, user_id: int, into_user_id: int) -> bool:
    source, account = session.get(User, user_id), session.get(User, into_user_id)
    if source is None or account is None or not source.interests:
        return False
    account.interests = _joined(account.interests or {}, source.interests)
    source.interests = None
    session.flush()
    return True


def _joined(own: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return both, the account's own first."""
    names = dict.fromkeys((*own, *more))
    return {name: list(dict.fromkeys([*own.get(name, ()), *more.get(name, ())]))[:MOST_SAID] for name in names}
