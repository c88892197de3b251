"""Search by meaning, and its blend with what a full-text index found."""

from dataclasses import replace
from mmap import mmap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.dataset import build_dataset
from recommender.domain import Interactions, PaperTexts
from recommender.hybrid import Hybrid
from recommender.text_search import BlendConfig, Scored, blend, search_text
from tests.planted import NOW, Planted, plant, topic_words
from tests.recommender.kit import SMALL, WEIGHTS

NOBODY = np.zeros(0, dtype=np.int64)
OUTLINED = replace(SMALL, outline_papers=1)


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant()


@pytest.fixture(scope="module", params=[SMALL, OUTLINED], ids=["all exactly", "in two steps"])
def model(request: pytest.FixtureRequest, world: Planted) -> Hybrid:
    fitted = Hybrid.fit(world.dataset(), request.param, seed=0)
    assert (fitted.outline is not None) == (request.param is OUTLINED)
    return fitted


def scored(*pairs: tuple[int, float]) -> Scored:
    return np.array([paper for paper, _ in pairs], dtype=np.int64), np.array([of for _, of in pairs], dtype=np.float32)


def is_mapped(rows: object) -> bool:
    while isinstance(rows, np.ndarray):
        rows = rows.base
    return isinstance(rows, mmap)


def papers_of(title: str, paper_id: int) -> PaperTexts:
    return PaperTexts(np.array([paper_id]), [title], [""], [""], np.full(1, np.nan))


def test_a_title_finds_its_paper_first(model: Hybrid, world: Planted) -> None:
    for place in (0, 7, 50):
        ids, _ = search_text(model, world.texts.titles[place], k=5)
        assert ids[0] == world.texts.paper_ids[place]


def test_words_of_a_topic_find_its_papers_and_no_others_before_them(model: Hybrid, world: Planted) -> None:
    ids, _ = search_text(model, " ".join(topic_words(2)), k=20)
    assert set(world.topics(ids).tolist()) == {2}


def test_papers_on_a_topic_come_before_others_also_without_its_words(model: Hybrid, world: Planted) -> None:
    words = topic_words(2)[:3]
    ids, _ = search_text(model, " ".join(words), k=25)
    titles = dict(zip(world.texts.paper_ids.tolist(), world.texts.titles, strict=True))
    assert set(world.topics(ids).tolist()) == {2}
    assert any(not set(words) & set(titles[paper].split()) for paper in ids.tolist())


def test_a_misspelt_word_is_found_by_its_letters(world: Planted) -> None:
    titles = ["dephosphorylation of kinases", "galaxy surveys in infrared", "protein folding by chaperones"] * 3
    texts = PaperTexts(np.arange(9), titles, [""] * 9, [""] * 9, np.full(9, np.nan))
    model = Hybrid.fit(
        build_dataset(Interactions.saves(NOBODY, NOBODY), texts, now=NOW, weights=WEIGHTS), SMALL, seed=0
    )
    ids, _ = search_text(model, "phosphorilation", k=3)
    assert set(ids.tolist()) == {0, 3, 6}


def test_likeness_falls_and_stays_above_nothing(model: Hybrid, world: Planted) -> None:
    ids, alike = search_text(model, world.texts.titles[3], k=40)
    assert len(set(ids.tolist())) == len(ids) == len(alike)
    assert np.all(np.diff(alike) <= 0)
    assert alike[-1] > 0
    assert np.isfinite(alike).all()
    assert alike.dtype == np.float32


def test_papers_that_are_asked_for_get_their_likeness_too(model: Hybrid, world: Planted) -> None:
    everything, alike = search_text(model, world.texts.titles[0], k=len(world.texts))
    last = everything[-1]
    ids, few = search_text(model, world.texts.titles[0], k=1, also=np.array([last, 999_999]))
    assert ids.tolist() == [everything[0], last]
    assert np.allclose(few, [alike[0], alike[-1]])


@pytest.mark.parametrize("text", ["", "zzzz qqqq", "...", "的"])
def test_a_text_of_unknown_words_finds_nothing(model: Hybrid, text: str) -> None:
    ids, alike = search_text(model, text, k=5)
    assert len(ids) == len(alike) == 0
    assert ids.dtype == model.papers.in_row_order.dtype


