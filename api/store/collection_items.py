"""The papers in collections, in their order; those of a library stand in the library itself."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.collections import CollectionFacts
from api.store.pairs import OfPairs
from api.store.tables import EPOCH, LibraryItem, Paper, User
from api.store.tables_collections import CollectionItem, PaperCollection
from api.store.upsert import insert_into

_FACTS: Final = OfPairs(
    "SELECT asked.first, asked.second, papers.external_id, papers.title, papers.published_at, collection_items.note"
    " FROM {asked} JOIN papers ON papers.paper_id = asked.second"
    " LEFT JOIN collection_items"
    " ON collection_items.collection_id = asked.first AND collection_items.paper_id = asked.second",
    types=("bigint", "bigint"),
)


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """A paper in a collection."""

    paper_id: int
    external_id: str
    title: str
    published_at: datetime | None
    note: str | None


def load_items(session: Session, collections: Sequence[CollectionFacts]) -> list[list[ItemFacts]]:
    """Return all papers of each collection, in two statements at most."""
    listed = _by_owner(session, _listed({one.collection_id for one in collections if not one.is_library}))
    saved = _by_owner(session, _saved(_readers(collections)))
    return [
        saved.get(one.user_id or 0, []) if one.is_library else listed.get(one.collection_id, []) for one in collections
    ]


def load_first_items(
    session: Session, collections: Sequence[CollectionFacts], *, most_each: int
) -> list[list[ItemFacts]]:
    """Return the first papers of each collection in four statements at most, whatever the collections hold."""
    listed = _heads(session, {one.collection_id for one in collections if not one.is_library}, most_each)
    saved = _library_heads(session, _readers(collections), most_each)
    heads = [
        saved.get(one.user_id or 0, []) if one.is_library else listed.get(one.collection_id, []) for one in collections
    ]
    pairs = [(one.collection_id, paper_id) for one, head in zip(collections, heads, strict=True) for paper_id in head]
    facts = {}
    for owner, paper_id, external_id, title, published, note in _FACTS.rows(session, pairs):
        published_at = None if published is None else EPOCH + timedelta(microseconds=published)
        facts[owner, paper_id] = ItemFacts(paper_id, external_id, title, published_at, note)
    return [
        [facts[one.collection_id, paper_id] for paper_id in head if (one.collection_id, paper_id) in facts]
        for one, head in zip(collections, heads, strict=True)
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
    """Return how many papers anybody sees in a collection that is not a library: none that its source removed."""
    query = (
        sa.select(sa.func.count())
        .select_from(CollectionItem)
        .join(Paper, Paper.paper_id == CollectionItem.paper_id)
        .where(CollectionItem.collection_id == collection_id, Paper.deleted_at.is_(None))
    )
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


def _by_owner(session: Session, query: sa.Select[Any] | None) -> dict[int, list[ItemFacts]]:
    found: dict[int, list[ItemFacts]] = defaultdict(list)
    if query is None:
        return found
    part = query.subquery()
    for owner, _place, *facts in session.execute(sa.select(part).order_by(part.c.owner, part.c.place)):
        found[owner].append(ItemFacts(*facts))
    return found


def _readers(collections: Iterable[CollectionFacts]) -> set[int]:
    return {one.user_id for one in collections if one.is_library and one.user_id is not None}


def _heads(session: Session, collection_ids: set[int], most_each: int) -> dict[int, list[int]]:
    """Return the first papers of collections that are no libraries, by collection."""
    if not collection_ids:
        return {}
    number = PaperCollection.collection_id
    query = sa.select(number, *_slots(_placed().correlate(PaperCollection), most_each))
    return _without_gaps(session, query.where(number.in_(collection_ids)))


def _library_heads(session: Session, user_ids: set[int], most_each: int) -> dict[int, list[int]]:
    """Return the first papers of libraries, by reader: in the order of `_saved`."""
    if not user_ids:
        return {}
    is_saved = sa.exists().where(
        LibraryItem.user_id == PaperCollection.user_id,
        LibraryItem.paper_id == CollectionItem.paper_id,
        LibraryItem.is_saved,
    )
    moved = _placed().where(CollectionItem.position.is_not(None), is_saved.correlate(PaperCollection, CollectionItem))
    query = sa.select(PaperCollection.user_id, *_slots(moved.correlate(PaperCollection), most_each))
    found = _without_gaps(session, query.where(PaperCollection.user_id.in_(user_ids), PaperCollection.is_library))
    # Only these: of who moved many, the others would be far behind.
    short = {user_id for user_id in user_ids if len(found.get(user_id, ())) < most_each}
    if short:
        # Fewer than `most_each` of these were moved already: twice as many are enough to leave those out.
        for user_id, saved in _saved_heads(session, short, 2 * most_each).items():
            first = found.get(user_id, [])
            found[user_id] = [*first, *(one for one in saved if one not in first)][:most_each]
    return found


def _saved_heads(session: Session, user_ids: set[int], most_each: int) -> dict[int, list[int]]:
    """Return papers that were saved first, by reader: the first ones of unknown times, then those of known times."""
    saved = (
        sa.select(LibraryItem.paper_id)
        .join(Paper, Paper.paper_id == LibraryItem.paper_id)
        .where(LibraryItem.user_id == User.user_id, LibraryItem.is_saved, Paper.deleted_at.is_(None))
        .order_by(LibraryItem.saved_at, LibraryItem.paper_id)  # as in its index: one kind of time alone needs no sort
        .correlate(User)
    )
    unknown, known = LibraryItem.saved_at.is_(None), LibraryItem.saved_at.is_not(None)
    slots = [*_slots(saved.where(unknown), most_each), *_slots(saved.where(known), most_each)]
    return _without_gaps(session, sa.select(User.user_id, *slots).where(User.user_id.in_(user_ids)))


def _placed() -> sa.Select[int]:
    return (
        sa.select(CollectionItem.paper_id)
        .join(Paper, Paper.paper_id == CollectionItem.paper_id)
        .where(CollectionItem.collection_id == PaperCollection.collection_id, Paper.deleted_at.is_(None))
        .order_by(CollectionItem.position, CollectionItem.paper_id)
    )


def _slots(ordered: sa.Select[int], most_each: int) -> list[sa.ScalarSelect[int]]:
    """Ask for the first, the second and so on of each owner: a short walk along an index, on either database."""
    return [ordered.limit(1).offset(at).scalar_subquery() for at in range(most_each)]


def _without_gaps(session: Session, query: "sa.Select[*tuple[Any, ...]]") -> dict[int, list[int]]:
    return {owner: [one for one in slots if one is not None] for owner, *slots in session.execute(query)}
