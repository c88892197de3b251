"""Sentence vectors beside words."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.baselines import ContentOnly
from recommender.dataset import Dataset, Profile, build_dataset
from recommender.domain import Ids, Interactions, PaperTexts, RankedList, Vectors
from recommender.hybrid import Hybrid
from tests.planted import NOW, Planted, plant
from tests.recommender.kit import SMALL, WEIGHTS, topic_share

DIM = 6
NOTHING = np.array([], dtype=np.int64)


def vectors_of(topics: Ids, *, seed: int = 0) -> Vectors:
    """One noisy direction per topic."""
    random = np.random.default_rng(seed)
    noisy = np.eye(DIM)[np.asarray(topics, dtype=np.int64)] + 0.1 * random.normal(size=(len(topics), DIM))
    return np.asarray(noisy, dtype=np.float16)


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant()


def dataset_of(world: Planted, *, has_words: bool) -> Dataset:
    texts = world.texts if has_words else PaperTexts.empty(world.texts.paper_ids)
    texts = replace(texts, vectors=vectors_of(world.topic_of_paper))
    return build_dataset(world.interactions, texts, now=NOW, weights=WEIGHTS)


@pytest.fixture(scope="module", params=[True, False], ids=["words and vectors", "vectors alone"])
def model(request: pytest.FixtureRequest, world: Planted) -> Hybrid:
    return Hybrid.fit(dataset_of(world, has_words=request.param), SMALL, seed=0)


def lists_of(model: Hybrid, world: Planted) -> Iterator[RankedList]:
    for block in model.recommend_users(world.dataset().user_items, k=10):
        yield from block


def new_papers(paper_ids: list[int], vectors: Vectors | None) -> PaperTexts:
    blank = [""] * len(paper_ids)
    return PaperTexts(np.array(paper_ids), blank, blank, blank, np.full(len(blank), np.nan), vectors)


def test_vectors_follow_their_papers_and_the_others_get_zeros() -> None:
    vectors = np.arange(6, dtype=np.float16).reshape(3, 2)
    texts = PaperTexts(np.array([5, 3, 5]), ["a", "b", "c"], [""] * 3, [""] * 3, np.full(3, np.nan), vectors)
    log = Interactions.saves(np.array([1]), np.array([4]))
    found = build_dataset(log, texts, now=NOW, weights=WEIGHTS).texts.vectors
    assert found is not None
    assert found.dtype == np.float16
    assert found.tolist() == [[2, 3], [0, 0], [4, 5]]
    picked = texts.select(np.array([1])).vectors
    assert picked is not None
    assert picked.tolist() == [[2, 3]]


def test_the_fingerprint_follows_the_vectors(world: Planted) -> None:
    found = dataset_of(world, has_words=True)
    other = replace(found, texts=replace(found.texts, vectors=vectors_of(world.topic_of_paper, seed=1)))
    assert len({found.fingerprint(), other.fingerprint(), world.dataset().fingerprint()}) == 3


def test_papers_nobody_touched_are_ranked_by_their_vectors(model: Hybrid, world: Planted) -> None:
    assert model.sentence_dim == DIM
    untouched = world.texts.paper_ids[world.untouched]
    for topic in range(4):
        saved = world.texts.paper_ids[(world.topic_of_paper == topic) & ~world.untouched][:3]
        reader = Profile(saved, np.full(3, 3, dtype=np.float32), NOTHING)
        ranked = model.recommend([reader], k=3, candidates=untouched)[0]
        assert topic_share(world, ranked.paper_ids, topic) == 1.0


def test_new_papers_are_ranked_by_their_vectors(model: Hybrid, world: Planted) -> None:
    wider = model.extend(new_papers([1, 2, 3], vectors_of(np.array([1, 0, 2]))))
    first = world.texts.paper_ids[(world.topic_of_paper == 0) & ~world.untouched][:2]
    reader = Profile(first, np.full(2, 3, dtype=np.float32), NOTHING)
    [ranked] = wider.recommend([reader], k=3, candidates=np.array([1, 2, 3]))
    assert ranked.paper_ids[0] == 2
    [alike] = wider.similar(np.array([2]), k=5)
    old = np.setdiff1d(alike.paper_ids, [1, 2, 3])
    assert topic_share(world, old, 0) == 1.0


def test_a_new_paper_may_come_without_a_vector(model: Hybrid) -> None:
    for vectors in (None, np.zeros((1, DIM), dtype=np.float32)):
        assert len(model.extend(new_papers([1], vectors)).papers) == len(model.papers) + 1


def test_vectors_of_another_dimension_are_refused(model: Hybrid, world: Planted) -> None:
    with pytest.raises(ValueError, match=f"dimension 3, those of the model's fit {DIM}"):
        model.extend(new_papers([1], np.ones((1, 3), dtype=np.float16)))
    plain = Hybrid.fit(world.dataset(), SMALL, seed=0)
    assert plain.sentence_dim == 0
    with pytest.raises(ValueError, match=f"dimension {DIM}, those of the model's fit 0"):
        plain.extend(new_papers([1], np.ones((1, DIM), dtype=np.float16)))


@pytest.mark.parametrize("bad", [np.full((120, 2), np.nan, np.float16), np.ones((5, 2), np.float16)])
def test_vectors_that_do_not_fit_the_papers_are_refused(bad: Vectors, world: Planted) -> None:
    dataset = world.dataset()
    with pytest.raises(ValueError, match="vectors"):
        Hybrid.fit(replace(dataset, texts=replace(dataset.texts, vectors=bad)), SMALL, seed=0)


def test_a_saved_model_with_vectors_answers_like_the_first(model: Hybrid, world: Planted, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = Hybrid.load(tmp_path)
    assert again.sentence_dim == DIM
    for one, other in zip(lists_of(model, world), lists_of(again, world), strict=True):
        assert np.array_equal(one.paper_ids, other.paper_ids)
        assert np.array_equal(one.scores, other.scores)
    more = new_papers([1], vectors_of(np.array([1])))
    last = np.array([len(model.papers)])
    assert np.array_equal(again.extend(more).text_factors.take(last), model.extend(more).text_factors.take(last))


def test_the_same_seed_gives_the_same_bits_with_vectors(world: Planted) -> None:
    one, other = (Hybrid.fit(dataset_of(world, has_words=True), SMALL, seed=4) for _ in range(2))
    for first, second in zip(lists_of(one, world), lists_of(other, world), strict=True):
        assert np.array_equal(first.paper_ids, second.paper_ids)
        assert np.array_equal(first.scores, second.scores)


def test_vectors_of_nothing_but_zeros_change_nothing(world: Planted) -> None:
    dataset = world.dataset()
    blank = replace(dataset, texts=replace(dataset.texts, vectors=np.zeros((120, 3), np.float16)))
    plain, zeros = (Hybrid.fit(data, SMALL, seed=0) for data in (dataset, blank))
    for one, other in zip(lists_of(plain, world), lists_of(zeros, world), strict=True):
        assert np.allclose(one.scores, other.scores, atol=1e-3)


def test_without_saves_in_the_fit_vectors_alone_rank(world: Planted) -> None:
    model = ContentOnly.fit(dataset_of(world, has_words=False), SMALL, seed=0)
    [ranked] = model.recommend([Profile(np.array([1000]), np.ones(1, np.float32), NOTHING)], k=5)
    assert topic_share(world, ranked.paper_ids, 0) == 1.0
    assert any("no words" in note for note in model.notes)