def test_a_model_without_words_finds_nothing(world: Planted) -> None:
    texts = PaperTexts.empty(world.texts.paper_ids)
    blank = Hybrid.fit(build_dataset(world.interactions, texts, now=NOW, weights=WEIGHTS), OUTLINED, seed=0)
    assert len(search_text(blank, "topic1word1", k=5)[0]) == 0


def test_a_paper_that_came_after_the_fit_is_found(model: Hybrid) -> None:
    title = " ".join([*topic_words(1)[:3], *topic_words(3)[:3]])
    wider = model.extend(papers_of(title, 77)).extend(papers_of("common1 common2", 78))
    ids, _ = search_text(wider, title, k=5)
    assert ids[0] == 77
    assert 77 not in search_text(model, title, k=200)[0]


def test_a_saved_model_searches_like_the_first(model: Hybrid, world: Planted, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = Hybrid.load(tmp_path)
    assert (again.outline is None) == (model.outline is None)
    if again.outline is not None:
        assert is_mapped(again.outline.low.parts[0])
    for text in world.texts.titles[:5]:
        for one, other in zip(search_text(model, text, k=9), search_text(again, text, k=9), strict=True):
            assert np.array_equal(one, other)


def test_an_extended_model_that_is_saved_keeps_its_outline_whole(world: Planted, tmp_path: Path) -> None:
    model = Hybrid.fit(world.dataset(), OUTLINED, seed=0).extend(papers_of("topic1word1 topic1word2 topic1word3", 77))
    model.save(tmp_path)
    again = Hybrid.load(tmp_path)
    assert again.outline is not None
    assert len(again.outline.low) == len(again.papers)


def test_two_steps_find_what_one_finds(world: Planted) -> None:
    one, two = (Hybrid.fit(world.dataset(), config, seed=0) for config in (SMALL, OUTLINED))
    for text in world.texts.titles[:10]:
        assert np.array_equal(search_text(one, text, k=10)[0], search_text(two, text, k=10)[0])


def test_a_blend_holds_the_papers_of_both_once() -> None:
    ids, scores = blend(scored((1, 9.0), (2, 4.5)), scored((2, 0.6), (3, 0.9)))
    assert sorted(ids.tolist()) == [1, 2, 3]
    assert np.all(np.diff(scores) <= 0)


def test_likeness_decides_between_papers_that_the_index_scores_alike() -> None:
    ids, _ = blend(scored((1, 9.0), (2, 8.9)), scored((2, 0.9), (1, 0.1)))
    assert ids.tolist() == [2, 1]


def test_a_paper_that_is_only_faintly_like_the_text_needs_the_index() -> None:
    config = BlendConfig(least_alone=0.3)
    ids, _ = blend(scored((1, 9.0)), scored((1, 0.05), (2, 0.31), (3, 0.29)), config=config)
    assert ids.tolist() == [1, 2]


def test_without_one_side_the_other_keeps_its_order() -> None:
    empty = scored()
    assert blend(scored((5, 2.0), (3, 2.0), (4, 1.0)), empty)[0].tolist() == [5, 3, 4]
    assert blend(empty, scored((5, 0.9), (3, 0.5)))[0].tolist() == [5, 3]
    assert len(blend(empty, empty)[0]) == 0


def test_scores_of_nothing_but_zeros_leave_the_order_to_likeness() -> None:
    assert blend(scored((1, 0.0), (2, 0.0)), scored((2, 0.4)))[0].tolist() == [2, 1]


SIDES = st.dictionaries(st.integers(0, 30), st.floats(0, 50, width=32), max_size=20)


@given(SIDES, st.dictionaries(st.integers(0, 30), st.floats(0, 1, width=32), max_size=20))
def test_a_blend_never_repeats_nor_loses_a_paper_of_the_index(
    lexical: dict[int, float], alike: dict[int, float]
) -> None:
    sides = [scored(*sorted(side.items(), key=lambda pair: -pair[1])) for side in (lexical, alike)]
    ids, scores = blend(sides[0], sides[1])
    assert len(set(ids.tolist())) == len(ids)
    assert set(lexical) <= set(ids.tolist()) <= set(lexical) | set(alike)
    assert np.all(np.diff(scores) <= 0)
    # The same scores in another unit are the same ranking.
    assert blend((sides[0][0], sides[0][1] * 2), sides[1])[0].tolist() == ids.tolist()
