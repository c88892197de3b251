"""Questions to newcomers: what is asked is what tells readers apart, and what is known already is not asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recommender.domain import Ids
from recommender.elicitation import Known, Panel, choose_questions, question_values, spread_questions
from recommender.sparse import as_csr
from recommender.vocabulary import Vocabulary

TOPIC_PAPERS = 30
READERS = 40  # of each topic
NOTHING: Ids = np.empty(0, dtype=np.int64)


def panel_of(likings: NDArray[np.float64]) -> Panel:
    """A panel whose papers are numbered from 100."""
    papers = Vocabulary.from_rows(np.arange(likings.shape[1], dtype=np.int64) + 100)
    return Panel.of(papers, as_csr(csr_array(likings.astype(np.float32))))


def two_topics(seed: int = 0) -> NDArray[np.float64]:
    """Readers of two topics with a third of its papers each, and paper 0, which everybody likes."""
    rng = np.random.default_rng(seed)
    likings = np.zeros((2 * READERS, 2 * TOPIC_PAPERS + 1))
    likings[:READERS, 1 : TOPIC_PAPERS + 1] = rng.random((READERS, TOPIC_PAPERS)) < 1 / 3
    likings[READERS:, TOPIC_PAPERS + 1 :] = rng.random((READERS, TOPIC_PAPERS)) < 1 / 3
    likings[:, 0] = 1
    return likings


def known(panel: Panel, *, liked: Ids = NOTHING, declined: Ids = NOTHING, asked: Ids = NOTHING) -> Known:
    """What is known of a newcomer, by paper ids."""
    return Known.of(panel.papers, liked=liked, declined=declined, asked=asked)


def test_a_paper_that_everybody_likes_is_not_asked_about() -> None:
    panel = panel_of(two_topics())
    rows, values = question_values(panel, known(panel))
    assert rows[0] == 0  # it is looked at
    assert values[rows == 0][0] < values[rows != 0].min()
    assert choose_questions(panel, known(panel))[0] != 100


def test_after_a_no_to_one_topic_the_other_is_asked_about() -> None:
    likings = two_topics()
    likings[:READERS, 1] = 1  # the whole first topic likes this one
    panel = panel_of(likings)
    [question] = choose_questions(panel, known(panel, declined=np.array([101])))
    assert question >= 100 + TOPIC_PAPERS + 1


@pytest.mark.parametrize("liked", [101, 110, 125])
def test_after_a_yes_the_question_stays_with_readers_who_share_it(liked: int) -> None:
    panel = panel_of(two_topics())
    [question] = choose_questions(panel, known(panel, liked=np.array([liked])))
    assert 101 <= question <= 100 + TOPIC_PAPERS


@given(seed=st.integers(0, 50), k=st.integers(1, 12))
def test_no_question_is_asked_twice_or_answered_already(seed: int, k: int) -> None:
    panel = panel_of(two_topics(seed))
    said = known(panel, liked=np.array([101]), declined=np.array([140]), asked=np.array([105, 150]))
    questions = choose_questions(panel, said, k=k).tolist()
    assert len(set(questions)) == len(questions) <= k
    assert not {101, 140, 105, 150}.intersection(questions)


def test_papers_that_nobody_can_tell_about_are_no_questions() -> None:
    likings = two_topics()
    likings[:, 5] = 0
    likings[:2, 5] = 1  # two readers
    panel = panel_of(likings)
    assert 5 not in question_values(panel, known(panel))[0]


def test_an_empty_panel_has_no_question() -> None:
    panel = panel_of(np.zeros((0, 4)))
    assert len(choose_questions(panel, known(panel))) == 0


def test_a_panel_of_more_readers_than_are_looked_at_keeps_every_topic() -> None:
    likings = as_csr(csr_array(two_topics().astype(np.float32)))
    papers = Vocabulary.from_rows(np.arange(likings.shape[1], dtype=np.int64))
    panel = Panel.of(papers, likings, most=10)
    assert panel.readers == 10
    counts: NDArray[np.float32] = np.asarray(panel.likings.sum(axis=0)).ravel()
    assert counts[1 : TOPIC_PAPERS + 1].sum() > 0 < counts[TOPIC_PAPERS + 1 :].sum()


def test_the_weights_of_a_history_do_not_count() -> None:
    likings = two_topics()
    panel, heavy = panel_of(likings), panel_of(likings * 7)
    assert choose_questions(panel, known(panel), k=4).tolist() == choose_questions(heavy, known(heavy), k=4).tolist()


def test_spread_questions_are_far_apart_and_well_known() -> None:
    rng = np.random.default_rng(1)
    centres = np.eye(3, 8, dtype=np.float32)
    vectors = np.repeat(centres, 10, axis=0) + rng.normal(0, 0.05, (30, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    fame = np.tile(np.arange(10, dtype=np.float32), 3)
    rows = spread_questions(vectors, fame, k=3)
    assert sorted((rows // 10).tolist()) == [0, 1, 2]
    assert (fame[rows] >= 7).all()


def test_spread_questions_keep_away_from_what_is_known() -> None:
    vectors = np.eye(3, dtype=np.float32)
    rows = spread_questions(vectors, np.array([9, 8, 7], dtype=np.float32), k=1, asked=vectors[:1])
    assert rows.tolist() == [1]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_no_more_spread_questions_than_papers(count: int) -> None:
    rows = spread_questions(np.zeros((count, 4), np.float32), np.zeros(count, np.float32), k=5)
    assert rows.tolist() == list(range(count))
