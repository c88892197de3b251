"""Papers that are like a search beside those that have its words: the model's part of a search."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

import numpy as np

from api.runtime.serving import Served
from api.services.search_language import Parsed
from api.store.search_query import Word
from recommender.text_search import TextQuery, blend, read_text, search_read_text

DEPTH: Final = 300  # papers that are like the text


def read_meaning(served: Served | None, parsed: Parsed) -> TextQuery | None:
    """Return what the model makes of a text, None where it has nothing to say; for `blend_alike`."""
    if served is None or not _has_meaning(parsed):
        return None
    return read_text(served.model, parsed.plain, k=DEPTH)


def blend_alike(
    query: TextQuery | None,
    paper_ids: Sequence[int],
    scores: Sequence[float],
    *,
    fits: Callable[[list[int]], Collection[int]],
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the papers that have the words together with papers that are like the text, best first.

    `fits` says which papers without the words pass everything else that was asked for.
    """
    if query is None:
        return tuple(paper_ids), tuple(scores)
    lexical = np.array(paper_ids, dtype=np.int64), np.array(scores, dtype=np.float32)
    alike, likeness = search_read_text(query, k=DEPTH, also=lexical[0])
    others = np.setdiff1d(alike, lexical[0])
    kept = np.union1d(lexical[0], np.array(sorted(fits(others.tolist())), dtype=np.int64)) if len(others) else alike
    chosen = np.isin(alike, kept)
    ids, blended = blend(lexical, (alike[chosen], likeness[chosen]))
    return tuple(ids.tolist()), tuple(blended.tolist())


def _has_meaning(parsed: Parsed) -> bool:
    """True for a text that is more than an id or half a word."""
    match parsed.wanted:
        case (Word(is_prefix=True),):
            return False
    return bool(parsed.plain) and parsed.external_id is None
