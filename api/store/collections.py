"""Collections of papers: whose they are, how they are called, and in which order they stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import EPOCH, ONE_MICROSECOND, LibraryItem, User
from api.store.tables_collections import IS_PUBLIC, CollectionItem, PaperCollection

Order: TypeAlias = Literal["position", "modified"]
Place: TypeAlias = tuple[
    int, int
]  # what a list is ordered by (a position or microseconds), and the collection's number

NO_ROW: Final = 0  # number of a library about which nothing was said yet


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """A collection without its papers."""

    collection_id: int  # NO_ROW: a library as everybody's is
    user_id: int | None  # None: a reader nobody has heard of yet
    external_user: str
    public_id: str
    title: str
    description: str | None
    is_library: bool
    is_private: bool
    theme: str
    position: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which collections a list shows, and from which place on."""

    viewer_id: int | None
    owners: tuple[str, ...]  # readers; empty: all
    paper_ids: tuple[int, ...] | None  # collections that hold any of them; None: whatever they hold
    words: str  # in the title or description
    order: Order
    after: Place | None
    limit: int


def find_collection(session: Session, external_user: str, *, public_id: str | None) -> CollectionFacts | None:
    """Return a reader's collection by its id, the row of their library for None; None when there is none."""
    which = PaperCollection.is_library if public_id is None else PaperCollection.public_id == public_id
    row = session.execute(_facts_query().where(User.external_id == external_user, which)).one_or_none()
    return None if row is None else CollectionFacts(*row)


def load_collections(session: Session, wanted: Wanted) -> list[CollectionFacts]:
    """Return the collections that a viewer may see, from a place on."""
    found = _load_some(session, wanted, IS_PUBLIC)
    if wanted.viewer_id is not None:
        # Apart from the public ones, which alone are read along their index.
        mine = PaperCollection.is_private & (PaperCollection.user_id == wanted.viewer_id)
        found += _load_some(session, wanted, mine)
        found.sort(key=lambda facts: place_of(facts, wanted.order), reverse=wanted.order == "modified")
    return found[: wanted.limit]


def place_of(facts: CollectionFacts, order: Order) -> Place:
    """Return where a collection stands in a list of this order."""
    key = facts.position if order == "position" else (facts.modified_at - EPOCH) // ONE_MICROSECOND
    return key, facts.collection_id


def library_time(session: Session, external_user: str) -> tuple[int | None, datetime]:
    """Return a reader's number and when their library changed last: their own beginning when it never did."""
    changed = sa.select(sa.func.max(LibraryItem.changed_at)).where(LibraryItem.user_id == User.user_id)
    query = sa.select(User.user_id, User.created_at, changed.scalar_subquery())
    row = session.execute(query.where(User.external_id == external_user)).one_or_none()
    return (None, EPOCH) if row is None else (row[0], row[2] or row[1])


def collections_before(session: Session, facts: CollectionFacts) -> int:
    """Return how many of the same reader's collections stand before this one."""
    mine = sa.tuple_(sa.literal(facts.position), sa.literal(facts.collection_id, sa.BigInteger))
    query = sa.select(sa.func.count()).where(
        PaperCollection.user_id == facts.user_id,
        sa.tuple_(PaperCollection.position, PaperCollection.collection_id) < mine,
    )
    return session.execute(query).scalar_one()


def insert_collection(session: Session, row: PaperCollection) -> int:
    """Store a new collection and return its number."""
    session.add(row)
    session.flush()
    return row.collection_id


def find_library(session: Session, user_id: int) -> str | None:
    """Return the public id of a reader's library, None where it has no row."""
    query = sa.select(PaperCollection.public_id).where(PaperCollection.user_id == user_id, PaperCollection.is_library)
    return session.execute(query).scalar_one_or_none()


def find_title(session: Session, user_id: int, title_key: str) -> PaperCollection | None:
    """Return a reader's collection with this title."""
    query = sa.select(PaperCollection).where(PaperCollection.user_id == user_id, PaperCollection.title_key == title_key)
    return session.execute(query).scalar_one_or_none()


def ordered_ids(session: Session, user_id: int) -> list[int]:
    """Return the numbers of a reader's collections in their order."""
    query = sa.select(PaperCollection.collection_id).where(PaperCollection.user_id == user_id)
    return list(session.scalars(query.order_by(PaperCollection.position, PaperCollection.collection_id)))


def write_order(session: Session, collection_ids: Sequence[int]) -> None:
    """Let these collections stand in this order."""
    change = sa.update(PaperCollection).where(PaperCollection.collection_id == sa.bindparam("number"))
    rows = [{"number": number, "place": place} for place, number in enumerate(collection_ids)]
    session.connection().execute(change.values(position=sa.bindparam("place")), rows)


def update_collection(session: Session, collection_id: int, values: dict[str, Any], *, now: datetime) -> None:
    """Change columns of a collection, and note when."""
    change = sa.update(PaperCollection).where(PaperCollection.collection_id == collection_id)
    session.execute(change.values(**values, updated_at=now))


def delete_collection(session: Session, collection_id: int) -> None:
    """Delete a collection with its list of papers."""
    session.execute(sa.delete(PaperCollection).where(PaperCollection.collection_id == collection_id))


def _facts_query() -> "sa.Select[*tuple[Any, ...]]":
    row = PaperCollection
    return sa.select(
        row.collection_id,
        row.user_id,
        User.external_id,
        row.public_id,
        row.title,
        row.description,
        row.is_library,
        row.is_private,
        row.theme,
        row.position,
        row.updated_at,
    ).join(User, User.user_id == row.user_id)


def _load_some(
    session: Session, wanted: Wanted, visible: sa.ColumnElement[bool] | sa.TextClause
) -> list[CollectionFacts]:
    query = _facts_query().where(visible, *_conditions(wanted))
    number = PaperCollection.collection_id
    after = None if wanted.after is None else sa.tuple_(*(sa.literal(part, sa.BigInteger) for part in wanted.after))
    if wanted.order == "position":
        query = query.order_by(PaperCollection.position, number)
        if after is not None:
            query = query.where(sa.tuple_(PaperCollection.position, number) > after)
    else:
        modified = sa.type_coerce(PaperCollection.updated_at, sa.BigInteger)
        query = query.order_by(modified.desc(), number.desc())
        if after is not None:
            query = query.where(sa.tuple_(modified, number) < after)
    return [CollectionFacts(*row) for row in session.execute(query.limit(wanted.limit))]


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.owners:
        found.append(User.external_id.in_(wanted.owners))
    if wanted.paper_ids is not None:
        found.append(_holds(wanted.paper_ids))
    if wanted.words:
        texts = (PaperCollection.title, sa.func.coalesce(PaperCollection.description, ""))
        found.append(sa.or_(*(sa.func.lower(text).contains(wanted.words.lower(), autoescape=True) for text in texts)))
    return found


def _holds(paper_ids: tuple[int, ...]) -> sa.ColumnElement[bool]:
    listed = sa.exists().where(
        CollectionItem.collection_id == PaperCollection.collection_id, CollectionItem.paper_id.in_(paper_ids)
    )
    saved = sa.exists().where(
        LibraryItem.user_id == PaperCollection.user_id, LibraryItem.paper_id.in_(paper_ids), LibraryItem.is_saved
    )
    return sa.case((PaperCollection.is_library, saved), else_=listed)
