"""Lists whose categories are shared out like a reader's history: calibrated recommendations (Steck, RecSys 2018).

The distance of two distributions of categories is their total variation: the share of a list that would have to
change its category. A paper of several categories counts for each in equal parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from recommender.domain import Csr, Floats, Times
from recommender.sparse import csr_of, row_sizes

Positions: TypeAlias = NDArray[np.intp]

PAPERS_OFF = 1.0  # whole papers cannot follow shares exactly: a list may be off by one beyond the tolerance
ROUNDING = 1e-6


def category_matrix(categories: Sequence[Sequence[str]]) -> Csr:
    """(papers, categories) with 1/n for each of a paper's n distinct categories; columns in alphabetical order."""
    columns = {name: at for at, name in enumerate(sorted({name for of_paper in categories for name in of_paper}))}
    distinct = [sorted({columns[name] for name in of_paper}) for of_paper in categories]
    sizes = np.array([len(of_paper) for of_paper in distinct], dtype=np.int64)
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    indices = np.array([column for of_paper in distinct for column in of_paper], dtype=np.int32)
    parts = np.repeat(1.0 / np.maximum(sizes, 1), sizes)
    return csr_of(parts, indices, indptr, (len(distinct), len(columns)))


def category_shares(categories: Csr, weights: Floats | None = None) -> Floats:
    """(categories,) how papers, weighted, are spread over categories; zeros when none of them has any."""
    weighted = np.ones(categories.shape[0], dtype=np.float32) if weights is None else weights
    summed = np.asarray(categories.T @ weighted, dtype=np.float32)
    return np.asarray(summed / (float(summed.sum()) or 1.0), dtype=np.float32)


def share_distance(one: Floats, other: Floats) -> float:
    """Total variation of two distributions: 0 the same, 1 nothing in common."""
    return float(np.abs(one - other).sum()) / 2


def calibrated_positions(categories: Csr, shares: Floats, *, tolerance: float, k: int) -> Positions:
    """Positions of k papers of a list (best first) that follow the shares within the tolerance, best first.

    Each place goes to the best paper left with which the list down to there is off by at most the tolerance and one
    paper, else to the best of those with which it is least off. A paper without category is never in the way and
    does not count. `categories` is (papers, categories) as of `category_matrix`, aligned to the list.
    """
    count = min(k, categories.shape[0])
    if tolerance >= 1 or float(shares.sum()) <= 0:
        return np.arange(count, dtype=np.intp)
    kinds = _kinds(categories)
    end = len(kinds.following)
    counts = kinds.parts.max(axis=0) > 0
    heads = kinds.starts.copy()
    each = np.append(shares / float(shares.sum()), 0.0)  # the last place is that of no category
    owed = each.copy()
    picked = np.empty(count, dtype=np.intp)
    placed = 1
    for place in range(count):
        due = np.maximum(owed, 0.0)
        allowed = float(due.sum()) - tolerance * placed - PAPERS_OFF - ROUNDING
        best = int(heads.argmin())
        # Mostly the best paper left will do; only where it would not, the others are looked at.
        if counts[best] and np.minimum(kinds.parts[:, best], due[kinds.columns[:, best]]).sum() < allowed:
            gains: Times = np.minimum(kinds.parts, due[kinds.columns]).sum(axis=0)
            gains[heads == end] = -np.inf
            most = float(gains[counts].max(initial=-np.inf)) - ROUNDING
            best = int(np.where((gains >= min(allowed, most)) | ~counts, heads, end).argmin())
        picked[place] = heads[best]
        heads[best] = kinds.following[heads[best]]
        if counts[best]:
            placed += 1
            owed[kinds.columns[:, best]] -= kinds.parts[:, best]
            owed += each
    return picked


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The distinct rows of a category matrix, and which papers have them."""

    columns: Positions  # (most categories of a paper, kinds); the number of categories stands for none
    parts: Times  # the same shape, 0 where there is none
    starts: Positions  # (kinds,) first paper of each
    following: Positions  # (papers,) next paper of the same kind, the number of papers after the last


def _kinds(categories: Csr) -> _Kinds:
    papers, none = categories.shape
    sizes = row_sizes(categories)
    width = max(int(sizes.max(initial=1)), 1)
    columns = np.full((papers, width), none, dtype=np.intp)
    parts = np.zeros((papers, width))
    is_filled = np.arange(width) < sizes[:, np.newaxis]
    columns[is_filled] = categories.indices
    parts[is_filled] = categories.data
    rows = np.concatenate([columns, parts], axis=1)
    _, starts, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(kind, kind="stable")
    is_followed = kind[order[:-1]] == kind[order[1:]]
    following = np.full(papers, papers, dtype=np.intp)
    following[order[:-1][is_followed]] = order[1:][is_followed]
    return _Kinds(columns[starts].T.copy(), parts[starts].T.copy(), starts.astype(np.intp), following)
