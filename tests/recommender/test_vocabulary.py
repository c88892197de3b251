"""Ids and rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.vocabulary import UNKNOWN_ROW, Vocabulary

words = st.lists(st.text("abcdé", min_size=1, max_size=4), max_size=20)


@given(words, words)
def test_extending_keeps_old_rows_and_appends_new_ids_once(first: list[str], second: list[str]) -> None:
    old = Vocabulary.build(np.array(first, dtype=np.str_))
    new = old.extend(np.array(second, dtype=np.str_))
    assert new.in_row_order[: len(old)].tolist() == old.in_row_order.tolist()
    assert sorted(new.in_row_order.tolist()) == sorted(set(first) | set(second))
    assert new.extend(np.array(second, dtype=np.str_)) is new


@given(st.lists(st.integers(-(2**62), 2**62), max_size=30), st.lists(st.integers(-9, 9), max_size=10))
def test_rows_and_ids_undo_each_other(known: list[int], asked: list[int]) -> None:
    vocabulary = Vocabulary.build(np.array(known, dtype=np.int64))
    rows = vocabulary.rows(np.array(asked, dtype=np.int64))
    assert rows.dtype == np.int32
    for paper_id, row in zip(asked, rows.tolist(), strict=True):
        assert (row == UNKNOWN_ROW) == (paper_id not in known)
        if row != UNKNOWN_ROW:
            assert vocabulary.ids(np.array([row])).tolist() == [paper_id]


def test_ids_out_of_order_are_refused_as_sorted() -> None:
    with pytest.raises(ValueError, match="ascending"):
        Vocabulary.from_sorted(np.array([2, 1]))
    with pytest.raises(ValueError, match="distinct"):
        Vocabulary.from_rows(np.array([3, 1, 3]))


def test_ids_of_another_type_are_a_mistake_not_unknown() -> None:
    with pytest.raises(TypeError, match="vocabulary holds int64"):
        Vocabulary.build(np.array([1, 2])).rows(np.array(["1"]))
    with pytest.raises(TypeError, match="float64"):
        Vocabulary.build(np.array([1.5]))


def test_an_unknown_row_has_no_name() -> None:
    with pytest.raises(IndexError, match="negative"):
        Vocabulary.build(np.array([1, 2])).ids(np.array([UNKNOWN_ROW]))


def test_an_empty_vocabulary_knows_nothing() -> None:
    empty = Vocabulary.build(np.array([]))
    assert len(empty) == 0
    assert empty.rows(np.array(["a"])).tolist() == [UNKNOWN_ROW]
    assert empty.extend(np.array(["b", "a", "b"])).in_row_order.tolist() == ["b", "a"]
