"""Ranking quality of the defaults on real readers' saves (validation part)."""

from pathlib import Path

import pytest

from recommender.dataset import Dataset
from recommender.hybrid import Hybrid, HybridConfig
from tests.benchmarks.quality import SEED, measure, read_dataset, read_slices
from tests.shared import shared_data

LEAST = {"warm": (0.248, 0.372, 0.588), "cold": (0.2155, 0.343, 0.614), "all": (0.1955, 0.263, 0.507)}

pytestmark = [pytest.mark.quality, pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def folder() -> Path:
    return shared_data("citeulike")


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    return read_dataset(folder)


@pytest.fixture(scope="module")
def model(dataset: Dataset) -> Hybrid:
    return Hybrid.fit(dataset, HybridConfig(), seed=SEED)


@pytest.mark.parametrize("name", list(LEAST))
def test_the_defaults_reach_the_measured_figures(name: str, folder: Path, dataset: Dataset, model: Hybrid) -> None:
    part = next(part for part in read_slices(folder, dataset) if part.name == name)
    found = measure(model, dataset, part)
    ndcg, recall, deep = LEAST[name]
    assert found.ndcg >= ndcg
    assert found.recall >= recall
    assert found.deep_recall >= deep
