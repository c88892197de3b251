"""A reader's library as its page shows it and as a file holds it."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.orm import Session

from api.errors import Conflict
from api.runtime.keys import KeyRing
from api.services.bibliography import Reference
from api.services.bibliography.reference import tag_key
from api.services.citing import reference_of
from api.services.cursors import encode_cursor
from api.services.history import place_of, read_spot
from api.services.pending_papers import list_pending
from api.store import library, papers, shelf
from api.store.engine import Database
from api.store.shelf import ShelfPaper, ShelfPlace, ShelfText, TagCount

MOST_TAGS_SHOWN: Final = 60
LONGEST_WORDS: Final = 200  # characters of a search
EXPORTED_AT_ONCE: Final = 200  # papers in one transaction of an export


@dataclass(frozen=True, slots=True)
class ShelfItem:
    """A saved paper with what its reader wrote."""

    paper: ShelfPaper
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShelfPage:
    """A page of a library."""

    items: tuple[ShelfItem, ...] = ()
    saved: int = 0  # papers in all of it
    waiting: int = 0  # papers that are wanted and not here yet
    tags: tuple[TagCount, ...] = ()
    following: str | None = None  # cursor of the next page


def read_shelf(
    session: Session,
    keys: KeyRing,
    user_id: int | None,
    *,
    words: str = "",
    tag: str = "",
    cursor: str | None = None,
    limit: int,
) -> ShelfPage:
    """Return saved papers of a tag that hold all the words, last saved first; InvalidCursor for one of another list.

    Five statements at most without words, one more with them; a search reads papers until its page is full.
    """
    wanted, key = fold(words[:LONGEST_WORDS]).split(), tag_key(tag) if tag else None
    scope = f"shelf:{user_id}:{key or ''}:{' '.join(wanted)}"
    after = _place(keys, scope, cursor)
    if user_id is None:
        return ShelfPage()
    if wanted:
        found = _search(session, user_id, wanted, tag_key=key, after=after, limit=limit + 1)
    else:
        found = shelf.load_shelf(session, user_id, tag_key=key, after=after, limit=limit + 1)
    saved, waiting = shelf.count_shelf(session, user_id)
    counts = shelf.count_tags(session, user_id, limit=MOST_TAGS_SHOWN)
    shown = found[:limit]
    tags = shelf.load_tags(session, user_id, [one.paper_id for one in shown]) if counts and shown else {}
    following = None
    if len(found) > limit:
        last = shown[-1]
        following = encode_cursor(keys, scope, place_of(last.saved_at, last.paper_id))
    items = tuple(ShelfItem(one, tags.get(one.paper_id, ())) for one in shown)
    return ShelfPage(items, saved, waiting, tuple(counts), following)


def find_saved(session: Session, user_id: int | None, external_id: str) -> int:
    """Return the number of a paper in a reader's library; Conflict for any other."""
    paper_id = papers.paper_ids_of(session, [external_id]).get(external_id)
    if user_id is None or paper_id is None or not library.saved_among(session, {(user_id, paper_id)}):
        raise Conflict("this paper is not in your library any more: save it, then write about it")
    return paper_id


def export_library(database: Database, user_id: int | None) -> Iterator[Reference]:
    """Give all saved papers, then those that are waited for, a few hundred in memory at a time."""
    if user_id is None:
        return
    after: ShelfPlace | None = None
    while True:
        with database.read() as session:
            part = shelf.load_shelf(session, user_id, tag_key=None, after=after, limit=EXPORTED_AT_ONCE)
            references = _references(session, user_id, part)
        yield from references
        if len(part) < EXPORTED_AT_ONCE:
            break
        after = part[-1].place
    yield from _waiting(database, user_id)


def fold(text: str) -> str:
    """Return text in which equal words meet, whatever their case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in plain if not unicodedata.combining(one)) if not plain.isascii() else plain


def _search(
    session: Session,
    user_id: int,
    wanted: Sequence[str],
    *,
    tag_key: str | None,
    after: ShelfPlace | None,
    limit: int,
) -> list[ShelfPaper]:
    tags = shelf.load_tags(session, user_id)
    found: list[ShelfPaper] = []
    with closing(shelf.walk_texts(session, user_id, tag_key=tag_key, after=after)) as texts:
        for text in texts:
            if len(found) == limit:
                break
            if _holds(text, tags.get(text.item.paper_id, ()), wanted):
                found.append(text.item)
    return found


def _holds(text: ShelfText, tags: Iterable[str], wanted: Sequence[str]) -> bool:
    all_of_it = fold("\n".join((text.title, *text.authors, *tags, text.item.note or "", text.summary)))
    return all(word in all_of_it for word in wanted)


def _references(session: Session, user_id: int, part: Sequence[ShelfPaper]) -> list[Reference]:
    known = papers.load_papers(session, [one.paper_id for one in part])
    tags = shelf.load_tags(session, user_id, [one.paper_id for one in part])
    return [
        reference_of(known[one.paper_id], tags=tags.get(one.paper_id, ()), note=one.note or "", saved_at=one.saved_at)
        for one in part
        if one.paper_id in known
    ]


def _waiting(database: Database, user_id: int) -> Iterator[Reference]:
    after: int | None = 0
    while after is not None:
        with database.read() as session:
            part, after = list_pending(session, user_id, after=after, limit=EXPORTED_AT_ONCE)
        yield from (replace(one.reference, is_pending=True) for one in part)


def _place(keys: KeyRing, scope: str, cursor: str | None) -> ShelfPlace | None:
    spot = read_spot(keys, scope, cursor or None)
    return None if spot is None else ShelfPlace(*spot)
