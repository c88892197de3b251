"""Collections as their readers use them: named lists of papers, of which the library is one."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from api.errors import Conflict, InvalidRequest, NotAllowed, NotFound
from api.ids import normalised_id, title_key
from api.services.hub_names import LIBRARY_SLUG, public_id_of, reader_of_name
from api.store import collections, papers, users
from api.store.collection_items import ItemFacts, load_first_items, load_items
from api.store.collections import NO_ROW, CollectionFacts, Order, Place, Wanted
from api.store.events import lock_readers
from api.store.library import saved_among
from api.store.tables_collections import PaperCollection

LIBRARY_TITLE: Final = "Library"
LIBRARY_THEME: Final = "indigo"
MOST_COLLECTIONS: Final = 1000  # of one reader
LISTED_ITEMS: Final = 4  # of each collection in a list, as stock clients document it
PUBLIC_ID_BYTES: Final = 12
PAPERS: Final = "papers/"  # begins the name of a paper where other kinds of things are named, too
# Before everything in a list of that order: what follows a library about which nothing was said yet.
BEGINNING: Final[dict[Order, Place]] = {"position": (-1, NO_ROW), "modified": (2**62, NO_ROW)}


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks; nobody in particular sees what is public."""

    user_id: int | None = None
    external_user: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A collection with papers: all of them, or in a list the first few."""

    facts: CollectionFacts
    items: Sequence[ItemFacts]
    place: int | None = None  # among the reader's collections; None in a list


@dataclass(frozen=True, slots=True)
class Search:
    """What a list is asked for."""

    owners: tuple[str, ...] = ()  # names as in slugs
    items: tuple[str, ...] = ()  # `papers/2401.01234`
    words: str = ""
    is_sorted: bool = False  # last changed first, also where all are of one reader

    @property
    def order(self) -> Order:
        """One reader's own order, unless another was asked for."""
        return "position" if len(self.owners) == 1 and not self.is_sorted else "modified"


def list_collections(
    session: Session, viewer: Viewer, search: Search, *, after: Place | None, limit: int
) -> tuple[list[Shown], Place | None]:
    """Return a page of the collections a viewer may see, and the place after which the next page begins."""
    owners = tuple(reader for name in search.owners if (reader := reader_of_name(name)) is not None)
    if search.owners and not owners:
        return [], None
    wanted = Wanted(
        viewer.user_id, owners, _paper_ids(session, search.items), search.words, search.order, after, limit + 1
    )
    found = collections.load_collections(session, wanted)
    if after is None and (library := _unwritten_library(session, viewer, wanted)) is not None:
        found = [library, *found]
    page, following = found[:limit], None
    if len(found) > limit:
        last = page[-1]
        is_row = last.collection_id != NO_ROW
        following = collections.place_of(last, search.order) if is_row else BEGINNING[search.order]
    items = load_first_items(session, page, most_each=LISTED_ITEMS)
    return [Shown(facts, its_items) for facts, its_items in zip(page, items, strict=True)], following


def read_collection(session: Session, viewer: Viewer, owner: str, slug: str) -> Shown:
    """Return a collection with all its papers; NotFound for one that is not there or that the viewer may not see."""
    return show(session, find_visible(session, viewer, owner, slug))


def create_collection(
    session: Session,
    external_user: str,
    *,
    title: str,
    description: str | None,
    is_private: bool,
    theme: str,
    now: datetime,
) -> tuple[Shown, bool]:
    """Make a collection; return the one of this title, and False, where the reader has it already."""
    user_id = users.ensure_users(session, [external_user], now=now)[0][external_user]
    ensure_library(session, user_id, now=now)
    there = collections.find_title(session, user_id, title_key(title))
    if there is not None:
        return show(session, _found(session, external_user, there.public_id)), False
    ids = collections.ordered_ids(session, user_id)
    if len(ids) >= MOST_COLLECTIONS:
        raise InvalidRequest(f"a reader has {MOST_COLLECTIONS} collections at most: delete one")
    collections.write_order(session, ids)  # without gaps, the new one comes last
    row = _new_row(user_id, title, now=now)
    row.description, row.is_private, row.theme, row.position = description or None, is_private, theme, len(ids)
    collections.insert_collection(session, row)
    return show(session, _found(session, external_user, row.public_id)), True


def change_collection(
    session: Session, viewer: Viewer, owner: str, slug: str, *, changes: dict[str, Any], position: int | None,
    now: datetime,
) -> Shown:  # fmt: skip
    """Change columns of a reader's own collection and its place; Conflict where another one has the new title."""
    facts = written(session, find_own(session, viewer, owner, slug), now=now)
    if "title" in changes:
        changes = {**changes, "title_key": title_key(changes["title"])}
        other = collections.find_title(session, facts.user_id or 0, changes["title_key"])
        if other is not None and other.collection_id != facts.collection_id:
            raise Conflict("another collection of yours has this title")
    if position is not None:
        ids = [one for one in collections.ordered_ids(session, facts.user_id or 0) if one != facts.collection_id]
        collections.write_order(session, [*ids[:position], facts.collection_id, *ids[position:]])
    collections.update_collection(session, facts.collection_id, changes, now=now)
    return show(session, _found(session, facts.external_user, facts.public_id))


