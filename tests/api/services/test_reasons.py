"""Reasons as a reader sees them."""

from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa

from api.runtime.serving import Served
from api.services.reasons import tell
from api.store.engine import Database
from api.store.feed_codec import FeedList, ReasonKind
from api.store.tables import Paper
from recommender.domain import EventKind, PaperTexts
from tests.api.feed_world import NOW, add_event, add_reader, paper_row, planted
from tests.api.services.taste_world import Configure
from tests.api.services.test_feed import build

TERM = "topic2word1 topic2word3"
NEW_PAPER = 9000


def kinds_of(feed: FeedList) -> dict[int, ReasonKind]:
    """Return the kind of each paper's reason."""
    return {paper_id: feed.reason(at).kind for at, paper_id in enumerate(feed.paper_ids)}


def titles_of(feed: FeedList) -> dict[int, set[str]]:
    """Return the words of each listed title."""
    titles = dict(zip(planted().texts.paper_ids.tolist(), planted().texts.titles, strict=True))
    return {paper_id: set(titles[paper_id].split()) for paper_id in feed.paper_ids}


def with_paper(database: Database, served: Served, *, title: str) -> Served:
    """Store a paper and have the model learn of it."""
    with database.write() as session:
        session.execute(sa.insert(Paper), [paper_row(NEW_PAPER, title=title, category="cs.T2", listed_at=NOW)])
    texts = PaperTexts(np.array([NEW_PAPER]), [title], [""], [""], np.array([NOW.timestamp()]))
    return replace(served, model=served.model.extend(texts))


def test_a_reader_without_history_is_told_of_interests_and_one_with_it_of_reading(
    world: Database, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_reader(world, 900, interests={"terms": [TERM]})
    monkeypatch.setattr("api.services.feed.explain", lambda *_: {})  # the general reason is left
    assert tell(build(world, served, 900).reason(0), {}) == "close to your interests"
    add_event(world, 900, int(planted().texts.paper_ids[0]), EventKind.SAVE)
    assert tell(build(world, served, 900).reason(0), {}) == "close to what you read"


def test_a_term_is_named_where_all_its_words_are_and_nowhere_else(world: Database, served: Served) -> None:
    add_reader(world, 900, interests={"terms": [TERM]})
    feed = build(world, served, 900)
    has_words = {paper_id for paper_id, words in titles_of(feed).items() if words >= set(TERM.split())}
    kinds = kinds_of(feed)

    assert 0 < len(has_words) < len(feed)
    assert {paper_id for paper_id, kind in kinds.items() if kind is ReasonKind.TERM} == has_words
    other = next(at for at, paper_id in enumerate(feed.paper_ids) if paper_id not in has_words)
    assert tell(feed.reason(other), {}) == "close to your interests"


def test_a_saved_paper_is_named_for_papers_of_its_topic_alone(world: Database, served: Served) -> None:
    add_reader(world, 900)
    saved = int(planted().texts.paper_ids[2])
    add_event(world, 900, saved, EventKind.SAVE)
    feed = build(world, served, 900, size=120)
    kinds = kinds_of(feed)
    topics = planted().topics(np.array(feed.paper_ids))
    named = np.array([kinds[paper_id] is ReasonKind.SAVED for paper_id in feed.paper_ids])

    assert named[:10].sum() >= 7
    assert not named[topics != 2].any()
    far = int(np.flatnonzero(topics != 2)[0])
    assert tell(feed.reason(far), {}) == "close to what you read"


@pytest.mark.parametrize("diversity", [0.1, 0.3])
def test_one_paper_that_matches_a_term_strongly_leaves_the_rest_of_the_list(
    world: Database, served: Served, configure: Configure, diversity: float
) -> None:
    configure(DIVERSITY=diversity, EXPLORATION_SHARE=0)
    add_reader(world, 900, interests={"terms": [TERM]})
    before = build(world, served, 900).paper_ids
    after = build(world, with_paper(world, served, title=TERM), 900).paper_ids

    assert after[0] == NEW_PAPER
    assert len(set(before[:15]) & set(after[1:16])) >= 13
