"""Figures that mean what they say."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import pytest

from recommender.baselines import Progress, Recommender
from recommender.contestants import HYBRID, MODELS, Fit, contestants
from recommender.dataset import Dataset
from recommender.domain import Csr, Ids, PaperTexts, RankedList
from recommender.protocols import hide
from recommender.report import Contestant, evaluate, metric_names
from recommender.slices import Protocol, Wanted, plan_split
from recommender.sparse import row_sizes
from recommender.vocabulary import Vocabulary
from tests.planted import Planted, plant
from tests.recommender.kit import SMALL, WEIGHTS

QUALITY = ("ndcg@20", "recall@100", "mrr@20", "hit_rate@20")


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant(readers=80, papers=160, saves_per_reader=14)


@pytest.fixture(scope="module")
def protocol(world: Planted) -> Protocol:
    hidden = hide(world.interactions, kind="auto", weights=WEIGHTS, seed=0)
    return plan_split(hidden, world.texts, weights=WEIGHTS, wanted=Wanted())


def measured(protocol: Protocol, fits: dict[str, Fit], *, k: int = 20) -> dict[str, Contestant]:
    ticks = count()
    return evaluate(protocol, fits, k=k, seed=0, clock=lambda: float(next(ticks)), progress=lambda _what, _share: None)


@dataclass(frozen=True)
class Oracle:
    """Knows the answers of every question it is asked."""

    papers: Vocabulary
    protocol: Protocol

    def recommend_users(
        self, user_items: Csr, *, k: int, exclude: Csr | None = None, candidates: Ids | None = None
    ) -> Iterator[list[RankedList]]:
        part = next(part for trial in self.protocol.trials for part in trial.slices if part.questions is user_items)
        ends = np.cumsum(row_sizes(part.answers))
        found = (
            part.answers.indices[end - size : end] for end, size in zip(ends, row_sizes(part.answers), strict=True)
        )
        yield [RankedList(self.papers.ids(rows[:k]), np.ones(len(rows[:k]), np.float32)) for rows in found]

    def recommend(self, *_arguments: object, **_options: object) -> list[RankedList]:
        raise NotImplementedError


def oracle(protocol: Protocol) -> Fit:
    def fit(dataset: Dataset, _progress: Progress) -> Recommender:
        return Oracle(dataset.papers, protocol)

    return fit


def test_who_knows_the_answers_scores_one_on_every_slice(protocol: Protocol) -> None:
    slices = measured(protocol, {"oracle": oracle(protocol)})["oracle"].slices
    assert len(slices) == 6
    for part in slices.values():
        for name in QUALITY:
            assert part.figures[name].low == pytest.approx(1.0)


def test_every_model_is_measured_by_the_same_rules(protocol: Protocol) -> None:
    found = measured(protocol, contestants(list(MODELS), SMALL, seed=0))
    assert list(found) == list(MODELS)
    for contestant in found.values():
        for part in contestant.slices.values():
            assert tuple(part.figures) == metric_names(20)
            assert set(part.per_reader) == set(metric_names(20)) - {"coverage@20", "gini@20"}
            for name, figure in part.figures.items():
                assert figure.low - 1e-9 <= figure.mean <= figure.high + 1e-9, name
    for name in ("warm", "all"):
        ndcg = {model: found[model].slices[name].figures["ndcg@20"].mean for model in found}
        assert ndcg["popularity"] < min(ndcg["als"], ndcg["content"])
    assert (
        found[HYBRID].slices["warm"].figures["ndcg@20"].low > found["popularity"].slices["warm"].figures["ndcg@20"].high
    )


def test_words_find_papers_without_history_and_factors_do_not(protocol: Protocol) -> None:
    found = measured(protocol, contestants(["content", "als"], SMALL, seed=0))
    cold = {name: contestant.slices["cold-paper"].figures["ndcg@20"] for name, contestant in found.items()}
    assert cold["content"].low > cold["als"].high


def test_figures_are_means_over_readers(protocol: Protocol) -> None:
    part = measured(protocol, contestants(["popularity"], SMALL, seed=0))["popularity"].slices["warm"]
    for name, values in part.per_reader.items():
        assert part.figures[name].mean == pytest.approx(values.mean())


def test_without_words_diversity_is_not_measured(world: Planted) -> None:
    hidden = hide(world.interactions, kind="auto", weights=WEIGHTS, seed=0)
    texts = PaperTexts.empty(world.texts.paper_ids)
    wordless = plan_split(hidden, texts, weights=WEIGHTS, wanted=Wanted(slices=("warm",)))
    figures = measured(wordless, contestants(["popularity"], SMALL, seed=0))["popularity"].slices["warm"].figures
    assert "diversity@20" not in figures
    assert "novelty@20" in figures


def test_a_deep_list_is_measured_once() -> None:
    assert metric_names(100).count("recall@100") == 1
    assert metric_names(5)[:3] == ("ndcg@5", "recall@5", "recall@100")


def test_progress_rises_to_one(protocol: Protocol) -> None:
    shares: list[float] = []
    evaluate(
        protocol,
        contestants(["popularity", "latest"], SMALL, seed=0),
        k=5,
        seed=0,
        clock=lambda: 0.0,
        progress=lambda _what, share: shares.append(share),
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_an_unknown_model_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown model magic: known are hybrid, content"):
        contestants(["magic"], SMALL, seed=0)