def delete_collection(session: Session, viewer: Viewer, owner: str, slug: str) -> None:
    """Delete a reader's own collection; what was in it stays in the library."""
    facts = find_own(session, viewer, owner, slug)
    if facts.is_library:
        raise NotAllowed("the library cannot be deleted: take its papers out one by one")
    collections.delete_collection(session, _locked(session, facts).collection_id)


def find_visible(session: Session, viewer: Viewer, owner: str, slug: str) -> CollectionFacts:
    """Return a collection that a viewer may see; NotFound for any other."""
    external_user, public_id = reader_of_name(owner), public_id_of(slug)
    facts = None
    if external_user is not None and (slug == LIBRARY_SLUG or public_id is not None):
        facts = collections.find_collection(session, external_user, public_id=public_id)
        if facts is None and slug == LIBRARY_SLUG and external_user == viewer.external_user:
            facts = _usual_library(session, external_user)
    if facts is None or (facts.is_private and facts.external_user != viewer.external_user):
        raise NotFound(f"there is no collection {owner}/{slug}")
    return facts


def find_own(session: Session, viewer: Viewer, owner: str, slug: str) -> CollectionFacts:
    """Return a reader's own collection; NotAllowed for another reader's that they may see."""
    facts = find_visible(session, viewer, owner, slug)
    if facts.external_user != viewer.external_user:
        raise NotAllowed("this collection belongs to another reader")
    return facts


def written(session: Session, facts: CollectionFacts, *, now: datetime) -> CollectionFacts:
    """Return a collection that has a row, no other writer changing it: a library gets one here.

    Raises NotFound for a collection that was deleted meanwhile.
    """
    if facts.collection_id == NO_ROW:
        user_id = users.ensure_users(session, [facts.external_user], now=now)[0][facts.external_user]
        return _found(session, facts.external_user, ensure_library(session, user_id, now=now))
    return _locked(session, facts)


def ensure_library(session: Session, user_id: int, *, now: datetime) -> str:
    """Make the row of a reader's library unless it is there, and return its public id; locks the reader."""
    lock_readers(session, [user_id])
    there = collections.find_library(session, user_id)
    if there is not None:
        return there
    row = _new_row(user_id, LIBRARY_TITLE, now=now)
    row.is_library, row.is_private, row.theme, row.position = True, True, LIBRARY_THEME, 0
    collections.insert_collection(session, row)
    return row.public_id


def show(session: Session, facts: CollectionFacts) -> Shown:
    """Return a collection with all its papers and its place."""
    place = 0 if facts.collection_id == NO_ROW else collections.collections_before(session, facts)
    return Shown(facts, load_items(session, [facts])[0], place)


def _new_row(user_id: int, title: str, *, now: datetime) -> PaperCollection:
    return PaperCollection(
        user_id=user_id,
        public_id=secrets.token_hex(PUBLIC_ID_BYTES),
        title=title,
        title_key=title_key(title),
        is_library=False,
        created_at=now,
        updated_at=now,
    )


def _locked(session: Session, facts: CollectionFacts) -> CollectionFacts:
    """Return what a collection is once no other writer changes it; NotFound when one deleted it meanwhile."""
    lock_readers(session, [facts.user_id or 0])
    return _found(session, facts.external_user, facts.public_id)


def _found(session: Session, external_user: str, public_id: str) -> CollectionFacts:
    facts = collections.find_collection(session, external_user, public_id=public_id)
    if facts is None:
        raise NotFound("this collection was deleted in this very moment")
    return facts


def _usual_library(session: Session, external_user: str) -> CollectionFacts:
    """Return the library of a reader who said nothing about it: private, and the first of their collections."""
    user_id, modified_at = collections.library_time(session, external_user)
    return CollectionFacts(
        collection_id=NO_ROW,
        user_id=user_id,
        external_user=external_user,
        public_id="",
        title=LIBRARY_TITLE,
        description=None,
        is_library=True,
        is_private=True,
        theme=LIBRARY_THEME,
        position=0,
        modified_at=modified_at,
    )


def _unwritten_library(session: Session, viewer: Viewer, wanted: Wanted) -> CollectionFacts | None:
    """Return the viewer's library where it belongs to a list but has no row."""
    reader = viewer.external_user
    if reader is None or (wanted.owners and reader not in wanted.owners):
        return None
    if wanted.words.lower() not in LIBRARY_TITLE.lower():
        return None
    if collections.find_collection(session, reader, public_id=None) is not None:
        return None
    if wanted.paper_ids is not None:
        pairs = {(viewer.user_id, paper_id) for paper_id in wanted.paper_ids if viewer.user_id is not None}
        if not pairs or not saved_among(session, pairs):
            return None
    return _usual_library(session, reader)


def _paper_ids(session: Session, items: Sequence[str]) -> tuple[int, ...] | None:
    """Return the papers among the things that a list is asked for; things of other kinds are in no collection here."""
    if not items:
        return None
    names = []
    for item in items:
        try:
            names.append(normalised_id(item.removeprefix(PAPERS)) if item.startswith(PAPERS) else "")
        except ValueError:
            continue
    return tuple(papers.paper_ids_of(session, [name for name in names if name]).values())
