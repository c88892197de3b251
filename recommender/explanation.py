"""Which part of a reader's history speaks for a paper."""

from collections.abc import Callable, Sequence

import numpy as np

from recommender.dataset import Profile
from recommender.domain import Explanation, Floats, Ids, Rows
from recommender.vocabulary import UNKNOWN_ROW, Vocabulary

NO_TERM = -1


def explain_profile(
    profile: Profile,
    paper_ids: Ids,
    *,
    papers: Vocabulary,
    evidence: Callable[[Rows], Floats],
    text_vectors: Callable[[Rows], Floats],
    encode: Callable[[Sequence[str]], Floats],
) -> Explanation:
    """The most similar history paper and term of each paper; the stronger of the two gives the strength."""
    asked = papers.rows(paper_ids)
    places = np.flatnonzero(asked != UNKNOWN_ROW)
    because = np.full(len(asked), _sentinel(papers.in_row_order), dtype=papers.in_row_order.dtype)
    term_of = np.full(len(asked), NO_TERM, dtype=np.int16)
    strength = np.zeros(len(asked), dtype=np.float32)
    history = papers.rows(profile.paper_ids)
    kept = history != UNKNOWN_ROW
    if kept.any() and len(places):
        liking = profile.weights[kept] / profile.weights[kept].max()
        # The square root keeps a weak but telling click in the running against many strong saves.
        best, value = _best(evidence(asked[places]), evidence(history[kept]), np.sqrt(liking))
        found = value > 0
        because[places[found]] = papers.ids(history[kept][best[found]])
        strength[places] = value
    if profile.terms and len(places):
        vectors = encode(profile.terms)
        best, value = _best(text_vectors(asked[places]), vectors, np.ones(len(vectors), np.float32))
        term_of[places] = np.where(value > 0, best, NO_TERM)
        strength[places] = np.maximum(strength[places], value)
    return Explanation(because, term_of, strength.clip(0.0, 1.0))


def _best(asked: Floats, known: Floats, weights: Floats) -> tuple[Rows, Floats]:
    products = (asked @ known.T) * weights
    best = products.argmax(axis=1)
    return best.astype(np.int32), products[np.arange(len(asked)), best]


def _sentinel(ids: Ids) -> int | str:
    return "" if ids.dtype.kind == "U" else -1
