"""One index on disk, opened to be searched and counted."""

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from tantivy import FieldType, Index, Order, Query, Searcher

from api.store import search_schema as fields
from api.store.search_errors import IndexBroken, IndexMissing, IndexOutdated, engine_errors
from api.store.search_files import file_stamps
from api.store.search_lexicon import IndexLexicon, Vocabulary
from api.store.search_query import SearchQuery
from api.store.search_translation import translated
from api.store.search_writer import META, read_mark

STALE_SHARE: Final = 0.02  # of papers that are new since the words were read: then they are read again
REST_PER_READING: Final = 30.0  # during a long ingest that takes a thirtieth of the time at most
Counted: TypeAlias = Literal["categories", "organizations", "years", "with_code"]
_COUNTED: Final[dict[Counted, str]] = {
    "categories": fields.CATEGORY,
    "organizations": fields.ORGANIZATION_NAME,
    "years": fields.YEAR,
    "with_code": fields.HAS_CODE,
}
COUNTED: Final = tuple(_COUNTED)
_ORDERS: Final = {
    "newest": (fields.LISTED, Order.Desc),
    "oldest": (fields.LISTED, Order.Asc),
    "upvotes": (fields.UPVOTES, Order.Desc),
}


@dataclass(frozen=True, slots=True)
class Hits:
    """Papers that match, best first, and how many there are in all; ordered by a date, scores are 0."""

    paper_ids: tuple[int, ...]
    scores: tuple[float, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of the papers that match have each value of a filter, the most frequent first."""

    categories: dict[str, int]
    organizations: dict[str, int]
    years: dict[int, int]
    with_code: int


class SearchIndex:
    """Reads one index; any number of processes and threads do, also while one writes."""

    def __init__(self, path: Path, index: Index) -> None:
        self.path = path
        self._index = index
        self._reloading = threading.Lock()
        self._stamp = _stamp(path)
        self._files = file_stamps(path)
        searcher = index.searcher()
        self._words_of = 0
        self._words_rest_until = 0.0
        self._lexicon = IndexLexicon(searcher, self._read_words(searcher))

    @classmethod
    def open(cls, path: Path) -> "SearchIndex":
        """Open an index; IndexUnusable says why that cannot be done."""
        if not (path / META).exists():
            raise IndexMissing(f"no index at {path}")
        if read_mark(path).get("schema") != fields.schema_fingerprint():
            raise IndexOutdated("the index was made by another version")
        with engine_errors("the index cannot be opened"):
            index = Index.open(str(path))
            fields.register_analyzers(index)
            index.config_reader("manual")
            index.reload()
            return cls(path, index)

    @property
    def num_papers(self) -> int:
        """How many papers can be found."""
        return self._lexicon.searcher.num_docs

    @property
    def lexicon(self) -> IndexLexicon:
        """The words of the index as they are now."""
        return self._lexicon

    def search(self, query: SearchQuery, *, limit: int, offset: int = 0) -> Hits:
        """Return the papers that match; of equal scores the newer number first."""
        lexicon = self._lexicon
        searcher = lexicon.searcher
        wanted = translated(query, lexicon)
        with engine_errors("the index cannot be searched"):
            if query.order == "relevance":
                found = searcher.search(wanted, limit, offset=offset)
            else:
                name, order = _ORDERS[query.order]
                found = searcher.search(wanted, limit, offset=offset, order_by_field=name, order=order)
            paper_ids = searcher.fast_field_values(fields.PAPER_ID, [address for _, address in found.hits])
        total = found.count or 0  # type: ignore[attr-defined]  # the engine's types leave it out
        if query.order != "relevance":
            return Hits(tuple(map(_whole, paper_ids)), (0.0,) * len(paper_ids), total)
        pairs = [(float(score), _whole(paper_id)) for (score, _), paper_id in zip(found.hits, paper_ids, strict=True)]
        pairs.sort(reverse=True)
        return Hits(tuple(paper_id for _, paper_id in pairs), tuple(score for score, _ in pairs), total)

    def counts(self, query: SearchQuery, *, most: int = 50, of: Collection[Counted] = COUNTED) -> Counts:
        """Return how the papers that match spread over the values of these filters, nothing of the others."""
        if not of:
            return Counts({}, {}, {}, 0)
        lexicon = self._lexicon
        wanted = translated(query, lexicon)
        asked = {name: {"terms": {"field": _COUNTED[name], "size": most}} for name in of}
        with engine_errors("the index cannot be searched"):
            found = lexicon.searcher.aggregate(wanted, asked)
        values = {name: _buckets(found[name]) if name in found else [] for name in COUNTED}
        return Counts(
            {str(key): count for key, count in values["categories"]},
            {str(key): count for key, count in values["organizations"]},
            {int(key): count for key, count in values["years"]},
            sum(count for key, count in values["with_code"] if key),
        )

    def highest_paper_id(self) -> int:
        """Return the highest number among the papers of the index, 0 without papers."""
        searcher = self._lexicon.searcher
        with engine_errors("the index cannot be searched"):
            found = searcher.search(Query.all_query(), 1, count=False, order_by_field=fields.PAPER_ID)
        return max((_whole(paper_id) for paper_id, _ in found.hits), default=0)

    def versions(self, *, first_id: int, last_id: int) -> dict[int, int]:
        """Return `updated_us` of each paper in a range of numbers."""
        return self._versions(
            Query.range_query(fields.build_schema(), fields.PAPER_ID, FieldType.Integer, first_id, last_id)
        )

    def versions_of(self, paper_ids: Collection[int]) -> dict[int, int]:
        """Return `updated_us` of those of these papers that are in the index."""
        return self._versions(Query.term_set_query(fields.build_schema(), fields.PAPER_ID, list(paper_ids)))

    def _versions(self, wanted: Query) -> dict[int, int]:
        searcher = self._lexicon.searcher
        with engine_errors("the index cannot be searched"):
            found = searcher.search(Query.const_score_query(wanted, 0.0), max(searcher.num_docs, 1), count=False)
            addresses = [address for _, address in found.hits]
            paper_ids = searcher.fast_field_values(fields.PAPER_ID, addresses)
            updated = searcher.fast_field_values(fields.UPDATED, addresses)
        return {_whole(paper_id): _whole(at) for paper_id, at in zip(paper_ids, updated, strict=True)}

    def reload(self) -> bool:
        """Take up what was committed since; True if there was something."""
        with self._reloading:
            stamp = _stamp(self.path)
            is_new = stamp != self._stamp
            with engine_errors("the index cannot be read again"):
                if is_new:
                    self._index.reload()
                    self._lexicon = IndexLexicon(self._index.searcher(), self._lexicon.vocabulary)
                self._follow_words()
            if not is_new:
                return False
            self._stamp, self._files = stamp, file_stamps(self.path)
            return True

    def _follow_words(self) -> None:
        """Read the words again when many papers are new, now or after a rest."""
        searcher = self._lexicon.searcher
        is_stale = abs(searcher.num_docs - self._words_of) > STALE_SHARE * self._words_of
        if is_stale and time.monotonic() >= self._words_rest_until:
            self._lexicon = IndexLexicon(searcher, self._read_words(searcher))

    def _read_words(self, searcher: Searcher) -> Vocabulary:
        started = time.monotonic()
        words = Vocabulary.read(searcher)
        self._words_of = searcher.num_docs
        self._words_rest_until = time.monotonic() + REST_PER_READING * (time.monotonic() - started)
        return words

    def is_touched(self) -> bool:
        """True when a file was changed or taken away: by damage, or by a merge that `reload` has yet to see."""
        now = file_stamps(self.path)
        return any(now.get(name) != stamp for name, stamp in self._files.items())


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = (path / META).stat()
    except FileNotFoundError as error:
        raise IndexBroken("the index is gone") from error
    return found.st_ino, found.st_mtime_ns


def _buckets(found: dict[str, Any]) -> list[tuple[Any, int]]:
    return [(bucket["key"], int(bucket["doc_count"])) for bucket in found["buckets"]]


def _whole(value: float | bool | None) -> int:
    if value is None:
        raise IndexBroken("a paper in the index has no number")
    return int(value)
