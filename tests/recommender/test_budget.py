"""What parts of a hybrid may cost."""

from dataclasses import replace

import numpy as np
import pytest

from recommender import budget
from recommender.config import HybridConfig
from recommender.hybrid import Hybrid
from recommender.items import fit_bytes
from recommender.sparse import columns_of
from tests.planted import plant
from tests.recommender.kit import SMALL

DATASET = plant(readers=60, papers=400).dataset()
HISTORY = columns_of(DATASET.user_items, np.unique(DATASET.user_items.indices))
CONFIG = HybridConfig(rank=128, work_ratio=0.0)


def of(gflop: float, config: HybridConfig = CONFIG) -> budget.Allowance:
    return budget.allowance(HISTORY, replace(config, work_budget_gflop=gflop), dim=0)


def test_the_defaults_take_nothing_from_a_research_group() -> None:
    allowed = budget.allowance(HISTORY, HybridConfig(), dim=400)
    assert allowed == budget.Allowance(256, True, True, ())


def test_less_work_allows_less_of_everything_and_says_so() -> None:
    plenty, some, none = of(1000), of(0.9), of(0)
    assert plenty.rank > some.rank > none.rank == budget.LEAST_RANK
    assert plenty.has_items >= some.has_items >= none.has_items
    assert not none.has_items
    assert not plenty.notes
    assert any("factors" in note for note in none.notes)
    assert any("item weights" in note for note in none.notes)
    assert any("neighbours" in note for note in none.notes)


def test_what_is_allowed_costs_no_more_than_the_budget() -> None:
    for gflop in (0.2, 0.5, 1.0, 5.0):
        allowed = of(gflop)
        spent = budget.factor_work(HISTORY, allowed.rank, CONFIG.epochs)
        spent += budget.item_work(HISTORY, 0) if allowed.has_items else 0
        spent += budget.neighbour_work(HISTORY) if allowed.has_neighbours else 0
        assert allowed.rank == budget.LEAST_RANK or spent <= gflop * budget.GIGA


def test_work_saved_on_item_weights_buys_factors() -> None:
    config = replace(CONFIG, neighbour_weight=0.0)
    gflop = budget.factor_work(HISTORY, 64, CONFIG.epochs) / budget.GIGA
    with_items, without = of(gflop, config), of(gflop, replace(config, memory_budget_mb=0.1))
    assert with_items.has_items
    assert not without.has_items
    assert without.rank == 64 > with_items.rank


def test_the_allowance_grows_with_what_bare_als_would_take() -> None:
    readers, papers = HISTORY.shape
    gflop = budget.bare_work(readers, papers, HISTORY.nnz) / budget.GIGA
    assert of(0, replace(CONFIG, work_ratio=3.0)) == of(3.0 * gflop)


@pytest.mark.parametrize("gflop", [0.0, 0.2])
def test_a_model_under_a_budget_still_ranks_and_knows_what_it_lacks(gflop: float) -> None:
    model = Hybrid.fit(DATASET, replace(CONFIG, work_budget_gflop=gflop, num_threads=1), seed=0)
    assert model.config.rank < CONFIG.rank
    assert (model.items is not None) == of(gflop).has_items
    assert any("more would pass the budget of work" in note for note in model.notes)
    lists = [ranked for block in model.recommend_users(DATASET.user_items, k=5) for ranked in block]
    assert [len(ranked) for ranked in lists] == [5] * len(lists)


def test_item_weights_that_pass_the_memory_are_left_out_and_the_model_says_so() -> None:
    readers, papers = HISTORY.shape
    needed = fit_bytes(readers, 8, papers) / 1e6
    for budget_mb, has_items in ((needed * 1.01, True), (needed * 0.99, False)):
        config = replace(SMALL, item_text_dim=8, memory_budget_mb=budget_mb)
        model = Hybrid.fit(DATASET, config, seed=0)
        assert (model.items is not None) == has_items
        assert any("budget of memory" in note for note in model.notes) != has_items


def test_words_give_up_letter_groups_first_and_then_directions() -> None:
    kept = []
    for gflop in (1000.0, 12.0, 3.0, 0.0):
        config = HybridConfig(work_ratio=0.0, work_budget_gflop=gflop)
        thin = budget.thin_words(DATASET.user_items, DATASET.texts, config)
        kept.append((thin.content_dim, thin.text_dim, thin.gram_dim))
    assert kept == [(384, 256, 256), (384, 256, 0), (128, 128, 0), (64, 64, 0)]


def test_a_model_with_fewer_directions_of_words_ranks_and_says_so() -> None:
    model = Hybrid.fit(DATASET, replace(CONFIG, work_budget_gflop=0.0, num_threads=1), seed=0)
    assert model.encoder is not None
    assert model.encoder.directions <= 64
    assert model.encoder.gram_components.shape[1] == 0
    assert any("letter groups" in note for note in model.notes)
    assert Hybrid.fit(DATASET, SMALL, seed=0).encoder is not None
    assert not any("letter groups" in note for note in Hybrid.fit(DATASET, SMALL, seed=0).notes)


def test_what_words_take_is_not_there_for_factors_but_never_more_than_their_share() -> None:
    gflop = budget.factor_work(HISTORY, 64, CONFIG.epochs) / budget.GIGA
    config = replace(CONFIG, work_budget_gflop=gflop, item_weight=0.0, neighbour_weight=0.0)
    found = [budget.allowance(HISTORY, config, dim=0, words=words * gflop * budget.GIGA) for words in (0.0, 0.25, 9.0)]
    assert found[0].rank == 64 > found[1].rank == found[2].rank
    assert [any("lists for everybody" in note for note in allowed.notes) for allowed in found] == [False, False, True]
