"""The papers of an author or an organisation, newest first, by the search index; without one, among the newest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from api.runtime.state import Runtime
from api.store.naming import Named, load_named, load_newest_named
from api.store.search_errors import IndexUnusable
from api.store.search_query import Everything, Filters, Node, Phrase, SearchQuery
from api.store.search_schema import plain_analyzer

MOST_NAMED: Final = 1_000  # papers of one name that are listed: nobody turns forty pages
NEWEST_READ: Final = 5_000  # papers that are looked through while there is no index: a tenth of a second

NamesOf = Callable[[Named], Sequence[str]]


@dataclass(frozen=True, slots=True)
class NamedList:
    """Papers of one name."""

    paper_ids: tuple[int, ...]  # newest first
    total: int  # how many there are; more than are listed where only the newest are
    name: str  # as the newest of them writes it, else as it was asked for
    is_degraded: bool = False  # the index is away: only the newest papers of all were looked through


def list_by_author(runtime: Runtime, name: str) -> NamedList:
    """Return the papers that one of this name wrote, whatever accents and capitals it is written with."""
    node = Phrase(name, "authors")
    return _list(runtime, name, node, Filters(without_withdrawn=True), names_of=lambda paper: paper.authors)


def list_by_organization(runtime: Runtime, name: str) -> NamedList:
    """Return the papers of an organisation, by its short or its full name."""
    filters = Filters(organizations=(name,), without_withdrawn=True)
    return _list(runtime, name, Everything(), filters, names_of=lambda paper: paper.organizations)


def _list(runtime: Runtime, name: str, node: Node, filters: Filters, *, names_of: NamesOf) -> NamedList:
    key = _key(name)
    if not key:
        return NamedList((), 0, name)
    try:
        hits = runtime.search.search(SearchQuery(node, filters, "newest"), limit=MOST_NAMED)
    except IndexUnusable:
        with runtime.db.read() as session:
            newest = load_newest_named(session, limit=NEWEST_READ)
        found = _chosen(newest, key, names_of=names_of)[:MOST_NAMED]
        return NamedList(_ids(found), len(found), _spelling(found, name, names_of=names_of), is_degraded=True)
    with runtime.db.read() as session:
        papers = load_named(session, hits.paper_ids)
    found = _chosen(papers, key, names_of=names_of)  # the index finds this name also within a longer one
    total = len(found) if hits.total <= len(hits.paper_ids) else hits.total
    return NamedList(_ids(found), total, _spelling(found, name, names_of=names_of))


def _chosen(papers: Sequence[Named], key: list[str], *, names_of: NamesOf) -> list[Named]:
    return [paper for paper in papers if any(_key(each) == key for each in names_of(paper))]


def _ids(papers: Sequence[Named]) -> tuple[int, ...]:
    return tuple(paper.paper_id for paper in papers)


def _spelling(papers: Sequence[Named], asked: str, *, names_of: NamesOf) -> str:
    key = _key(asked)
    written = (each for paper in papers[:1] for each in names_of(paper) if _key(each) == key)
    return next(written, asked)


def _key(name: str) -> list[str]:
    """The words of a name as the index has them: no name of its own is only told apart by what stands between them."""
    words: list[str] = plain_analyzer().analyze(name)
    return words
