"""Categories of a list follow a reader's as far as the papers allow."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain import Csr, RankedList
from recommender.rerank import calibrate, category_matrix, category_shares
from recommender.rerank_categories import share_distance
from recommender.sparse import rows_of

NAMES = ("a", "b", "c", "d")
one_each = st.lists(st.sampled_from(NAMES).map(lambda name: [name]), min_size=1, max_size=60)
several = st.lists(st.lists(st.sampled_from(NAMES), max_size=3), min_size=1, max_size=60)
tastes = st.lists(st.integers(1, 9), min_size=len(NAMES), max_size=len(NAMES))


def list_of(size: int) -> RankedList:
    return RankedList(np.arange(size), np.linspace(1, 0, size).astype(np.float32))


def matrix_of(papers: list[list[str]]) -> Csr:
    """The matrix of the papers over all four names."""
    return rows_of(category_matrix([*papers, list(NAMES)]), slice(0, len(papers)))


def shares_of(taste: list[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(taste, dtype=np.float32) / np.float32(sum(taste))


def least_distance(papers: list[list[str]], taste: list[int], k: int) -> float:
    """What the best choice of k papers of one category each can reach."""
    counts = np.array([sum(of_paper == [name] for of_paper in papers) for name in NAMES])
    return float(np.maximum(shares_of(taste) * k - counts, 0).sum() / k)


def test_a_paper_counts_in_equal_parts_for_each_of_its_categories() -> None:
    matrix = category_matrix([["b", "a", "b"], [], ["c"]])
    assert matrix.toarray().tolist() == [[0.5, 0.5, 0], [0, 0, 0], [0, 0, 1]]
    assert category_shares(matrix).tolist() == [0.25, 0.25, 0.5]
    assert category_shares(matrix, np.array([3, 9, 1], np.float32)).tolist() == [0.375, 0.375, 0.25]
    assert category_shares(rows_of(matrix, slice(1, 2))).tolist() == [0, 0, 0]


@given(several, tastes, st.floats(0, 1), st.integers(1, 70))
def test_calibration_picks_k_distinct_papers_and_keeps_scores_sorted(
    papers: list[list[str]], taste: list[int], calibration: float, k: int
) -> None:
    before = list_of(len(papers))
    after = calibrate(before, matrix_of(papers), shares_of(taste), calibration=calibration, k=k)
    assert len(after) == min(k, len(papers)) == len(set(after.paper_ids.tolist()))
    assert np.all(np.diff(after.scores) <= 0)


@given(several, tastes, st.integers(1, 70))
def test_no_calibration_and_no_known_taste_change_nothing(papers: list[list[str]], taste: list[int], k: int) -> None:
    before, matrix = list_of(len(papers)), matrix_of(papers)
    untouched = before.paper_ids[:k].tolist()
    assert calibrate(before, matrix, shares_of(taste), calibration=0.0, k=k).paper_ids.tolist() == untouched
    nothing = np.zeros(len(NAMES), dtype=np.float32)
    assert calibrate(before, matrix, nothing, calibration=1.0, k=k).paper_ids.tolist() == untouched


@given(one_each, tastes, st.floats(0, 1), st.integers(1, 40))
def test_shares_are_within_the_tolerance_wherever_the_papers_allow(
    papers: list[list[str]], taste: list[int], calibration: float, k: int
) -> None:
    k = min(k, len(papers))
    matrix, shares = matrix_of(papers), shares_of(taste)
    after = calibrate(list_of(len(papers)), matrix, shares, calibration=calibration, k=k)
    reached = share_distance(category_shares(rows_of(matrix, after.paper_ids.astype(np.intp))), shares)
    whole_papers = len(NAMES) / k
    assert reached <= max(1 - calibration, least_distance(papers, taste, k)) + whole_papers + 1e-5


def test_every_page_of_a_list_is_within_the_tolerance_when_there_is_enough_of_everything() -> None:
    random = np.random.default_rng(5)
    papers = [random.choice(NAMES, random.integers(1, 4), p=[0.4, 0.2, 0.2, 0.2]).tolist() for _ in range(600)]
    matrix, shares = matrix_of(papers), shares_of([1, 1, 4, 2])
    distances = {}
    for calibration in (0.0, 0.5, 0.7, 0.9, 1.0):
        after = calibrate(list_of(600), matrix, shares, calibration=calibration, k=100)
        for page in (20, 50, 100):
            rows = after.paper_ids[:page].astype(np.intp)
            distances[calibration, page] = share_distance(category_shares(rows_of(matrix, rows)), shares)
            assert calibration == 0 or distances[calibration, page] <= 1 - calibration + 1 / page + 0.02
    by_strength = [distances[calibration, 100] for calibration in (0.0, 0.5, 0.7, 0.9, 1.0)]
    assert by_strength == sorted(by_strength, reverse=True)
    assert by_strength[0] > 0.2


def test_within_the_tolerance_the_better_paper_comes_first() -> None:
    papers = [["a"]] * 6 + [["b"]] * 6
    after = calibrate(list_of(12), matrix_of(papers), shares_of([1, 1, 0, 0]), calibration=1.0, k=6)
    assert after.paper_ids.tolist() == [0, 1, 6, 2, 7, 3]


def test_a_paper_without_category_keeps_its_place_and_does_not_count() -> None:
    papers: list[list[str]] = [["a"], [], ["a"], [], ["a"], ["b"], ["b"]]
    after = calibrate(list_of(7), matrix_of(papers), shares_of([0, 1, 0, 0]), calibration=1.0, k=4)
    assert after.paper_ids.tolist() == [0, 1, 3, 5]
