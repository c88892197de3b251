"""The papers in collections, in their order; those of a library stand in the library itself."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.collections import CollectionFacts
from api.store.tables import LibraryItem, Paper
from api.store.tables_collections import CollectionItem, PaperCollection
from api.store.upsert import insert_into


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """A paper in a collection."""

    paper_id: int
    external_id: str
    title: str
    published_at: datetime | None
    note: str | None


def load_items(
    session: Session, collections: Sequence[CollectionFacts], *, most_each: int | None = None
) -> list[list[ItemFacts]]:
    """Return the papers of each collection, the first few of each or all of them, in two statements at most."""
    listed = _by_owner(session, _listed({one.collection_id for one in collections if not one.is_library}), most_each)
    readers = {one.user_id for one in collections if one.is_library and one.user_id is not None}
    saved = _by_owner(session, _saved(readers), most_each)
    return [
        saved.get(one.user_id or 0, []) if one.is_library else listed.get(one.collection_id, []) for one in collections
    ]


def holds_paper(session: Session, collection: CollectionFacts, paper_id: int) -> bool:
    """True if a paper is in a collection."""
    if collection.is_library:
        query = sa.select(LibraryItem.is_saved).where(
            LibraryItem.user_id == collection.user_id, LibraryItem.paper_id == paper_id
        )
        return bool(session.execute(query).scalar_one_or_none())
    query = sa.select(sa.literal(value=True)).where(*_one(collection.collection_id, paper_id))
    return session.execute(query).scalar_one_or_none() is not None


def count_items(session: Session, collection_id: int) -> int:
    """Return how many papers a collection holds that is not a library."""
    query = sa.select(sa.func.count()).where(CollectionItem.collection_id == collection_id)
    return session.execute(query).scalar_one()


def append_item(session: Session, collection_id: int, paper_id: int, *, note: str | None, now: datetime) -> bool:
    """Put a paper at the end of a collection that is not a library; False when it is there."""
    last = sa.select(sa.func.coalesce(sa.func.max(CollectionItem.position), -1) + 1).where(
        CollectionItem.collection_id == collection_id
    )
    statement = insert_into(session, CollectionItem).values(
        collection_id=collection_id, paper_id=paper_id, position=last.scalar_subquery(), note=note, added_at=now
    )
    rows = session.execute(statement.on_conflict_do_nothing().returning(CollectionItem.paper_id))
    return rows.one_or_none() is not None


def write_note(session: Session, collection_id: int, paper_id: int, *, note: str | None, now: datetime) -> None:
    """Replace the note of a paper; in a library this may be the first that is said about it."""
    statement = insert_into(session, CollectionItem).values(
        collection_id=collection_id, paper_id=paper_id, position=None, note=note, added_at=now
    )
    changed = {"note": statement.excluded.note}
    session.execute(statement.on_conflict_do_update(index_elements=["collection_id", "paper_id"], set_=changed))


def write_item_order(session: Session, collection_id: int, paper_ids: Iterable[int], *, now: datetime) -> None:
    """Let these papers stand in this order at the beginning of a collection."""
    statement = insert_into(session, CollectionItem)
    statement = statement.on_conflict_do_update(
        index_elements=["collection_id", "paper_id"], set_={"position": statement.excluded.position}
    )
    rows = [
        {"collection_id": collection_id, "paper_id": paper_id, "position": place, "note": None, "added_at": now}
        for place, paper_id in enumerate(paper_ids)
    ]
    session.connection().execute(statement, rows)


def delete_item(session: Session, collection_id: int, paper_id: int) -> bool:
    """Forget what a collection says of a paper; False when it says nothing."""
    statement = sa.delete(CollectionItem).where(*_one(collection_id, paper_id)).returning(CollectionItem.paper_id)
    return session.execute(statement).one_or_none() is not None


def _one(collection_id: int, paper_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return CollectionItem.collection_id == collection_id, CollectionItem.paper_id == paper_id


def _listed(collection_ids: set[int]) -> sa.Select[Any] | None:
    if not collection_ids:
        return None
    order = (CollectionItem.position, CollectionItem.paper_id)
    return (
        _papers(CollectionItem.collection_id, CollectionItem.note, order)
        .join(Paper, Paper.paper_id == CollectionItem.paper_id)
        .where(CollectionItem.collection_id.in_(collection_ids), Paper.deleted_at.is_(None))
    )


def _saved(user_ids: set[int]) -> sa.Select[Any] | None:
    """Ask for saved papers: those that were moved first, the others by the time of their save, unknown times before."""
    if not user_ids:
        return None
    order = (
        CollectionItem.position.is_(None),
        CollectionItem.position,
        LibraryItem.saved_at.is_not(None),
        LibraryItem.saved_at,
        LibraryItem.paper_id,
    )
    said = (CollectionItem.collection_id == PaperCollection.collection_id) & (
        CollectionItem.paper_id == LibraryItem.paper_id
    )
    return (
        _papers(LibraryItem.user_id, CollectionItem.note, order)
        .join(Paper, Paper.paper_id == LibraryItem.paper_id)
        .outerjoin(PaperCollection, (PaperCollection.user_id == LibraryItem.user_id) & PaperCollection.is_library)
        .outerjoin(CollectionItem, said)
        .where(LibraryItem.user_id.in_(user_ids), LibraryItem.is_saved, Paper.deleted_at.is_(None))
    )


def _papers(owner: Any, note: Any, order: Sequence[Any]) -> sa.Select[Any]:
    place = sa.func.row_number().over(partition_by=owner, order_by=order)
    columns = (Paper.paper_id, Paper.external_id, Paper.title, Paper.published_at)
    return sa.select(owner.label("owner"), place.label("place"), *columns, note)


def _by_owner(session: Session, query: sa.Select[Any] | None, most_each: int | None) -> dict[int, list[ItemFacts]]:
    found: dict[int, list[ItemFacts]] = defaultdict(list)
    if query is None:
        return found
    part = query.subquery()
    chosen = sa.select(part).order_by(part.c.owner, part.c.place)
    if most_each is not None:
        chosen = chosen.where(part.c.place <= most_each)
    for owner, _place, *facts in session.execute(chosen):
        found[owner].append(ItemFacts(*facts))
    return found
