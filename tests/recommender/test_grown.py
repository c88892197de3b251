"""Matrices that grow by parts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from recommender.domain import Csr, Floats
from recommender.grown import Grown, weighted_rows
from recommender.sparse import as_csr, from_lists

WIDTH = 3
sizes = st.lists(st.integers(1, 9), min_size=1, max_size=8)


def dense(rows: int, *, start: int = 0) -> Floats:
    return (start + np.arange(rows * WIDTH, dtype=np.float32)).reshape(rows, WIDTH)


def grown(counts: list[int]) -> tuple[Grown[Floats], Grown[Csr], Floats]:
    parts = [dense(count, start=100 * at + 1) for at, count in enumerate(counts)]
    rows, sparse = Grown.of(parts[0]), Grown.of(as_csr(csr_array(parts[0])))
    for part in parts[1:]:
        rows, sparse = rows.extended(part), sparse.extended(as_csr(csr_array(part)))
    return rows, sparse, np.concatenate(parts)


@given(sizes, st.data())
def test_any_rows_are_those_of_the_whole(counts: list[int], data: st.DataObject) -> None:
    rows, sparse, whole = grown(counts)
    asked = np.array(data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=12)), dtype=np.int64)
    assert np.array_equal(rows.take(asked), whole[asked])
    assert np.array_equal(sparse.take(asked).toarray(), whole[asked])
    assert np.array_equal(rows.whole(), whole)
    assert np.array_equal(sparse.whole().toarray(), whole)
    assert rows.shape == sparse.shape == whole.shape


@given(sizes, st.data())
def test_a_weighted_sum_needs_only_the_rows_that_have_weights(counts: list[int], data: st.DataObject) -> None:
    rows, sparse, whole = grown(counts)
    saved = np.unique(data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=6)))
    weights = from_lists([saved, saved[:1]], None, len(whole))
    wanted = weights.toarray() @ whole
    assert np.allclose(weighted_rows(weights, rows), wanted)
    assert np.allclose(weighted_rows(weights, sparse).toarray(), wanted)


@given(sizes)
def test_spans_cover_every_row_once_and_both_kinds_have_the_same(counts: list[int]) -> None:
    rows, sparse, whole = grown(counts)
    covered = np.concatenate([np.arange(len(whole))[span] for span, _ in rows.spans()])
    assert covered.tolist() == list(range(len(whole)))
    assert [span for span, _ in rows.spans()] == [span for span, _ in sparse.spans()]


def test_growing_never_copies_what_was_fitted() -> None:
    first = dense(50)
    rows = Grown.of(first)
    for count in range(1, 30):
        rows = rows.extended(dense(count))
    assert rows.parts[0] is first
    assert rows.whole()[:50].tolist() == first.tolist()


def test_many_small_additions_leave_few_parts() -> None:
    rows = Grown.of(dense(4))
    for _ in range(1000):
        rows = rows.extended(dense(1))
    assert len(rows) == 1004
    assert len(rows.parts) <= 11


def test_the_shorter_value_is_unchanged() -> None:
    short = Grown.of(dense(4)).extended(dense(2))
    longer = short.extended(dense(2, start=50))
    assert len(short) == 6
    assert np.array_equal(longer.take(np.arange(6)), short.whole())


@given(sizes, st.data())
def test_products_with_chosen_rows_are_those_of_the_whole(counts: list[int], data: st.DataObject) -> None:
    rows, sparse, whole = grown(counts)
    asked = np.array(data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=12)), dtype=np.int64)
    weights = np.array([[1, -2], [0, 3], [5, 0.5]], dtype=np.float32)
    assert np.allclose(rows.times(weights, rows=asked), whole[asked] @ weights)
    assert np.allclose(sparse.times(weights, rows=asked), whole[asked] @ weights)


def test_products_of_scattered_and_of_neighbouring_rows_agree_over_many_blocks() -> None:
    whole = np.random.default_rng(0).standard_normal((40_000, WIDTH), dtype=np.float32)
    rows, sparse = Grown.of(whole), Grown.of(as_csr(csr_array(whole)))
    weights = np.array([[1], [-2], [3]], dtype=np.float32)
    scattered, near = np.arange(0, 40_000, 7), np.arange(100, 9_000)
    for asked in (scattered, near, np.random.default_rng(1).permutation(near)):
        assert np.allclose(rows.times(weights, rows=asked), whole[asked] @ weights, atol=1e-5)
        assert np.allclose(sparse.times(weights, rows=asked), whole[asked] @ weights, atol=1e-5)
