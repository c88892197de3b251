"""Lists in two stages by factors alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.als import AlsFactors
from recommender.baselines import AlsOnly, als_config
from recommender.dataset import Profile
from recommender.domain import PaperTexts
from recommender.grown import Grown
from recommender.hybrid import Hybrid
from recommender.sparse import empty_csr
from tests.planted import Planted, plant
from tests.recommender.kit import SMALL

RANK, PAPERS = 200, 4000


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant(readers=80, papers=400)


@pytest.fixture(scope="module")
def plain(world: Planted) -> Hybrid:
    """Factors of falling weight for many papers, every one of them scored."""
    small = AlsOnly.fit(world.dataset(), SMALL, seed=0)
    random = np.random.default_rng(0)
    values = random.standard_normal((PAPERS, RANK), dtype=np.float32) * np.linspace(1, 0, RANK, dtype=np.float32) ** 2
    ids = np.arange(1000, 1000 + PAPERS)
    return replace(
        small,
        config=replace(als_config(SMALL), shortlist_papers=0, shortlist_size=1000),
        papers=small.papers.extend(ids),
        factors=AlsFactors.of(values, l2=SMALL.l2, alpha=SMALL.alpha),
        features=Grown.of(empty_csr(PAPERS, 0)),
        coords=Grown.of(np.zeros((PAPERS, 0), np.float32)),
        text_factors=Grown.of(np.zeros((PAPERS, RANK), np.float32)),
        warm_rows=np.arange(PAPERS, dtype=np.int32),
        popularity=np.ones(PAPERS, np.float32),
        published_at=np.full(PAPERS, np.nan),
    )


@pytest.fixture(scope="module")
def model(plain: Hybrid) -> Hybrid:
    return plain._with_shortlist()


def profiles() -> list[Profile]:
    random = np.random.default_rng(1)
    found = []
    for count in (1, 5, 30, 200):
        papers = np.sort(random.choice(np.arange(1000, 1000 + PAPERS), count, replace=False))
        found.append(Profile(papers, np.full(count, 3.0, np.float32), np.array([1000, 1001])))
    return found


def test_a_quarter_of_the_papers_scored_exactly_gives_the_plain_lists(plain: Hybrid, model: Hybrid) -> None:
    assert model.shortlist is not None
    for one, other in zip(plain.recommend(profiles(), k=20), model.recommend(profiles(), k=20), strict=True):
        assert len(other) == 20
        shared, at, found = np.intersect1d(one.paper_ids, other.paper_ids, return_indices=True)
        assert len(shared) >= 19
        assert np.allclose(one.scores[at], other.scores[found], atol=1e-4)


def test_all_papers_scored_exactly_give_the_plain_lists_but_for_rounding(plain: Hybrid, model: Hybrid) -> None:
    whole = replace(model, config=replace(model.config, shortlist_size=PAPERS))
    for one, other in zip(plain.recommend(profiles(), k=50), whole.recommend(profiles(), k=50), strict=True):
        assert one.paper_ids.tolist() == other.paper_ids.tolist()
        assert np.allclose(one.scores, other.scores, atol=1e-4)


def test_lists_are_without_the_past_and_sorted(model: Hybrid) -> None:
    for profile, ranked in zip(profiles(), model.recommend(profiles(), k=300), strict=True):
        assert len(ranked) == 300
        assert np.all(np.diff(ranked.scores) <= 0)
        assert np.all(np.isfinite(ranked.scores))
        assert not np.isin(ranked.paper_ids, [*profile.paper_ids, *profile.disliked_paper_ids]).any()


def test_what_two_stages_cannot_answer_is_scored_plainly(plain: Hybrid, model: Hybrid) -> None:
    asked = profiles()
    among = np.arange(1000, 1040)
    empty = Profile(among[:0], np.zeros(0, np.float32), among[:0])
    for k, who, candidates in ((20, asked, among), (PAPERS, asked[:1], None), (20, [empty, asked[0]], None)):
        expected = plain.recommend(who, k=k, candidates=candidates)
        for one, other in zip(expected, model.recommend(who, k=k, candidates=candidates), strict=True):
            assert one.paper_ids.tolist() == other.paper_ids.tolist()


def test_it_stays_with_the_model_on_disk_and_as_it_grows(model: Hybrid, tmp_path: Path) -> None:
    wider = model.extend(PaperTexts.empty(np.array([90_001])))
    wider.save(tmp_path)
    again = Hybrid.load(tmp_path, verify=True)
    assert again.shortlist is not None
    for one, other in zip(model.recommend(profiles(), k=20), again.recommend(profiles(), k=20), strict=True):
        assert one.paper_ids.tolist() == other.paper_ids.tolist()


def test_few_papers_need_no_second_stage(world: Planted, plain: Hybrid) -> None:
    assert AlsOnly.fit(world.dataset(), SMALL, seed=0).shortlist is None
    many = replace(plain, config=replace(plain.config, shortlist_papers=PAPERS + 1))
    assert many._with_shortlist().shortlist is None
