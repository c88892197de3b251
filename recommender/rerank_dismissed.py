"""Papers like those a reader dismissed stand further down."""

import numpy as np

from recommender.domain import Floats


def likeness_to_dismissed(vectors: Floats, dismissed: Floats) -> Floats:
    """(papers,) from 0 to 1: the cosine with the nearest dismissed paper, 0 below that or where there are no words.

    Both are (papers, dim) of length 1, or 0 for a paper without words. The nearest one alone counts: a second
    dismissal of the same kind takes a paper no further down, and many of different kinds do not add up to a verdict.
    """
    if len(vectors) == 0 or len(dismissed) == 0:
        return np.zeros(len(vectors), dtype=np.float32)
    return np.asarray((vectors @ dismissed.T).max(axis=1).clip(0.0, 1.0), dtype=np.float32)
