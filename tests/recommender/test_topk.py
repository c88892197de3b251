"""The best columns, against sorting everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from recommender.domain import Csr, Floats
from recommender.scoring import top_lists
from recommender.sparse import as_csr, empty_csr
from recommender.topk import EXCLUDED, NO_COLUMN, Best, best_columns, factor_lists
from recommender.vocabulary import Vocabulary

EDGES = [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan]
ANY = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40),
    elements=st.one_of(st.sampled_from(EDGES), st.floats(-3, 3, width=32)),
)


def by_sorting(row: Floats, k: int) -> list[int]:
    """Columns by score, then place; neither -inf nor NaN."""
    usable = [column for column in range(len(row)) if row[column] > -np.inf]
    return sorted(usable, key=lambda column: (-float(row[column]), column))[:k]


def lists(best: Best) -> list[list[int]]:
    return [row[row != NO_COLUMN].tolist() for row in best.columns]


def world(*, readers: int, papers: int, rank: int, seed: int = 0) -> tuple[Floats, Floats, Csr]:
    random = np.random.default_rng(seed)
    of_papers = random.standard_normal((papers, rank), dtype=np.float32) * random.pareto(2, (papers, 1))
    seen = as_csr(csr_matrix(random.random((readers, papers)) < 0.05, dtype=np.float32))
    return random.standard_normal((readers, rank), dtype=np.float32), of_papers.astype(np.float32), seen


@given(scores=ANY, k=st.integers(0, 50))
def test_it_is_the_head_of_everything_sorted(scores: Floats, k: int) -> None:
    best = best_columns(scores, k=k)
    expected = [by_sorting(row, k) for row in scores]
    assert lists(best) == expected
    assert best.sizes.tolist() == [len(row) for row in expected]
    for row, columns, found in zip(scores, expected, best.scores, strict=True):
        assert np.array_equal(found[: len(columns)], row[columns])
        assert (found[len(columns) :] == EXCLUDED).all()


@given(seed=st.integers(0, 10_000), k=st.sampled_from([1, 3, 20]), levels=st.sampled_from([2, 5, 50, 100_000]))
def test_groups_of_columns_lose_nothing(seed: int, k: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, levels, (5, 1003)).astype(np.float32)
    scores[random.random(scores.shape) < random.choice([0, 0.5, 0.999])] = -np.inf
    scores[2] = -np.inf
    best = best_columns(scores, k=k)
    assert lists(best) == [by_sorting(row, k) for row in scores]
    assert best.sizes[2] == 0


def test_the_scores_are_left_as_they_were() -> None:
    scores = np.random.default_rng(0).standard_normal((4, 900), dtype=np.float32)
    before = scores.copy()
    best_columns(scores, k=3)
    assert np.array_equal(scores, before)


def test_a_strided_view_of_scores_ranks_like_its_copy() -> None:
    whole = np.random.default_rng(0).standard_normal((8, 2000), dtype=np.float32)
    for view in (whole[::2, 500:], whole.T, whole[:, ::-3]):
        assert lists(best_columns(view, k=5)) == lists(best_columns(np.ascontiguousarray(view), k=5))


def test_nothing_to_rank_gives_empty_lists() -> None:
    nothing = np.empty((3, 0), dtype=np.float32)
    assert [len(row) for row in top_lists(nothing, Vocabulary.build(np.empty(0, np.int64)), k=5)] == [0, 0, 0]
    assert top_lists(nothing[:0], Vocabulary.build(np.empty(0, np.int64)), k=5) == []


@pytest.mark.parametrize(("readers", "papers"), [(1, 300), (100, 1200), (101, 1200), (350, 2500)])
def test_lists_by_factors_are_those_of_implicit(readers: int, papers: int) -> None:
    of_readers, of_papers, seen = world(readers=readers, papers=papers, rank=16)
    with threadpool_limits(1, user_api="blas"):
        bare = AlternatingLeastSquares(factors=16)
        bare.user_factors, bare.item_factors = of_readers, of_papers
        ids, scores = bare.recommend(np.arange(readers), csr_matrix(seen), N=50)
    blocks = list(factor_lists(of_readers, of_papers, seen, k=50))
    assert [block.start for block, _ in blocks] == list(range(0, readers, 100))
    found = np.concatenate([best.scores for _, best in blocks])
    columns = np.concatenate([best.columns for _, best in blocks])
    assert np.array_equal(found, scores)
    is_tied = (np.diff(scores, axis=1, prepend=np.inf) == 0) | (np.diff(scores, axis=1, append=-np.inf) == 0)
    assert np.array_equal(columns[~is_tied], ids[~is_tied])


def test_readers_never_get_what_they_have_seen() -> None:
    of_readers, of_papers, seen = world(readers=150, papers=700, rank=4)
    for block, best in factor_lists(of_readers, of_papers, seen, k=700, threads=2):
        has = seen[block].toarray() > 0
        assert best.sizes.tolist() == (~has).sum(axis=1).tolist()
        for row, columns in zip(has, lists(best), strict=True):
            assert not row[columns].any()


def test_more_threads_give_the_same_lists() -> None:
    of_readers, of_papers, seen = world(readers=350, papers=900, rank=8)
    one, two = (
        [lists(best) for _, best in factor_lists(of_readers, of_papers, seen, k=10, threads=threads)]
        for threads in (1, 2)
    )
    assert one == two


def test_nobody_to_rank_for_is_no_block() -> None:
    of_readers, of_papers, _ = world(readers=1, papers=10, rank=2)
    assert list(factor_lists(of_readers[:0], of_papers, empty_csr(0, 10), k=3)) == []
