"""What the judge lets through."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.config import HybridConfig
from recommender.domain import PaperTexts
from recommender.evaluation import Judgement, judge
from tests.planted import NOW, Planted, noise, plant
from tests.recommender.kit import SMALL, WEIGHTS

BLIND = replace(SMALL, rank=1, epochs=1, item_weight=0.0, neighbour_weight=0.0, content_weight=0.0)


def judged(world: Planted, *, champion: HybridConfig | None, challenger: HybridConfig = SMALL) -> Judgement:
    return judge(
        world.interactions,
        world.texts,
        now=NOW,
        weights=WEIGHTS,
        champion=champion,
        challenger=challenger,
        seed=0,
    )


def test_a_first_model_that_beats_popularity_is_promoted() -> None:
    result = judged(plant(), champion=None)
    assert (result.verdict, result.split) == ("promote", "per_reader")
    assert result.readers == 60
    challenger, popularity = result.figures["challenger"], result.figures["popularity"]
    assert challenger["ndcg@20"] > popularity["ndcg@20"]  # type: ignore[operator]
    low, high = challenger["interval"]  # type: ignore[misc]
    assert low <= challenger["ndcg@20"] <= high  # type: ignore[operator]
    assert set(result.figures) == {"challenger", "popularity", "versus_popularity"}


def test_where_events_have_times_the_split_is_temporal() -> None:
    result = judged(plant(is_timed=True, readers=100), champion=None)
    assert (result.verdict, result.split) == ("promote", "temporal")


def test_a_model_no_better_than_popularity_is_refused_with_its_figures() -> None:
    log = noise()
    texts = PaperTexts.empty(np.unique(log.paper_ids))
    result = judge(log, texts, now=NOW, weights=WEIGHTS, champion=None, challenger=SMALL, seed=0)
    assert result.verdict == "reject"
    assert "popularity" in result.note
    assert result.figures["versus_popularity"]["interval"]


def test_a_tie_with_the_champion_passes() -> None:
    result = judged(plant(), champion=SMALL)
    assert result.verdict == "promote"
    assert result.figures["versus_champion"] == {"mean": 0.0, "interval": [0.0, 0.0]}


def test_a_challenger_that_loses_to_the_champion_is_refused() -> None:
    world = plant(readers=90, papers=400, topics=8)
    weak = replace(SMALL, rank=1, epochs=1, item_weight=0.0, neighbour_weight=0.0, content_weight=0.0)
    result = judged(world, champion=SMALL, challenger=weak)
    assert result.verdict == "reject"
    assert result.figures["versus_champion"]["mean"] < 0  # type: ignore[operator]


def test_too_few_readers_are_not_judged() -> None:
    result = judged(plant(readers=8), champion=SMALL)
    assert (result.verdict, result.figures) == ("unjudged", {})
    assert "8 readers" in result.note


def test_the_number_of_readers_is_bounded_and_the_verdict_repeats() -> None:
    world = plant()
    ask = {"now": NOW, "weights": WEIGHTS, "champion": None, "challenger": SMALL, "seed": 4, "max_readers": 25}
    first, second = (judge(world.interactions, world.texts, **ask) for _ in range(2))  # type: ignore[arg-type]
    assert first.readers == 25
    assert first == second


def test_progress_is_reported_in_order() -> None:
    world = plant()
    seen: list[float] = []
    judge(
        world.interactions,
        world.texts,
        now=NOW,
        weights=WEIGHTS,
        champion=SMALL,
        challenger=BLIND,
        seed=0,
        progress=lambda _stage, done: seen.append(done),
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert pytest.approx(0.0) == seen[0]
