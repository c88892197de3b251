"""Search: what the index finds by words, blended with what the model finds by meaning, for any text at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.orm import Session

from api.runtime.state import Runtime
from api.services.search_language import Parsed, letters_of, loosened, parse
from api.services.search_meaning import blend_alike, read_meaning
from api.services.search_personal import rank_for_reader
from api.services.tastes import load_tastes
from api.store.papers import is_removed, paper_ids_of
from api.store.search_errors import IndexUnusable
from api.store.search_index import COUNTED, Counted, Counts
from api.store.search_query import (
    AllOf,
    AnyOf,
    Everything,
    Filters,
    Node,
    Order,
    Phrase,
    SearchQuery,
    Without,
    Word,
)
from api.store.search_schema import STOP_WORDS
from api.store.search_sql import plain_search

MOST_FOUND: Final = 500  # papers of one search: all its pages fit into a cursor
LEXICAL_DEPTH: Final = 300  # of them by their words, where one of these is enough
FEW: Final = 20  # matches; with fewer, papers follow that have one of the words
IN_TITLES: Final = frozenset({"any", "title"})  # words that titles can answer for
NO_FILTERS: Final = Filters()


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What is searched for."""

    text: str = ""
    filters: Filters = NO_FILTERS
    order: Order = "relevance"
    is_prefix: bool = True  # the last word may still be being typed
    user_id: int | None = None  # of the reader whose taste has a say in the order
    most: int = MOST_FOUND
    with_counts: bool = False

    @property
    def scope(self) -> str:
        """What its cursors are for."""
        return f"search\0{(self.text, self.filters, self.order, self.is_prefix, self.user_id)!r}"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Papers, best first, each once."""

    paper_ids: tuple[int, ...]
    scores: tuple[float, ...]  # never rising; 0 where the order is no matter of likeness
    total: int  # papers that match; some that are only alike may follow them
    counts: Counts | None
    is_degraded: bool  # the index is away: titles alone were searched, and what the model knows


@dataclass(frozen=True, slots=True)
class _Found:
    """Papers in order and how many there are in all."""

    paper_ids: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    total: int = 0


NO_COUNTS: Final = Counts({}, {}, {}, 0)


def search_papers(runtime: Runtime, request: SearchRequest) -> SearchResult:
    """Return the papers of a search; no text is an error, and neither is an index that is away."""
    parsed = parse(request.text, prefix=request.is_prefix)
    if parsed.node is None:
        return SearchResult((), (), 0, NO_COUNTS if request.with_counts else None, is_degraded=False)
    by_likeness = request.order == "relevance" and parsed.has_text
    order: Order = "newest" if request.order == "relevance" and not by_likeness else request.order
    query = SearchQuery(parsed.node, request.filters, order)
    counts = None
    is_degraded = False
    try:
        counting = runtime.aside.submit(count_values, runtime, query) if request.with_counts else None
        found = _search_index(runtime, parsed, query, most=request.most)
        counts = None if counting is None else counting.result()
    except IndexUnusable:
        found, is_degraded = _search_titles(runtime, parsed, query, most=request.most), True
    found = _with_named_paper(runtime, parsed, request.filters, found)
    if request.user_id is not None and by_likeness:
        found = _for_reader(runtime, request.user_id, found)
    return SearchResult(found.paper_ids[: request.most], found.scores[: request.most], found.total, counts, is_degraded)


def count_values(runtime: Runtime, query: SearchQuery) -> Counts:
    """Return how many matches each value of a filter has, with all filters but that one itself."""
    filters = query.filters
    without: dict[Counted, Filters] = {}
    if filters.categories:
        without["categories"] = replace(filters, categories=())
    if filters.organizations:
        without["organizations"] = replace(filters, organizations=())
    if filters.listed_from is not None or filters.listed_before is not None:
        without["years"] = replace(filters, listed_from=None, listed_before=None)
    if filters.with_code is not None:
        without["with_code"] = replace(filters, with_code=None)
    counts = runtime.search.counts(query, of=[name for name in COUNTED if name not in without])
    for name, others in without.items():
        found = runtime.search.counts(replace(query, filters=others), of=[name])
        counts = replace(counts, **{name: getattr(found, name)})
    return counts


def _search_index(runtime: Runtime, parsed: Parsed, query: SearchQuery, *, most: int) -> _Found:
    if query.order != "relevance":
        hits = runtime.search.search(query, limit=most)
        return _Found(hits.paper_ids, hits.scores, hits.total)
    reading = runtime.aside.submit(read_meaning, runtime.serving.current, parsed)
    looser = loosened(parsed)
    is_long = isinstance(parsed.node, AllOf) and any(isinstance(part, AnyOf) for part in parsed.node.parts)
    hits = runtime.search.search(query, limit=1 if is_long else max(most, LEXICAL_DEPTH))
    ranked = hits
    if looser is not None and (is_long or hits.total < FEW):  # what has one of the words comes behind what has more
        ranked = runtime.search.search(replace(query, node=looser), limit=LEXICAL_DEPTH)
    node = AllOf(parsed.demands) if parsed.demands else Everything()

    def fits(paper_ids: list[int]) -> Sequence[int]:  # asked also without demands: the model knows papers that are gone
        among = replace(query.filters, paper_ids=tuple(paper_ids))
        return runtime.search.search(SearchQuery(node, among), limit=len(paper_ids)).paper_ids

    found = blend_alike(reading.result(), ranked.paper_ids, ranked.scores, fits=fits)
    return _Found(*found, hits.total)


def _search_titles(runtime: Runtime, parsed: Parsed, query: SearchQuery, *, most: int) -> _Found:
    """Search without an index: titles with all the words, and what the model knows."""
    with runtime.db.read() as session:
        paper_ids = _titles(session, parsed, query.filters, most=most)

        def fits(others: list[int]) -> Sequence[int]:
            if parsed.demands:
                return []
            return plain_search(session, [], replace(query.filters, paper_ids=tuple(others)), limit=len(others))

        if query.order != "relevance":
            return _Found(tuple(paper_ids), (0.0,) * len(paper_ids), len(paper_ids))
        alike = read_meaning(runtime.serving.current, parsed)
        found = blend_alike(alike, paper_ids, [1.0] * len(paper_ids), fits=fits)
    return _Found(*found, len(paper_ids))


def _titles(session: Session, parsed: Parsed, filters: Filters, *, most: int) -> list[int]:
    words = [word for part in parsed.wanted for word in _title_words(part)]
    if parsed.has_text and not words:  # titles say nothing about authors
        return []
    found = plain_search(session, words, filters, limit=most)
    for part in parsed.demands:
        excluded = _title_words(part.part) if isinstance(part, Without) else []
        if excluded and found:
            among = Filters(paper_ids=tuple(found))
            gone = set(plain_search(session, excluded, among, limit=len(found)))
            found = [paper_id for paper_id in found if paper_id not in gone]
    return found


def _title_words(part: Node) -> list[str]:
    if not isinstance(part, Word | Phrase) or part.field not in IN_TITLES:
        return []
    said = letters_of(part.text)
    return [word for word in said if word.lower() not in STOP_WORDS]


def _with_named_paper(runtime: Runtime, parsed: Parsed, filters: Filters, found: _Found) -> _Found:
    """Put the paper that the text names first, also when the index does not know it yet."""
    if parsed.external_id is None or filters != NO_FILTERS:
        return found
    with runtime.db.read() as session:
        paper_id = paper_ids_of(session, [parsed.external_id]).get(parsed.external_id)
        if paper_id is None or is_removed(session, paper_id):
            return found
    best = max(found.scores, default=1.0)
    first = _Found((paper_id,), (best,), max(found.total, 1))
    return _followed_by(first, found.paper_ids, found.scores)


def _for_reader(runtime: Runtime, user_id: int, found: _Found) -> _Found:
    served = runtime.serving.current
    if served is None:
        return found
    with runtime.db.read() as session:
        [taste] = load_tastes(session, [user_id], now=datetime.now(UTC))
    paper_ids, scores = rank_for_reader(served.model, taste.profile, found.paper_ids)
    return _Found(paper_ids, scores, found.total)


def _followed_by(first: _Found, paper_ids: Sequence[int], scores: Sequence[float]) -> _Found:
    """The papers of both, the first ones first, no score above that of a paper before it."""
    known = set(first.paper_ids)
    more = [(paper_id, score) for paper_id, score in zip(paper_ids, scores, strict=True) if paper_id not in known]
    lowest = first.scores[-1] if first.scores else float("inf")
    ids = (*first.paper_ids, *(paper_id for paper_id, _ in more))
    return _Found(ids, (*first.scores, *(min(score, lowest) for _, score in more)), first.total)
