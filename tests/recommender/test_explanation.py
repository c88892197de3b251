"""What is said of a paper is true of it."""

import numpy as np
import pytest

from recommender.dataset import Profile
from recommender.domain import PaperTexts
from recommender.explanation import NO_TERM
from recommender.hybrid import Hybrid
from tests.planted import NOW, Planted, plant, topic_words
from tests.recommender.kit import SMALL

NOTHING = np.array([], dtype=np.int64)
FAR_FROM_ALL = 5000
ASKED = np.arange(5001, 5008)
TITLES = [
    "Topic1word1 and topic1word2s, apart",
    "topic1word2 before TOPIC1WORD1",
    "topic1word1 alone",
    "topic1word11 with topic1word2",
    "",
    "topic1word3 topic1word4",
    "topic1word1-topic1word2",
]


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant()


@pytest.fixture(scope="module")
def model(world: Planted) -> Hybrid:
    fitted = Hybrid.fit(world.dataset(), SMALL, seed=0)
    keywords = ["", "", "", "", "topic1word1 topic1word2", "", ""]
    return fitted.extend(PaperTexts(ASKED, TITLES, [""] * 7, keywords, np.full(7, NOW)))


def saves(*paper_ids: int) -> Profile:
    return Profile(np.array(paper_ids), np.full(len(paper_ids), 3.0, dtype=np.float32), NOTHING)


def test_a_term_is_said_where_all_its_words_are(model: Hybrid) -> None:
    found, likeness = model.explain_said(["topic1word1 topic1word2"], ASKED)
    assert found.tolist() == [0, 0, NO_TERM, NO_TERM, 0, NO_TERM, 0]
    assert np.all((likeness > 0) == (found == 0))


def test_of_the_terms_a_paper_says_the_most_like_it_is_named(model: Hybrid) -> None:
    terms = ["topic3word3", "topic1word4", "topic1word3 topic1word4", "topic1word1"]
    found, _ = model.explain_said(terms, ASKED)
    assert found.tolist()[5] == 2
    assert found.tolist()[:3] == [3, 3, 3]


@pytest.mark.parametrize("term", ["unheard topic1word1", "x topic1word1", "topic1word1 C++", "  ", "?!"])
def test_a_term_with_a_word_that_the_model_cannot_look_for_is_never_said(model: Hybrid, term: str) -> None:
    assert set(model.explain_said([term], ASKED)[0].tolist()) == {NO_TERM}


def test_papers_and_terms_that_are_not_there_say_nothing(model: Hybrid) -> None:
    assert model.explain_said(["topic1word1"], np.array([77]))[0].tolist() == [NO_TERM]
    assert model.explain_said([], ASKED)[0].tolist() == [NO_TERM] * 7
    assert model.explain_said(["topic1word1"], NOTHING)[0].tolist() == []


def test_a_saved_paper_is_named_for_papers_clearly_like_it_alone(model: Hybrid, world: Planted) -> None:
    asked = world.texts.paper_ids[4:84]
    found = model.explain(saves(1000), asked)
    is_named = found.because_paper_ids == 1000
    is_own = world.topics(asked) == 0
    assert is_named[is_own].mean() > 0.8
    assert not is_named[~is_own].any()
    assert np.all((found.strength > 0) == is_named)


def test_of_several_saved_papers_one_that_is_clearly_like_it_is_named(model: Hybrid, world: Planted) -> None:
    strong_but_far = Profile(np.array([1001, 1000]), np.array([50.0, 0.5], dtype=np.float32), NOTHING)
    found = model.explain(strong_but_far, np.array([1004, 1008, 1012]))
    assert found.because_paper_ids.tolist() == [1000] * 3


def test_a_paper_without_a_known_word_has_no_saved_paper_to_thank(model: Hybrid) -> None:
    bare = model.extend(PaperTexts(np.array([FAR_FROM_ALL]), ["unheard"], [""], [""], np.array([NOW])))
    found = bare.explain(Profile(np.array([1000]), np.ones(1, np.float32), NOTHING), np.array([FAR_FROM_ALL]))
    assert (found.because_paper_ids.tolist(), found.strength.tolist()) == ([-1], [0.0])


def test_words_of_a_topic_are_known(model: Hybrid) -> None:
    found, _ = model.explain_said(topic_words(1), ASKED[2:3])
    assert found.tolist() == [1]
