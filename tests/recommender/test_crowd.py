"""Fast lists against those of the blend."""

from dataclasses import replace

import numpy as np
import pytest

from recommender import crowd
from recommender.config import HybridConfig
from recommender.domain import Ask, PaperTexts
from recommender.hybrid import Hybrid
from recommender.sparse import as_csr, empty_csr, rows_of, stacked
from tests.planted import plant
from tests.recommender.kit import SMALL

NO_WORDS = replace(SMALL, neighbour_weight=0.0)


def wordless(config: HybridConfig) -> tuple[Hybrid, HybridConfig]:
    dataset = plant(readers=80, papers=200).dataset()
    silent = replace(dataset, texts=PaperTexts.empty(dataset.papers.in_row_order))
    return Hybrid.fit(silent, config, seed=0), config


@pytest.mark.parametrize(
    "config",
    [NO_WORDS, replace(NO_WORDS, item_weight=0.0), replace(NO_WORDS, memory_budget_mb=0.01)],
    ids=["both", "factors", "no memory"],
)
def test_they_are_the_lists_of_the_blend(config: HybridConfig) -> None:
    model, _ = wordless(config)
    liked = plant(readers=80, papers=200).dataset().user_items
    liked = stacked(liked, empty_csr(1, liked.shape[1]))
    assert crowd.applies(model, liked, k=10)
    expected = model._lists(liked, None, left_out=liked, asks=[Ask(10)])[0]
    for fast, slow in zip(crowd.crowd_lists(model, liked, left_out=liked, k=10), expected, strict=True):
        assert np.array_equal(fast.paper_ids, slow.paper_ids)
        assert np.allclose(fast.scores, slow.scores, atol=1e-3)


def test_words_or_neighbours_take_the_other_way() -> None:
    liked = plant(readers=80, papers=200).dataset().user_items
    with_words = Hybrid.fit(plant(readers=80, papers=200).dataset(), NO_WORDS, seed=0)
    assert not crowd.applies(with_words, liked, k=10)
    assert not crowd.applies(wordless(SMALL)[0], liked, k=10)


def test_lists_longer_than_what_has_history_take_the_other_way() -> None:
    model, _ = wordless(NO_WORDS)
    nobody = empty_csr(1, len(model.papers))
    assert crowd.applies(model, nobody, k=len(model.warm_rows))
    assert not crowd.applies(model, nobody, k=len(model.warm_rows) + 1)


def test_everybody_at_once_is_ranked_like_one_by_one() -> None:
    model, _ = wordless(NO_WORDS)
    liked = plant(readers=80, papers=200).dataset().user_items
    together = [ranked for block in model.recommend_users(liked, k=10) for ranked in block]
    for reader in range(0, 80, 7):
        row = as_csr(rows_of(liked, slice(reader, reader + 1)))
        [alone] = next(iter(model.recommend_users(row, k=10)))
        assert np.array_equal(alone.paper_ids, together[reader].paper_ids)
