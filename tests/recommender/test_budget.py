"""What parts of a hybrid may cost."""

from dataclasses import replace

import numpy as np
import pytest

from recommender import budget
from recommender.config import HybridConfig
from recommender.hybrid import Hybrid
from recommender.items import fit_bytes, largest_head
from recommender.sparse import columns_of
from tests.planted import plant

DATASET = plant(readers=60, papers=400).dataset()
HISTORY = columns_of(DATASET.user_items, np.unique(DATASET.user_items.indices))
CONFIG = HybridConfig(rank=128, work_ratio=0.0)


def of(gflop: float, config: HybridConfig = CONFIG) -> budget.Allowance:
    return budget.allowance(HISTORY, replace(config, work_budget_gflop=gflop), dim=0)


def test_the_defaults_take_nothing_from_a_research_group() -> None:
    allowed = budget.allowance(HISTORY, HybridConfig(), dim=400)
    assert allowed == budget.Allowance(256, True, HISTORY.shape[1], ())


def test_less_work_allows_less_of_everything_and_says_so() -> None:
    plenty, some, none = of(1000), of(0.3), of(0)
    assert plenty.rank > some.rank > none.rank == budget.LEAST_RANK
    assert plenty.item_papers >= some.item_papers >= none.item_papers == 0
    assert not plenty.notes
    assert any("factors" in note for note in none.notes)
    assert any("item weights" in note for note in none.notes)
    assert any("neighbours" in note for note in none.notes)


def test_what_is_allowed_costs_no_more_than_the_budget() -> None:
    for gflop in (0.2, 0.5, 1.0, 5.0):
        allowed = of(gflop)
        spent = budget.list_work(HISTORY, allowed.rank) + budget.als_work(HISTORY, allowed.rank, CONFIG.epochs)
        spent += budget.item_work(HISTORY, 0, allowed.item_papers) if allowed.item_papers else 0
        spent += budget.neighbour_work(HISTORY) if allowed.has_neighbours else 0
        assert allowed.rank == budget.LEAST_RANK or spent <= gflop * budget.GIGA


def test_the_allowance_grows_with_what_bare_als_would_take() -> None:
    readers, papers = HISTORY.shape
    gflop = budget.bare_work(readers, papers, HISTORY.nnz) / budget.GIGA
    assert of(0, replace(CONFIG, work_ratio=3.0)) == of(3.0 * gflop)


@pytest.mark.parametrize("gflop", [0.0, 0.2])
def test_a_model_under_a_budget_still_ranks_and_knows_what_it_lacks(gflop: float) -> None:
    model = Hybrid.fit(DATASET, replace(CONFIG, work_budget_gflop=gflop, num_threads=1), seed=0)
    assert model.config.rank < CONFIG.rank
    assert (model.items is None) == (of(gflop).item_papers == 0)
    assert any("more would pass the budget of work" in note for note in model.notes)
    lists = [ranked for block in model.recommend_users(DATASET.user_items, k=5) for ranked in block]
    assert [len(ranked) for ranked in lists] == [5] * len(lists)


@pytest.mark.parametrize(("readers", "dim"), [(100, 10), (5000, 400), (100_000, 0)])
def test_the_head_is_the_largest_that_fits_the_memory(readers: int, dim: int) -> None:
    for budget_mb in (1.0, 50.0, 2500.0):
        head = largest_head((readers, 20_000), dim, budget_mb=budget_mb)
        assert fit_bytes(readers, dim, head) <= budget_mb * 1e6
        assert head == 20_000 or fit_bytes(readers, dim, head + 1) > budget_mb * 1e6
