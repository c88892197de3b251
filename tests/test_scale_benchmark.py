"""The benchmarks of scale, on sizes that take no time."""

import numpy as np
import pytest

from tests.benchmarks.lists import race
from tests.benchmarks.scale import compare
from tests.benchmarks.scale_data import PAIRS, PAPERS, READERS, Size, dataset_of, make_pairs

SMALL = Size(readers=600, papers=500, pairs=12_000)


def test_pairs_are_distinct_sorted_and_as_many_as_asked() -> None:
    pairs = make_pairs(SMALL, seed=3)
    assert pairs.shape == (600, 500)
    assert pairs.nnz == 12_000
    assert pairs.has_canonical_format
    assert np.diff(pairs.indptr).min() >= 1
    assert 0 <= pairs.indices.min() <= pairs.indices.max() < 500


def test_the_same_seed_gives_the_same_pairs() -> None:
    first, second, other = (make_pairs(SMALL, seed=seed).indices for seed in (3, 3, 4))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_few_readers_and_papers_have_much() -> None:
    pairs = make_pairs(SMALL, seed=0)
    for counts in (np.diff(pairs.indptr), np.bincount(pairs.indices, minlength=500)):
        assert np.sort(counts)[-len(counts) // 10 :].sum() > 2 * counts.sum() / 10


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        make_pairs(Size(readers=10, papers=10, pairs=100), seed=0)


def test_a_share_of_the_size_keeps_histories_as_long() -> None:
    assert Size.scaled(1.0) == Size(READERS, PAPERS, PAIRS)
    tenth = Size.scaled(0.1)
    assert tenth.pairs / tenth.readers == pytest.approx(PAIRS / READERS, rel=0.01)


def test_papers_of_a_topic_share_words() -> None:
    dataset = dataset_of(make_pairs(SMALL, seed=0), seed=0, has_texts=True)
    assert len({title for title in dataset.texts.titles if title}) == 500


def test_lists_by_factors_are_those_of_implicit() -> None:
    found = race(Size(300, 1500, 9_000), rank=16, rounds=1, k=50)
    assert found.same_scores
    assert found.others == 0


@pytest.mark.slow
def test_both_contestants_are_measured_in_processes_of_their_own() -> None:
    found = compare(SMALL, has_texts=False)
    costs = [found["bare"], found["ours"]]
    assert all(isinstance(cost, dict) and cost["lists"] == 600 and cost["peak_megabytes"] > 10 for cost in costs)
