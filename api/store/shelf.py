"""What readers keep: saved papers with their tags and notes, last saved first."""

from collections import defaultdict
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import LibraryItem, Paper
from api.store.tables_collections import CollectionItem, PaperCollection
from api.store.tables_shelf import LibraryTag, WantedPaper
from api.store.upsert import insert_into

ROWS_PER_FETCH: Final = 200
IDS_PER_QUERY: Final = 5_000


@dataclass(frozen=True, slots=True)
class ShelfPlace:
    """Where a page of the library ends: the next one begins behind it."""

    saved_at: datetime | None
    paper_id: int


@dataclass(frozen=True, slots=True)
class ShelfPaper:
    """A saved paper and what its reader wrote about it."""

    paper_id: int
    external_id: str
    saved_at: datetime | None
    note: str | None

    @property
    def place(self) -> ShelfPlace:
        """Where it stands."""
        return ShelfPlace(self.saved_at, self.paper_id)


@dataclass(frozen=True, slots=True)
class ShelfText:
    """A saved paper with the words that a search within the library looks at."""

    item: ShelfPaper
    title: str
    authors: Sequence[str]
    summary: str


@dataclass(frozen=True, slots=True)
class TagCount:
    """A tag of a reader and how many of their saved papers have it."""

    key: str
    tag: str
    papers: int


def load_shelf(
    session: Session, user_id: int, *, tag_key: str | None, after: ShelfPlace | None, limit: int
) -> list[ShelfPaper]:
    """Return saved papers from a place on, last saved first and those of unknown time last, of one tag if any.

    Papers that their source removed are left out. Two statements where both kinds of times are on the page.
    """
    found: list[ShelfPaper] = []
    for query in _walks(_ITEM, user_id, tag_key=tag_key, after=after):
        if len(found) < limit:
            found += [ShelfPaper(*row) for row in session.execute(query.limit(limit - len(found)))]
    return found


def walk_texts(
    session: Session, user_id: int, *, tag_key: str | None, after: ShelfPlace | None
) -> Generator[ShelfText, None, None]:
    """Give saved papers with their words in the order of `load_shelf`; whoever has enough closes it."""
    texts = (Paper.title, Paper.authors, Paper.summary)
    for query in _walks((*_ITEM, *texts), user_id, tag_key=tag_key, after=after):
        with session.execute(query.execution_options(yield_per=ROWS_PER_FETCH)) as rows:
            for row in rows:
                *item, title, authors, summary = row
                yield ShelfText(ShelfPaper(*item), title, authors, summary)


def count_shelf(session: Session, user_id: int) -> tuple[int, int]:
    """Return how many papers are saved, and how many are wanted that are not here yet."""
    saved = sa.select(sa.func.count()).select_from(LibraryItem).join(Paper, Paper.paper_id == LibraryItem.paper_id)
    saved = saved.where(LibraryItem.user_id == user_id, LibraryItem.is_saved, Paper.deleted_at.is_(None))
    wanted = sa.select(sa.func.count()).where(WantedPaper.user_id == user_id)
    row = session.execute(sa.select(saved.scalar_subquery(), wanted.scalar_subquery())).one()
    return row[0], row[1]


def count_tags(session: Session, user_id: int, *, limit: int) -> list[TagCount]:
    """Return the tags of a reader's saved papers, the most frequent first."""
    papers = sa.func.count()
    query = (
        sa.select(LibraryTag.tag_key, sa.func.min(LibraryTag.tag), papers)
        .join(LibraryItem, (LibraryItem.user_id == LibraryTag.user_id) & (LibraryItem.paper_id == LibraryTag.paper_id))
        .where(LibraryTag.user_id == user_id, LibraryItem.is_saved)
        .group_by(LibraryTag.tag_key)
        .order_by(papers.desc(), LibraryTag.tag_key)
        .limit(limit)
    )
    return [TagCount(*row) for row in session.execute(query)]


def load_tags(session: Session, user_id: int, paper_ids: Collection[int] | None = None) -> dict[int, tuple[str, ...]]:
    """Return the tags of a reader's papers in the order in which they were written, of all papers or of these."""
    query = sa.select(LibraryTag.paper_id, LibraryTag.tag).where(LibraryTag.user_id == user_id)
    query = query.order_by(LibraryTag.paper_id, LibraryTag.place, LibraryTag.tag_key)
    found: dict[int, list[str]] = defaultdict(list)
    if paper_ids is None:
        for paper_id, tag in session.execute(query):
            found[paper_id].append(tag)
    ids = sorted(paper_ids or ())
    for start in range(0, len(ids), IDS_PER_QUERY):
        for paper_id, tag in session.execute(query.where(LibraryTag.paper_id.in_(ids[start : start + IDS_PER_QUERY]))):
            found[paper_id].append(tag)
    return {paper_id: tuple(tags) for paper_id, tags in found.items()}


