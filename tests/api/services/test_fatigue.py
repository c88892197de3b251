"""Papers shown often without a click tire their reader, and nobody else."""

from datetime import timedelta

import pytest

from api.runtime.serving import Served
from api.services.tastes import load_tastes
from api.store.engine import Database
from recommender.domain import EventKind
from tests.api.feed_world import NOW, add_event, add_reader
from tests.api.services.taste_world import (
    EVERYTHING,
    READER,
    SHOWS,
    Configure,
    add_reader_of_two_topics,
    add_showings,
    build,
    load_often,
    showings_of_all,
    shown,
)


def test_a_paper_shown_often_without_a_click_sinks_below_everything_else(world: Database, served: Served) -> None:
    add_reader_of_two_topics(world)
    before = build(world, served)
    first, second = before.paper_ids[:2]
    add_showings(world, first, SHOWS)
    add_showings(world, second, SHOWS - 1)
    after = build(world, served)

    assert first not in after.paper_ids
    assert second in after.paper_ids[:2]
    assert first not in after.hidden  # whoever asks for it, or for everything, still finds it
    assert build(world, served, size=EVERYTHING).paper_ids[-1] == first


def test_a_reader_without_a_model_tires_of_papers_too(world: Database) -> None:
    add_reader(world, READER)
    first = build(world, None).paper_ids[0]
    add_showings(world, first, SHOWS)
    assert first not in build(world, None).paper_ids
    assert build(world, None, size=EVERYTHING).paper_ids[-1] == first


def test_a_page_is_not_empty_for_a_reader_who_was_shown_everything(world: Database, served: Served) -> None:
    add_reader(world, READER)
    papers = build(world, served, size=EVERYTHING).paper_ids
    with world.write() as session:
        for number in range(SHOWS):
            session.execute(showings_of_all(number))
    assert sorted(build(world, served, size=EVERYTHING).paper_ids) == sorted(papers)


@pytest.mark.parametrize("kind", [EventKind.UPVOTE, EventKind.UNDISMISS, EventKind.UNSAVE])
def test_only_what_was_shown_since_the_readers_last_word_on_a_paper_counts(
    world: Database, served: Served, kind: EventKind
) -> None:
    add_reader_of_two_topics(world)
    first = build(world, served).paper_ids[0]
    add_showings(world, first, SHOWS + 2, last=NOW - timedelta(hours=5))
    assert first not in build(world, served).paper_ids
    add_event(world, READER, first, kind, at=NOW - timedelta(hours=4))
    assert first in build(world, served).paper_ids or kind is EventKind.UPVOTE
    assert not load_often(world)
    add_showings(world, first, SHOWS, last=NOW - timedelta(hours=3))
    assert load_often(world) == {first}


def test_impressions_of_other_readers_and_of_long_ago_do_not_tire(world: Database, served: Served) -> None:
    add_reader_of_two_topics(world)
    first, second = build(world, served).paper_ids[:2]
    add_showings(world, first, SHOWS, user_id=1)
    add_showings(world, second, SHOWS, last=NOW - timedelta(days=30, minutes=1))
    assert not load_often(world)
    add_showings(world, second, SHOWS, last=NOW - timedelta(days=29))
    assert load_often(world) == {second}


def test_fatigue_can_be_turned_off(world: Database, served: Served, configure: Configure) -> None:
    add_reader_of_two_topics(world)
    before = build(world, served)
    add_showings(world, before.paper_ids[0], 3 * SHOWS)
    configure(FATIGUE_SHOWS=0)
    assert shown(build(world, served)) == shown(before)


def test_impressions_with_a_weight_count_once_per_paper_and_at_their_latest(
    world: Database, served: Served, configure: Configure
) -> None:
    configure(WEIGHT_IMPRESSION=0.5, FATIGUE_SHOWS=0)
    add_reader_of_two_topics(world)
    paper = build(world, served).paper_ids[0]
    add_showings(world, paper, 3, last=NOW)
    with world.read() as session:
        profile = load_tastes(session, [READER], now=NOW)[0].profile
    assert profile.weights[profile.paper_ids == paper].tolist() == pytest.approx([0.5])
