"""The demonstration is made up, complete, repeatable, and there is something to learn in it."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from api.ids import normalised_id
from api.sources.demo import PAPER_DAYS, Demonstration, build_demonstration
from api.sources.demo_words import THEMES_PER_TOPIC, TOPICS
from recommender.domain import EventKind

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def demo() -> Demonstration:
    return build_demonstration(NOW, papers=3000, readers=100)


def test_the_same_time_gives_the_same_demonstration(demo: Demonstration) -> None:
    assert build_demonstration(NOW, papers=3000, readers=100) == demo


def test_ids_have_the_shape_of_arxiv_and_numbers_that_arxiv_does_not_reach(demo: Demonstration) -> None:
    ids = [paper.external_id or "" for paper in demo.papers]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"\d{4}\.9\d{4}", name) and normalised_id(name) == name for name in ids)
    assert all(f"{paper.published_at:%y%m}" == name[:4] for paper, name in zip(demo.papers, ids, strict=True))


def test_no_two_papers_have_the_same_title(demo: Demonstration) -> None:
    assert len({paper.title.casefold() for paper in demo.papers}) == len(demo.papers) == 3000


def test_every_paper_has_what_a_page_shows(demo: Demonstration) -> None:
    for paper in demo.papers:
        assert paper.title
        assert "{" not in paper.title + paper.summary
        assert len(paper.summary) > 150
        assert paper.authors
        assert paper.categories
        assert paper.published_at is not None
        assert NOW - timedelta(days=PAPER_DAYS + 1) < paper.published_at <= NOW


def test_each_day_of_the_last_weeks_has_a_daily_list(demo: Demonstration) -> None:
    days = Counter(paper.daily_at.date() for paper in demo.papers if paper.daily_at)
    assert all(days[(NOW - timedelta(days=ago)).date()] >= 15 for ago in range(30))
    for paper in demo.papers:
        if paper.daily_at:
            assert paper.published_at is not None
            assert paper.published_at < paper.daily_at <= NOW
            assert paper.submitted_by
    assert any(paper.upvotes for paper in demo.papers)


def test_histories_lie_in_the_past_and_after_their_papers(demo: Demonstration) -> None:
    published = {paper.external_id: paper.published_at for paper in demo.papers}
    times = [event.occurred_at for event in demo.events]
    assert times == sorted(times)
    for event in demo.events:
        appeared = published[event.paper]
        assert appeared is not None
        assert appeared <= event.occurred_at <= NOW
    assert {event.reader for event in demo.events} == set(demo.readers)


def test_readers_do_everything_and_dismiss_little(demo: Demonstration) -> None:
    kinds = Counter(event.kind for event in demo.events)
    assert kinds[EventKind.IMPRESSION] > kinds[EventKind.CLICK] > kinds[EventKind.SAVE] > kinds[EventKind.DISMISS] > 0
    assert kinds[EventKind.READ] == kinds[EventKind.CLICK]
    pairs = Counter((event.reader, event.paper) for event in demo.events if event.kind == EventKind.SAVE)
    assert set(pairs.values()) == {1}


def test_every_topic_has_themes_of_its_own() -> None:
    assert len(TOPICS) >= 36
    assert len({topic.slug for topic in TOPICS}) == len(TOPICS)
    for topic in TOPICS:
        assert len(topic.themes) == THEMES_PER_TOPIC
        assert all(len(set(theme)) >= 3 for theme in topic.themes)


def test_later_saves_follow_the_words_of_earlier_ones_much_more_than_popularity(demo: Demonstration) -> None:
    """A bare bag of keywords finds four times the later saves that popularity finds: there is something to learn."""
    border = NOW - timedelta(days=12)
    words = {paper.external_id: set(paper.keywords) for paper in demo.papers}
    saves = [event for event in demo.events if event.kind == EventKind.SAVE]
    before = [event for event in saves if event.occurred_at < border]
    popular = [paper for paper, _ in Counter(event.paper for event in before).most_common()]
    hits = {"words": 0, "popular": 0}
    for reader in demo.readers[:60]:
        known = {event.paper for event in before if event.reader == reader}
        later = {event.paper for event in saves if event.reader == reader} - known
        taste = Counter(word for paper in known for word in words[paper])
        scores = np.array([-sum(taste[word] for word in words[p.external_id]) for p in demo.papers], dtype=float)
        order = [demo.papers[at].external_id for at in np.argsort(scores, kind="stable")]
        hits["words"] += len(later & set([name for name in order if name not in known][:20]))
        hits["popular"] += len(later & set([name for name in popular if name not in known][:20]))
    assert hits["words"] > 4 * hits["popular"]
