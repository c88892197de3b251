"""In what unit the scores of a list compare: few scores far from all others, above or below, do not change it."""

import numpy as np

from recommender.domain import Floats

HEAD = 20  # scores, the best above the lowest, whose middle says how far the head of a list reaches: a page
FARTHEST = 2.0  # what a best score lies above the lowest, in units of that middle; more is an outlier
TAIL_SHARE = 20  # one score in so many may lie below what counts as the lowest


def to_relevance(scores: Floats) -> Floats:
    """The scores from 0 to 1 over the list, outliers beyond: order and ratios of differences stay as they are."""
    low, high = ordinary_range(scores)
    return np.asarray((scores - low) / ((high - low) or 1.0), dtype=np.float32)


def ordinary_spread(scores: Floats) -> float:
    """The standard deviation of the scores with outliers moved to where they begin; 1 where all are equal."""
    low, high = ordinary_range(scores)
    return float(np.clip(scores, low, high).std()) if low < high else 1.0


def ordinary_range(scores: Floats) -> tuple[float, float]:
    """The lowest and the highest score that are no outliers; up to nine papers far above a list do not move it.

    A single paper whose words match a term exactly can have many times the score of all others: by the range of all,
    those would be equally relevant.
    """
    if len(scores) == 0:
        return 0.0, 0.0
    ascending = np.sort(scores).astype(np.float64)
    low = float(ascending[len(ascending) // TAIL_SHARE])
    above = (ascending[ascending > low] - low)[::-1][:HEAD]
    if len(above) == 0:
        return low, low
    return low, low + min(float(above[0]), FARTHEST * float(above[len(above) // 2]))
