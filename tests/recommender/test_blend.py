"""The mix of what words say: of a reader's saves, and of the factors they predict."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.blend import Moments, curved
from recommender.config import HybridConfig
from recommender.domain import Floats

CONFIG = HybridConfig()
HALVES = st.lists(st.floats(-5, 30, width=32), min_size=2, max_size=12)


def moments(*, deviation: float = 1.0) -> Moments:
    return Moments(np.zeros((1, 1), np.float32), np.full((1, 1), deviation, np.float32))


def row(*values: float) -> Floats:
    return np.array([values], dtype=np.float32)


@given(HALVES, st.floats(-5, 30, width=32), st.floats(0.125, 8, width=32))
def test_a_better_half_never_gives_a_worse_mix(values: list[float], other: float, deviation: float) -> None:
    rising, level = row(*sorted(values)), np.full((1, len(values)), other, dtype=np.float32)
    for saves, likely in ((rising, level), (level, rising)):
        mix = curved(saves, likely, moments=moments(deviation=deviation), config=CONFIG)
        assert np.all(np.diff(mix) >= -1e-3)


def test_the_head_follows_the_saves_and_the_tail_the_factors() -> None:
    one = moments()
    head = curved(row(12.0, 2.0), row(1.0, 9.0), moments=one, config=CONFIG)[0]
    tail = curved(row(2.0, 0.5), row(0.2, 1.4), moments=one, config=CONFIG)[0]
    assert head[0] > head[1]
    assert tail[0] < tail[1]


def test_the_unit_of_scores_does_not_change_the_order() -> None:
    random = np.random.default_rng(0)
    saves, likely = random.gamma(1, 2, (2, 1, 50)).astype(np.float32)
    one = curved(saves, likely, moments=moments(deviation=2.0), config=CONFIG)
    other = curved(10 * saves, 10 * likely, moments=moments(deviation=20.0), config=CONFIG)
    assert np.allclose(10 * one, other, rtol=1e-4)


def test_papers_that_are_all_alike_score_zero() -> None:
    alike = moments(deviation=0.0)
    mix = curved(row(0.0, 0.0), row(0.0, 0.0), moments=alike, config=CONFIG)
    assert np.array_equal(mix, row(0.0, 0.0))
    assert np.array_equal(alike.standardise(row(3.0, 3.0)), row(0.0, 0.0))
