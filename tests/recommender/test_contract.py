"""What every recommender promises."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.baselines import AlsOnly, ContentOnly, Latest, Popularity, Recommender
from recommender.dataset import Dataset, Profile, build_profile
from recommender.domain import Ids, PaperTexts, RankedList
from recommender.hybrid import Hybrid, HybridConfig
from recommender.sparse import rows_of
from tests.planted import NOW, Planted, plant, topic_words
from tests.recommender.kit import SMALL, WEIGHTS, events_of, topic_share

TWO_STAGES = replace(SMALL, shortlist_papers=0)
Fit = Callable[[Dataset], Recommender]
EVERY: dict[str, Fit] = {
    "hybrid": lambda dataset: Hybrid.fit(dataset, SMALL, seed=3),
    "hybrid_in_two_stages": lambda dataset: Hybrid.fit(dataset, TWO_STAGES, seed=3),
    "als_only": lambda dataset: AlsOnly.fit(dataset, SMALL, seed=3),
    "content_only": lambda dataset: ContentOnly.fit(dataset, SMALL, seed=3),
    "content_only_in_two_stages": lambda dataset: ContentOnly.fit(dataset, TWO_STAGES, seed=3),
    "popularity": Popularity.fit,
    "latest": Latest.fit,
}
PERSONAL = ["hybrid", "hybrid_in_two_stages", "als_only", "content_only", "content_only_in_two_stages"]
WORDED = ["hybrid", "hybrid_in_two_stages", "content_only_in_two_stages", "content_only"]


def profile_of(world: Planted, reader: int) -> Profile:
    return build_profile(events_of(world.interactions, reader), now=NOW, weights=WEIGHTS)


def lists_of(model: Recommender, dataset: Dataset, *, k: int) -> list[RankedList]:
    return [ranked for block in model.recommend_users(dataset.user_items, k=k) for ranked in block]


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant()


@pytest.fixture(scope="module", params=list(EVERY))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(world: Planted, name: str) -> Recommender:
    return EVERY[name](world.dataset())


class TestEveryRecommender:
    def test_lists_are_sorted_unique_and_of_the_asked_length(self, model: Recommender, world: Planted) -> None:
        for ranked in lists_of(model, world.dataset(), k=15):
            assert len(ranked) == 15
            assert np.all(np.diff(ranked.scores) <= 0)
            assert len(np.unique(ranked.paper_ids)) == 15
            assert ranked.scores.dtype == np.float32

    def test_a_list_never_repeats_the_past(self, model: Recommender, world: Planted) -> None:
        profiles = [profile_of(world, int(reader)) for reader in world.reader_ids]
        for profile, ranked in zip(profiles, model.recommend(profiles, k=1000), strict=True):
            assert not np.isin(ranked.paper_ids, profile.paper_ids).any()
            assert len(ranked) == len(model.papers) - len(profile.paper_ids)
            assert np.all(np.isfinite(ranked.scores))

    def test_disliked_and_excluded_papers_are_left_out(self, model: Recommender, world: Planted) -> None:
        profile = profile_of(world, 1)
        first = model.recommend([profile], k=4)[0].paper_ids
        shunned = replace(profile, disliked_paper_ids=first[:2])
        ranked = model.recommend([shunned], k=1000, exclude=[first[2:]])[0]
        assert not np.isin(ranked.paper_ids, first).any()
        assert len(ranked) == len(model.papers) - len(profile.paper_ids) - 4

    def test_only_candidates_are_ranked(self, model: Recommender, world: Planted) -> None:
        candidates = np.append(world.texts.paper_ids[world.untouched][:5], 999_999)
        ranked = model.recommend([profile_of(world, 1)], k=50, candidates=candidates)[0]
        assert sorted(ranked.paper_ids.tolist()) == sorted(candidates[:5].tolist())

    def test_no_candidates_give_an_empty_list(self, model: Recommender, world: Planted) -> None:
        nothing = np.array([], dtype=np.int64)
        assert len(model.recommend([profile_of(world, 1)], k=5, candidates=nothing)[0]) == 0

    def test_unknown_ids_are_no_error(self, model: Recommender, world: Planted) -> None:
        profile = profile_of(world, 1)
        strange = Profile(
            np.append(profile.paper_ids, 999_999), np.append(profile.weights, np.float32(3)), np.array([888_888])
        )
        plain = model.recommend([profile], k=10)[0]
        ranked = model.recommend([strange], k=10, exclude=[np.array([777_777])])[0]
        assert ranked.paper_ids.tolist() == plain.paper_ids.tolist()

    def test_the_same_seed_gives_the_same_model(self, model: Recommender, world: Planted, name: str) -> None:
        again = lists_of(EVERY[name](world.dataset()), world.dataset(), k=20)
        for one, other in zip(lists_of(model, world.dataset(), k=20), again, strict=True):
            assert np.array_equal(one.paper_ids, other.paper_ids)
            assert np.array_equal(one.scores, other.scores)

    def test_no_readers_give_no_lists(self, model: Recommender, world: Planted) -> None:
        assert model.recommend([], k=5) == []
        nobody = rows_of(world.dataset().user_items, slice(0, 0))
        assert list(model.recommend_users(nobody, k=5)) == []

    def test_a_profile_and_the_same_reader_in_a_batch_get_the_same_list(
        self, model: Recommender, world: Planted
    ) -> None:
        profiles = [profile_of(world, int(reader)) for reader in world.reader_ids[:5]]
        batch = lists_of(model, world.dataset(), k=12)[:5]
        for one, other in zip(model.recommend(profiles, k=12), batch, strict=True):
            assert np.allclose(one.scores, other.scores, atol=1e-3)
            assert topic_share(world, one.paper_ids, 0) == topic_share(world, other.paper_ids, 0)


@pytest.mark.parametrize("personal", PERSONAL)
class TestEveryPersonalRecommender:
    def test_the_planted_topic_comes_first(self, personal: str, world: Planted) -> None:
        model = EVERY[personal](world.dataset())
        lists = lists_of(model, world.dataset(), k=5)
        shares = [
            topic_share(world, ranked.paper_ids, int(topic))
            for ranked, topic in zip(lists, world.topic_of_reader, strict=True)
        ]
        assert np.mean(shares) > 0.95

    def test_an_empty_profile_gets_an_empty_list(self, personal: str, world: Planted) -> None:
        model = EVERY[personal](world.dataset())
        nothing = np.array([], dtype=np.int64)
        empty = Profile(nothing, np.array([], dtype=np.float32), nothing, terms=(" ",))
        lists = model.recommend([empty, profile_of(world, 1)], k=5)
        assert [len(ranked) for ranked in lists] == [0, 5]

    def test_a_saved_model_answers_like_the_first(self, personal: str, world: Planted, tmp_path: Path) -> None:
        model = EVERY[personal](world.dataset())
        assert isinstance(model, Hybrid)
        model.save(tmp_path)
        for again in (Hybrid.load(tmp_path), Hybrid.load(tmp_path, mmap=False)):
            pairs = zip(lists_of(model, world.dataset(), k=9), lists_of(again, world.dataset(), k=9), strict=True)
            for one, other in pairs:
                assert np.array_equal(one.paper_ids, other.paper_ids)
                assert np.array_equal(one.scores, other.scores)
            assert again.config == model.config
            assert again.notes == model.notes


@pytest.mark.parametrize("worded", WORDED)
class TestEveryRecommenderOfWords:
    def test_extend_ranks_a_paper_nobody_has_clicked(self, worded: str, world: Planted) -> None:
        model = EVERY[worded](world.dataset())
        assert isinstance(model, Hybrid)
        title = " ".join(topic_words(0)[:6])
        wider = model.extend(new_papers([5001, 5002], [title, " ".join(topic_words(1)[:6])]))
        ranked = wider.recommend([profile_of(world, 1)], k=1000)[0].paper_ids.tolist()
        assert ranked.index(5001) < ranked.index(5002)
        assert 5001 not in model.papers
        assert model.papers.rows(np.array([5001])).tolist() == [-1]

    def test_extend_twice_is_extend_once(self, worded: str, world: Planted) -> None:
        model = EVERY[worded](world.dataset())
        assert isinstance(model, Hybrid)
        papers = new_papers([5001, 5001, 1000], ["topic0word1 topic0word2", "x", "y"])
        once = model.extend(papers)
        assert len(once.papers) == len(model.papers) + 1
        assert once.extend(papers) is once

    def test_terms_alone_rank_their_topic_first(self, worded: str, world: Planted) -> None:
        model = EVERY[worded](world.dataset())
        nothing = np.array([], dtype=np.int64)
        asked = Profile(nothing, np.array([], dtype=np.float32), nothing, terms=("topic2word3 topic2word5",))
        ranked = model.recommend([asked], k=10)[0]
        assert topic_share(world, ranked.paper_ids, 2) > 0.9


def new_papers(paper_ids: list[int], titles: list[str]) -> PaperTexts:
    ids: Ids = np.array(paper_ids, dtype=np.int64)
    blank = [""] * len(titles)
    return PaperTexts(ids, titles, blank, blank, np.full(len(titles), np.nan))


def test_the_default_config_survives_json() -> None:
    config = HybridConfig(rank=7, alpha=2.5)
    assert HybridConfig.from_json(config.to_json()) == config
    with pytest.raises(ValueError, match="rnak"):
        HybridConfig.from_json({"rnak": 3})
    with pytest.raises(ValueError, match="alpha"):
        HybridConfig.from_json({"alpha": "much"})
