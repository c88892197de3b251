"""Lists in two stages."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.dataset import Profile
from recommender.domain import Ids, PaperTexts
from recommender.hybrid import Hybrid, HybridConfig
from tests.planted import Planted, plant, topic_words
from tests.recommender.kit import SMALL, topic_share

TWO_STAGES = replace(SMALL, shortlist_papers=0)
NOTHING = np.array([], dtype=np.int64)


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant(readers=80, papers=400)


@pytest.fixture(scope="module")
def exact(world: Planted) -> Hybrid:
    return Hybrid.fit(world.dataset(), SMALL, seed=0)


@pytest.fixture(scope="module")
def model(world: Planted) -> Hybrid:
    return Hybrid.fit(world.dataset(), TWO_STAGES, seed=0)


@pytest.fixture(scope="module")
def narrow(model: Hybrid) -> Hybrid:
    """The same where most papers are left to the rough score, as in a large catalogue."""
    return replace(model, config=replace(TWO_STAGES, shortlist_size=60))


def profiles() -> st.SearchStrategy[Profile]:
    papers = st.lists(st.integers(995, 1405), max_size=12, unique=True)
    terms = st.lists(st.sampled_from(["topic1word2", "topic2word3 topic2word4", " ", "unheard"]), max_size=2)
    return st.builds(
        lambda liked, disliked, terms: Profile(
            np.array(sorted(liked), dtype=np.int64),
            np.full(len(liked), 3.0, dtype=np.float32),
            np.array(disliked, dtype=np.int64),
            tuple(terms),
        ),
        papers,
        papers,
        terms,
    )


@given(st.lists(profiles(), min_size=1, max_size=3), st.integers(1, 50))
def test_lists_are_sorted_unique_and_without_the_past(narrow: Hybrid, asked: list[Profile], k: int) -> None:
    for profile, ranked in zip(asked, narrow.recommend(asked, k=k), strict=True):
        assert np.all(np.diff(ranked.scores) <= 0)
        assert np.all(np.isfinite(ranked.scores))
        assert len(np.unique(ranked.paper_ids)) == len(ranked)
        assert not np.isin(ranked.paper_ids, [*profile.paper_ids, *profile.disliked_paper_ids]).any()


@given(st.lists(profiles(), min_size=1, max_size=3), st.integers(1, 50))
def test_a_shortlist_of_all_papers_gives_the_exact_lists(
    exact: Hybrid, model: Hybrid, asked: list[Profile], k: int
) -> None:
    candidates = np.arange(1000, 1400, 3)
    for among in (None, candidates):
        lists = (of.recommend(asked, k=k, candidates=among) for of in (exact, model))
        for one, other in zip(*lists, strict=True):
            assert np.allclose(one.scores, other.scores, atol=1e-3)
            assert overlap(one.paper_ids, other.paper_ids) > 0.9  # equal scores may change places


def test_few_papers_scored_exactly_give_nearly_the_exact_lists(exact: Hybrid, narrow: Hybrid, world: Planted) -> None:
    asked = [one_topic(world, topic) for topic in range(4)]
    for one, other in zip(exact.recommend(asked, k=12), narrow.recommend(asked, k=12), strict=True):
        assert overlap(one.paper_ids, other.paper_ids) > 0.9
        assert np.allclose(one.scores, other.scores, atol=0.1)


def test_a_reader_gets_the_same_list_alone_and_among_others(narrow: Hybrid, world: Planted) -> None:
    asked = [one_topic(world, topic) for topic in range(4)]
    for profile, ranked in zip(asked, narrow.recommend(asked, k=12), strict=True):
        alone = narrow.recommend([profile], k=12)[0]
        assert alone.paper_ids.tolist() == ranked.paper_ids.tolist()
        assert np.allclose(alone.scores, ranked.scores, atol=1e-4)


def test_the_same_seed_gives_the_same_lists(model: Hybrid, world: Planted) -> None:
    again = Hybrid.fit(world.dataset(), TWO_STAGES, seed=0)
    asked = [one_topic(world, topic) for topic in range(4)]
    for one, other in zip(model.recommend(asked, k=30), again.recommend(asked, k=30), strict=True):
        assert np.array_equal(one.paper_ids, other.paper_ids)
        assert np.array_equal(one.scores, other.scores)


def test_a_new_paper_of_the_topic_enters_the_shortlist(narrow: Hybrid, world: Planted) -> None:
    asked = one_topic(world, 0)
    words = [world.texts.titles[world.texts.paper_ids.tolist().index(asked.paper_ids[0])], " ".join(topic_words(1)[:6])]
    wider = narrow.extend(PaperTexts(np.array([5001, 5002]), words, ["", ""], ["", ""], np.full(2, np.nan)))
    among = np.array([*world.texts.paper_ids[world.untouched], 5001, 5002])
    ranked = wider.recommend([asked], k=12, candidates=among)[0].paper_ids.tolist()
    assert 5001 in ranked
    assert 5002 not in ranked


def test_a_model_that_grows_past_the_limit_gets_a_shortlist(world: Planted) -> None:
    config = replace(SMALL, shortlist_papers=len(world.texts) + 1)
    small = Hybrid.fit(world.dataset(), config, seed=0)
    wider = small.extend(PaperTexts(np.array([5001]), ["topic1word1"], [""], [""], np.full(1, np.nan)))
    assert small.shortlist is None
    assert wider.shortlist is not None
    assert len(wider.shortlist.low) == len(wider.papers)
    found = wider.recommend([one_topic(world, 1)], k=5)[0]
    assert topic_share(world, np.setdiff1d(found.paper_ids, [5001]), 1) == 1.0


def test_a_model_of_few_papers_or_no_words_has_none(exact: Hybrid, world: Planted) -> None:
    wordless = replace(world.dataset(), texts=PaperTexts.empty(world.texts.paper_ids))
    assert exact.shortlist is None
    assert HybridConfig().shortlist_papers > 27_000
    assert Hybrid.fit(wordless, TWO_STAGES, seed=0).shortlist is None


def test_an_extended_model_keeps_its_shortlist_on_disk(model: Hybrid, world: Planted, tmp_path: Path) -> None:
    wider = model.extend(PaperTexts(np.array([5001]), ["topic1word1"], [""], [""], np.full(1, np.nan)))
    wider.save(tmp_path)
    again = Hybrid.load(tmp_path, verify=True)
    asked = [one_topic(world, topic) for topic in range(4)]
    for one, other in zip(wider.recommend(asked, k=30), again.recommend(asked, k=30), strict=True):
        assert np.array_equal(one.paper_ids, other.paper_ids)
        assert np.allclose(one.scores, other.scores, atol=1e-5)


def one_topic(world: Planted, topic: int) -> Profile:
    papers = world.texts.paper_ids[(world.topic_of_paper == topic) & ~world.untouched][:6]
    return Profile(papers, np.full(len(papers), 3.0, dtype=np.float32), NOTHING)


def overlap(one: Ids, other: Ids) -> float:
    return len(np.intersect1d(one, other)) / max(len(one), 1) if len(one) else 1.0