def load_notes(session: Session, user_id: int, paper_ids: Collection[int]) -> dict[int, str]:
    """Return the notes of those of these papers that have one."""
    found: dict[int, str] = {}
    ids = sorted(paper_ids)
    for start in range(0, len(ids), IDS_PER_QUERY):
        part = ids[start : start + IDS_PER_QUERY]
        query = _said(user_id).where(CollectionItem.paper_id.in_(part), CollectionItem.note.is_not(None))
        found |= {paper_id: note for paper_id, note in session.execute(query) if note}
    return found


def replace_tags(session: Session, user_id: int, tags: Mapping[int, Sequence[tuple[str, str]]]) -> None:
    """Let papers have these tags, each given by its key and as it was written, and no others."""
    ids = sorted(tags)
    for start in range(0, len(ids), IDS_PER_QUERY):
        part = ids[start : start + IDS_PER_QUERY]
        mine = sa.delete(LibraryTag).where(LibraryTag.user_id == user_id, LibraryTag.paper_id.in_(part))
        session.execute(mine.execution_options(synchronize_session=False))
    rows = [
        {"user_id": user_id, "tag_key": key, "paper_id": paper_id, "tag": tag, "place": place}
        for paper_id in ids
        for place, (key, tag) in enumerate(tags[paper_id])
    ]
    if rows:
        session.connection().execute(insert_into(session, LibraryTag).on_conflict_do_nothing(), rows)


def write_notes(session: Session, collection_id: int, notes: Mapping[int, str], *, now: datetime) -> None:
    """Replace the notes of papers in the row of a library; an empty one takes a note away."""
    rows = [
        {"collection_id": collection_id, "paper_id": paper_id, "position": None, "note": note or None, "added_at": now}
        for paper_id, note in sorted(notes.items())
    ]
    if not rows:
        return
    statement = insert_into(session, CollectionItem)
    changed = {"note": statement.excluded.note}
    statement = statement.on_conflict_do_update(index_elements=["collection_id", "paper_id"], set_=changed)
    session.connection().execute(statement, rows)


def find_collection_id(session: Session, user_id: int) -> int | None:
    """Return the number of the row of a reader's library, None where nothing was said about it."""
    query = sa.select(PaperCollection.collection_id)
    return session.scalar(query.where(PaperCollection.user_id == user_id, PaperCollection.is_library))


_ITEM: Final = (LibraryItem.paper_id, Paper.external_id, LibraryItem.saved_at, CollectionItem.note)


def _said(user_id: int) -> "sa.Select[int, str | None]":
    return (
        sa.select(CollectionItem.paper_id, CollectionItem.note)
        .join(PaperCollection, PaperCollection.collection_id == CollectionItem.collection_id)
        .where(PaperCollection.user_id == user_id, PaperCollection.is_library)
    )


def _walks(
    columns: Sequence[Any], user_id: int, *, tag_key: str | None, after: ShelfPlace | None
) -> Iterator["sa.Select[*tuple[Any, ...]]"]:
    """Give the query of saved papers of known times, then that of the others: each a walk along the index."""
    saved_at, paper_id = LibraryItem.saved_at, LibraryItem.paper_id
    library = sa.select(PaperCollection.collection_id).where(
        PaperCollection.user_id == user_id, PaperCollection.is_library
    )
    said = (CollectionItem.collection_id == library.scalar_subquery()) & (CollectionItem.paper_id == paper_id)
    saved = (
        sa.select(*columns)
        .select_from(LibraryItem)
        .join(Paper, Paper.paper_id == paper_id)
        .outerjoin(CollectionItem, said)
        .where(LibraryItem.user_id == user_id, LibraryItem.is_saved, Paper.deleted_at.is_(None))
    )
    if tag_key is not None:
        tagged = (LibraryTag.user_id == user_id) & (LibraryTag.tag_key == tag_key) & (LibraryTag.paper_id == paper_id)
        saved = saved.join(LibraryTag, tagged)
    if after is None or after.saved_at is not None:
        known = saved.where(saved_at.is_not(None))
        if after is not None:
            place = sa.tuple_(sa.literal(after.saved_at, saved_at.type), sa.literal(after.paper_id, sa.BigInteger))
            known = known.where(sa.tuple_(saved_at, paper_id) < place)
        yield known.order_by(saved_at.desc(), paper_id.desc())
    unknown = saved.where(saved_at.is_(None))
    if after is not None and after.saved_at is None:
        unknown = unknown.where(paper_id < after.paper_id)
    yield unknown.order_by(paper_id.desc())
