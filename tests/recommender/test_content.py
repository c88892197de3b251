"""The ridge on text against the formula written out."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from recommender.blend import without_own
from recommender.content import ContentMap, Rarity, Weights
from recommender.domain import Csr, Floats
from recommender.sparse import as_csr, product

PAPERS, TERMS, DENSE, RANK = 20, 6, 3, 2
WEIGHTS = Weights(vector=0.3, grams=2.0, sentence=20.0, saves_l2=0.5, als_l2=0.2)
RANDOM = np.random.default_rng(0)
FEATURES = as_csr(csr_array(RANDOM.random((PAPERS, TERMS)).astype(np.float32)))
FACTORS = RANDOM.normal(size=(PAPERS, RANK)).astype(np.float32)
POPULARITY = RANDOM.integers(1, 30, PAPERS).astype(np.float32)
RARITY = Rarity.of(POPULARITY, readers=50)


def coords() -> Floats:
    """All directions of the sparse rows, so that nothing lies outside, and some dense ones."""
    _, _, directions = np.linalg.svd(FEATURES.toarray(), full_matrices=False)
    dense = np.random.default_rng(1).normal(size=(PAPERS, DENSE))
    return np.concatenate([FEATURES @ directions.T, dense], axis=1).astype(np.float32)


def fitted() -> ContentMap:
    return ContentMap.fit(FEATURES, coords(), directions=TERMS, targets=FACTORS, rarity=RARITY, weights=WEIGHTS)


def kernel() -> Floats:
    dense = coords()[:, TERMS:]
    return np.asarray(FEATURES.toarray() @ FEATURES.toarray().T + dense @ dense.T, dtype=np.float32)


def smoothing(l2: float) -> Floats:
    """K (K + l2 t)^-1 with t the mean kernel of a paper with itself."""
    known = kernel().astype(np.float64)
    return np.asarray(known @ np.linalg.inv(known + l2 * np.diag(known).mean() * np.eye(PAPERS)), np.float32)


def scores_of(saves: Csr) -> Floats:
    found = fitted()
    summed = np.asarray(saves @ coords(), dtype=np.float32)
    return found.score_saves(product(saves, FEATURES), summed, features=FEATURES, coords=coords())


def saves() -> Csr:
    chosen = np.random.default_rng(2).random((4, PAPERS)) < 0.3
    return as_csr(csr_array(chosen.astype(np.float32)))


def test_scores_are_those_of_the_ridge_of_the_saves() -> None:
    assert scores_of(saves()) == pytest.approx(saves().toarray() @ smoothing(WEIGHTS.saves_l2).T, abs=1e-4)


def test_predicted_factors_are_those_of_the_ridge_of_the_factors() -> None:
    found = fitted().factors(FEATURES, coords())
    assert found == pytest.approx(smoothing(WEIGHTS.als_l2) @ FACTORS, abs=1e-4)


def test_a_paper_is_scored_as_if_it_had_been_left_out() -> None:
    rare = saves().multiply(RARITY.of_papers).toarray().astype(np.float32)
    scores = without_own(scores_of(as_csr(csr_array(rare))), saves(), fitted())
    reader, paper = 0, int(saves().indices[0])
    others = np.delete(np.arange(PAPERS), paper)
    known = kernel().astype(np.float64)
    l2 = WEIGHTS.saves_l2 * np.diag(known).mean() * np.eye(PAPERS - 1)
    dual = np.linalg.solve(known[np.ix_(others, others)] + l2, rare[reader, others])
    assert scores[reader, paper] == pytest.approx(known[paper, others] @ dual, abs=1e-3)


def test_rare_papers_say_more_and_the_average_save_says_one() -> None:
    order = np.argsort(POPULARITY, kind="stable")
    assert np.all(np.diff(RARITY.of_papers[order]) <= 0)
    assert RARITY.of_new > RARITY.of_papers.max()
    assert np.average(RARITY.of_papers, weights=POPULARITY) == pytest.approx(1.0, abs=1e-5)
    assert Rarity.of(np.zeros(3, np.float32), readers=5).of_papers.tolist() == [1.0, 1.0, 1.0]
