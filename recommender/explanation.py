"""Which part of a reader's history speaks for a paper."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from recommender.dataset import Profile
from recommender.domain import Explanation, Floats, Ids, Rows
from recommender.vocabulary import UNKNOWN_ROW, Vocabulary

NO_TERM = -1
BACKGROUND_PAPERS = 256  # that tell how like a history paper is to papers at large; more tell no better
# What the likeness of a history paper must stand out by, in standard deviations taken from the median, which papers of
# its own field do not move; where likenesses spread widely, halfway to being the same is enough. See MEASURED.md.
CLEAR_SPREADS = 8.0
SPREAD_OF_MEDIAN_DEVIATION = 1.4826  # the standard deviation of a normal distribution in its median deviations
LEAST_LIKENESS = 0.1  # where most papers have nothing in common and so no spread
Truths: TypeAlias = NDArray[np.bool_]


def explain_profile(
    profile: Profile,
    paper_ids: Ids,
    *,
    papers: Vocabulary,
    evidence: Callable[[Rows], Floats],
    text_vectors: Callable[[Rows], Floats],
    encode: Callable[[Sequence[str]], Floats],
) -> Explanation:
    """The most similar history paper and term of each paper; the stronger of the two gives the strength.

    A history paper is named only where it is clearly more like the paper than like papers at large, a term wherever it
    has anything to do with the paper: what a paper says in so many words is told by `explain_said`.
    """
    asked = papers.rows(paper_ids)
    places = np.flatnonzero(asked != UNKNOWN_ROW)
    because = np.full(len(asked), _sentinel(papers.in_row_order), dtype=papers.in_row_order.dtype)
    term_of = np.full(len(asked), NO_TERM, dtype=np.int16)
    strength = np.zeros(len(asked), dtype=np.float32)
    history = papers.rows(profile.paper_ids)
    kept = history != UNKNOWN_ROW
    if kept.any() and len(places):
        liking = profile.weights[kept] / profile.weights[kept].max()
        likeness = _clear_likeness(evidence, asked[places], history[kept], papers=len(papers))
        # The square root keeps a weak but telling click in the running against many strong saves.
        best, value = _best(likeness * np.sqrt(liking))
        found = value > 0
        because[places[found]] = papers.ids(history[kept][best[found]])
        strength[places] = value
    if profile.terms and len(places):
        best, value = _best(text_vectors(asked[places]) @ encode(profile.terms).T)
        term_of[places] = np.where(value > 0, best, NO_TERM)
        strength[places] = np.maximum(strength[places], value)
    return Explanation(because, term_of, strength.clip(0.0, 1.0))


def explain_said(likeness: Floats, is_said: Truths) -> tuple[Rows, Floats]:
    """(papers,) the most like of the terms that each paper says, NO_TERM where it says none, and how like it is.

    Both arguments are (papers, terms).
    """
    if likeness.shape[1] == 0:
        return np.full(len(likeness), NO_TERM, np.int32), np.zeros(len(likeness), np.float32)
    best, value = _best(np.where(is_said, likeness, -np.inf))
    found = np.isfinite(value)
    return np.where(found, best, NO_TERM).astype(np.int32), np.where(found, value, 0.0).astype(np.float32)


def _clear_likeness(evidence: Callable[[Rows], Floats], asked: Rows, known: Rows, *, papers: int) -> Floats:
    """(asked, known) how alike papers are, 0 where the known one is not clearly more like it than like others."""
    sample = np.unique(np.linspace(0, papers - 1, min(papers, BACKGROUND_PAPERS)).astype(known.dtype))
    vectors = evidence(np.concatenate([asked, sample, known]))  # at once: a reading of rows has its own price
    ends = len(asked), len(asked) + len(sample)
    likeness = np.asarray(vectors[: ends[1]] @ vectors[ends[1] :].T, dtype=np.float32)
    likeness, background = likeness[: ends[0]], likeness[ends[0] :].T.copy()
    usual = np.median(background, axis=1)
    spread = SPREAD_OF_MEDIAN_DEVIATION * np.median(np.abs(background - usual[:, np.newaxis]), axis=1)
    bar = np.minimum(usual + CLEAR_SPREADS * spread, (1 + usual) / 2)
    return np.where(likeness > np.maximum(bar, LEAST_LIKENESS), likeness, np.float32(0))


def _best(values: Floats) -> tuple[Rows, Floats]:
    best = values.argmax(axis=1)
    return best.astype(np.int32), values[np.arange(len(values)), best]


def _sentinel(ids: Ids) -> int | str:
    return "" if ids.dtype.kind == "U" else -1
