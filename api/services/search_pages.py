"""Pages of a search: opened by what is asked for or by a cursor, and filled with papers that are still there."""

from collections.abc import Mapping

from api.runtime.state import Runtime
from api.services.search_cursors import SearchPlace, read_place, write_place
from api.services.searching import SearchRequest, search_papers
from api.store.search_index import Counts


def open_search(
    runtime: Runtime, wanted: SearchRequest, cursor: str | None, *, is_personal: bool
) -> tuple[SearchPlace, Counts | None]:
    """Return the place before the next page, and counts where there is no cursor; raises InvalidCursor."""
    if cursor is not None:
        return read_place(runtime.keys, cursor, scope=_scope(wanted, is_personal=is_personal)), None
    found = search_papers(runtime, wanted)
    return SearchPlace(found.paper_ids, found.scores, 0, found.total, found.is_degraded), found.counts


def write_next(runtime: Runtime, wanted: SearchRequest, after: SearchPlace | None, *, is_personal: bool) -> str | None:
    """Return the cursor of what follows a page, None at the end."""
    return None if after is None else write_place(runtime.keys, after, scope=_scope(wanted, is_personal=is_personal))


def take_papers(runtime: Runtime, place: SearchPlace, *, limit: int) -> tuple[int, Mapping[int, bytes]]:
    """Return how many papers of the list the next page is made of, and those of them that are still there."""
    papers: dict[int, bytes] = {}
    taken = 0
    while len(papers) < limit and taken < len(place.paper_ids):
        more = place.paper_ids[taken : taken + limit - len(papers)]
        papers |= runtime.papers.get_many(more)
        taken += len(more)
    return taken, papers


def _scope(wanted: SearchRequest, *, is_personal: bool) -> str:
    return f"{wanted.scope}\0{is_personal}"
