"""Lists of many readers by factors and item weights alone: what a hybrid without words ranks by.

The order is that of blend.py, made with fewer passes over the scores: mean and deviation of a product of factors
follow from those of the factors, and nothing that leaves the order of a reader's papers alone is done before the
best are found.
"""

from typing import TYPE_CHECKING

import numpy as np

from recommender.domain import Csr, Floats, RankedList
from recommender.scoring import lists_of
from recommender.sparse import as_csr, columns_of, row_sizes
from recommender.topk import EXCLUDED, Best, best_columns, exclude_entries

if TYPE_CHECKING:
    from recommender.hybrid import Hybrid

LEAST_DEVIATION = 1e-12  # below it a part knows nothing about a reader


def applies(model: "Hybrid", left_out: Csr, *, k: int) -> bool:
    """True where lists need nothing but factors and item weights, and papers with history to fill them."""
    if model.content is not None or model.neighbours is not None or len(model.warm_rows) == 0:
        return False
    return k + int(row_sizes(left_out).max(initial=0)) <= len(model.warm_rows)


def crowd_lists(model: "Hybrid", liked: Csr, *, left_out: Csr, k: int) -> list[RankedList]:
    """One list per reader; [] without history."""
    config = model.config
    history = as_csr(columns_of(liked, model.warm_rows) / np.float32(model.weight_unit))
    folded = model.factors.fold_in(history, threads=config.num_threads)
    scores = _factor_scores(folded, model.factors.item_factors, weight=config.als_weight)
    if model.items is not None:
        part = model.items.scores(history)
        part *= np.float32(config.item_weight) / _deviations(part)
        scores += part
    mean = scores.mean(axis=1, keepdims=True)
    deviation = np.sqrt(_variances(scores))[:, None]
    scores[row_sizes(history) == 0] = EXCLUDED
    seen = columns_of(left_out, model.warm_rows)
    exclude_entries(scores, seen, slice(0, seen.shape[0]))
    best = best_columns(scores, k=k)
    found = (best.scores - mean) / np.where(deviation > LEAST_DEVIATION, deviation, 1)
    return lists_of(Best(model.warm_rows[best.columns], found.astype(np.float32), best.sizes), model.papers)


def _factor_scores(folded: Floats, item_factors: Floats, *, weight: float) -> Floats:
    """(readers, warm) products at unit deviation, times the weight; zeros where they are all alike."""
    centred = item_factors - item_factors.mean(axis=0)
    covariance = (centred.T @ centred) / np.float32(max(len(centred), 1))
    variance = np.einsum("ij,jk,ik->i", folded, covariance, folded, optimize=True)
    deviation = np.sqrt(np.maximum(variance, 0))[:, None]
    scaled = np.where(deviation > LEAST_DEVIATION, folded * (weight / np.maximum(deviation, LEAST_DEVIATION)), 0)
    return np.asarray(scaled.astype(np.float32) @ item_factors.T, dtype=np.float32)


def _deviations(part: Floats) -> Floats:
    """(readers, 1) of scores; infinite where they are all alike."""
    deviation = np.sqrt(_variances(part))[:, None]
    return np.where(deviation > LEAST_DEVIATION, deviation, np.float32(np.inf)).astype(np.float32)


def _variances(scores: Floats) -> Floats:
    columns = scores.shape[1]
    mean = scores.sum(axis=1, dtype=np.float32) / np.float32(columns)
    squares = np.einsum("ij,ij->i", scores, scores) / np.float32(columns)
    return np.asarray(np.maximum(squares - mean * mean, 0), dtype=np.float32)
