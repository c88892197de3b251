"""Papers put into collections and taken out: what is put anywhere is saved, what leaves the library is unsaved."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from api.errors import Conflict, InvalidRequest, NotFound
from api.ids import normalised_id
from api.services.collections import Shown, Viewer, find_own, show, written
from api.store import collection_items, collections, papers
from api.store.collections import NO_ROW, CollectionFacts
from api.store.library import saved_among

PAPER: Final = "paper"
MOST_ITEMS: Final = 5000  # of a collection that is not the library
HIGHEST_ROW: Final = 2**63 - 1

_OBJECT_ID: Final = re.compile("[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Addition:
    """A paper that may be put into a collection."""

    paper_id: int
    external_id: str
    is_saved: bool


@dataclass(frozen=True, slots=True)
class Removal:
    """A paper that may be taken out of a collection."""

    paper_id: int
    external_id: str
    is_unsave: bool  # out of the library


def object_id(paper_id: int) -> str:
    """Return what stock clients call an item by within its collection."""
    return f"{paper_id:024x}"


def check_addition(
    session: Session, viewer: Viewer, owner: str, slug: str, *, item_type: str, item_id: str
) -> Addition:  # fmt: skip
    """Return what is to be put into a reader's collection.

    Raises NotFound for an unknown paper and for things of other kinds, Conflict for a paper that is there,
    InvalidRequest for a full collection.
    """
    facts = find_own(session, viewer, owner, slug)
    if item_type != PAPER:
        raise NotFound(f"there is no {item_type} {item_id!r} here: collections hold papers")
    try:
        name = normalised_id(item_id)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    paper_id = papers.paper_ids_of(session, [name]).get(name)
    known = papers.load_papers(session, [] if paper_id is None else [paper_id])
    if paper_id is None or paper_id not in known:
        raise NotFound(f"there is no paper {item_id!r}")
    if collection_items.holds_paper(session, facts, paper_id):
        raise _is_there(item_id)
    _check_room(session, facts)  # before anything is recorded
    is_saved = facts.user_id is not None and bool(saved_among(session, {(facts.user_id, paper_id)}))
    return Addition(paper_id, known[paper_id].external_id, is_saved)


def add_paper(
    session: Session, viewer: Viewer, owner: str, slug: str, *, addition: Addition, note: str | None, now: datetime
) -> Shown:
    """Put a paper that is saved by now at the end of a reader's collection, with a note."""
    facts = find_own(session, viewer, owner, slug)
    if facts.is_library:
        _note_in_library(session, facts, addition.paper_id, note=note or None, now=now)
        return show(session, find_own(session, viewer, owner, slug))
    facts = written(session, facts, now=now)
    _check_room(session, facts)
    if not collection_items.append_item(session, facts.collection_id, addition.paper_id, note=note or None, now=now):
        raise _is_there(addition.external_id)
    collections.update_collection(session, facts.collection_id, {}, now=now)
    return show(session, find_own(session, viewer, owner, slug))


def change_item(
    session: Session,
    viewer: Viewer,
    owner: str,
    slug: str,
    *,
    item: str,
    note: str | None,
    position: int | None,
    now: datetime,
) -> None:
    """Replace the note of a paper in a reader's collection (an empty one takes it away), and its place."""
    facts = find_own(session, viewer, owner, slug)
    paper_id = _paper_in(session, facts, item)
    if note is None and position is None:
        return
    facts = written(session, facts, now=now)
    _paper_in(session, facts, item)  # another writer may have taken it out before the lock
    if note is not None:
        collection_items.write_note(session, facts.collection_id, paper_id, note=note or None, now=now)
    if position is not None:
        _move(session, facts, paper_id, position=position, now=now)
    collections.update_collection(session, facts.collection_id, {}, now=now)


def check_removal(session: Session, viewer: Viewer, owner: str, slug: str, *, item: str) -> Removal:
    """Return what is to be taken out of a reader's collection; NotFound for what is not in it."""
    facts = find_own(session, viewer, owner, slug)
    paper_id = _paper_in(session, facts, item)
    known = papers.load_papers(session, [paper_id])
    if paper_id not in known:  # its source removed it: in no list, and nothing is recorded about it any more
        raise _is_missing(item)
    return Removal(paper_id, known[paper_id].external_id, facts.is_library)


def remove_paper(session: Session, viewer: Viewer, owner: str, slug: str, *, removal: Removal, now: datetime) -> None:
    """Take a paper out of a reader's collection; out of the library with all that was said about it there."""
    facts = find_own(session, viewer, owner, slug)
    if facts.collection_id == NO_ROW:
        return
    facts = written(session, facts, now=now)
    if not collection_items.delete_item(session, facts.collection_id, removal.paper_id) and not facts.is_library:
        raise NotFound(f"paper {removal.external_id!r} is not in this collection")
    collections.update_collection(session, facts.collection_id, {}, now=now)


def _check_room(session: Session, facts: CollectionFacts) -> None:
    if not facts.is_library and collection_items.count_items(session, facts.collection_id) >= MOST_ITEMS:
        raise InvalidRequest(f"a collection holds {MOST_ITEMS} papers at most: make another one")


def _note_in_library(
    session: Session, facts: CollectionFacts, paper_id: int, *, note: str | None, now: datetime
) -> None:
    """Forget what was said about a paper when it was in the library before, and keep its new note."""
    if facts.collection_id == NO_ROW and note is None:
        return
    facts = written(session, facts, now=now)
    collection_items.delete_item(session, facts.collection_id, paper_id)
    if note is not None:
        collection_items.write_note(session, facts.collection_id, paper_id, note=note, now=now)
    collections.update_collection(session, facts.collection_id, {}, now=now)


def _move(session: Session, facts: CollectionFacts, paper_id: int, *, position: int, now: datetime) -> None:
    [items] = collection_items.load_items(session, [facts])
    order = [one.paper_id for one in items]
    if paper_id not in order:  # its source deleted it: nobody sees where it stands
        return
    before = order.index(paper_id)
    order.remove(paper_id)
    after = min(position, len(order))
    order.insert(after, paper_id)
    collection_items.write_item_order(session, facts.collection_id, order[: max(before, after) + 1], now=now)


def _paper_in(session: Session, facts: CollectionFacts, item: str) -> int:
    paper_id = int(item, 16) if _OBJECT_ID.fullmatch(item) else 0
    if not 0 < paper_id <= HIGHEST_ROW or not collection_items.holds_paper(session, facts, paper_id):
        raise _is_missing(item)
    return paper_id


def _is_missing(item: str) -> NotFound:
    return NotFound(f"there is no item {item!r} in this collection")


def _is_there(item_id: str) -> Conflict:
    return Conflict(f"paper {item_id!r} is in this collection already")
