"""What readers do with papers moves papers like them, and taking it back leaves no trace; what it costs to load."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from api.runtime.serving import Served
from api.services.tastes import READERS_AT_ONCE, Taste, load_tastes
from api.store.engine import Database
from api.store.events import hidden_paper_ids, load_interactions
from api.store.feed_codec import FeedList
from api.store.showings import MOST_SHOWINGS, load_shown_often
from recommender.domain import EventKind
from tests.api.feed_world import NOW, add_event, planted
from tests.api.services.taste_world import (
    EVERYTHING,
    READER,
    SHOWS,
    SIZE,
    Configure,
    add_reader_of_two_topics,
    add_showings,
    build,
    showings_of_all,
    shown,
)


def mean_place(feed: FeedList, topic: int) -> float:
    """The mean place of a topic's papers in a list."""
    return float(np.flatnonzero(planted().topics(np.array(feed.paper_ids)) == topic).mean())


def test_dismissing_a_paper_lowers_papers_like_it_and_undismissing_takes_that_back(
    world: Database, served: Served
) -> None:
    add_reader_of_two_topics(world)
    before = build(world, served)
    first = next(p for p in before.paper_ids if planted().topics(np.array([p]))[0] == 0)
    add_event(world, READER, first, EventKind.DISMISS, at=NOW - timedelta(minutes=2))
    dismissed = build(world, served)
    add_event(world, READER, first, EventKind.UNDISMISS, at=NOW - timedelta(minutes=1))

    assert first not in dismissed.paper_ids
    assert mean_place(dismissed, 0) > mean_place(before, 0) + 3
    assert mean_place(dismissed, 1) < mean_place(before, 1)
    assert shown(build(world, served)) == shown(before)


def test_a_reach_of_0_lets_a_dismissal_take_out_its_paper_alone(
    world: Database, served: Served, configure: Configure
) -> None:
    configure(DISMISS_REACH=0, DIVERSITY=0, FRESHNESS=0)  # both are relative to the list that is re-ranked
    add_reader_of_two_topics(world)
    before = build(world, served)
    first = before.paper_ids[0]
    add_event(world, READER, first, EventKind.DISMISS, at=NOW - timedelta(minutes=2))
    assert build(world, served).paper_ids[: SIZE - 1] == before.paper_ids[1:]


def test_the_further_dismissals_reach_the_lower_their_likes(
    world: Database, served: Served, configure: Configure
) -> None:
    add_reader_of_two_topics(world)
    first = next(p for p in build(world, served).paper_ids if planted().topics(np.array([p]))[0] == 0)
    add_event(world, READER, first, EventKind.DISMISS, at=NOW - timedelta(minutes=2))
    places = []
    for reach in (0, 1, 3):
        configure(DISMISS_REACH=reach)
        places.append(mean_place(build(world, served), 0))
    assert places[0] < places[1] < places[2]


@pytest.mark.parametrize("days_ago", [30, 700])  # the age of likings counts from the latest one in force
def test_an_unsave_takes_every_effect_of_the_save_back(world: Database, served: Served, days_ago: float) -> None:
    add_reader_of_two_topics(world, days_ago=days_ago)
    other = int(planted().texts.paper_ids[(planted().topic_of_paper == 2) & ~planted().untouched][0])
    before = build(world, served, size=EVERYTHING)
    add_event(world, READER, other, EventKind.SAVE, at=NOW - timedelta(minutes=2))
    saved = build(world, served, size=EVERYTHING)
    add_event(world, READER, other, EventKind.UNSAVE, at=NOW - timedelta(minutes=1))

    assert other not in saved.paper_ids
    assert mean_place(saved, 2) < mean_place(before, 2)
    assert shown(build(world, served, size=EVERYTHING)) == shown(before)


def test_a_taken_back_save_is_no_reason_for_other_papers(world: Database, served: Served) -> None:
    add_reader_of_two_topics(world)
    other = int(planted().texts.paper_ids[(planted().topic_of_paper == 2) & ~planted().untouched][0])
    add_event(world, READER, other, EventKind.CLICK, at=NOW - timedelta(minutes=3))
    clicked = build(world, served)
    add_event(world, READER, other, EventKind.SAVE, at=NOW - timedelta(minutes=2))
    add_event(world, READER, other, EventKind.UNSAVE, at=NOW - timedelta(minutes=1))
    assert shown(build(world, served)) == shown(clicked)


def test_a_reader_of_100_000_impressions_costs_no_more_statements_and_rows_than_any_other(
    world: Database, served: Served
) -> None:
    add_reader_of_two_topics(world)
    paper = build(world, served).paper_ids[0]
    few = _statements(world)
    with world.write() as session:
        for number in range(100_000 // len(planted().texts.titles) + 1):
            session.execute(showings_of_all(number))
    add_event(world, READER, paper, EventKind.UPVOTE, at=NOW - timedelta(days=2))
    many = _statements(world)

    assert len(few) <= 4
    assert len(many) == len(few) + 1  # what was shown after the vote is counted apart
    with world.read() as session:
        nothing = load_interactions(session, 0)
        since = NOW - timedelta(days=30)
        often = load_shown_often(session, [READER], acts=nothing, since=since, least=1)[READER]
        query = sa.text("SELECT count(*) FROM events WHERE user_id = :reader AND kind <> 0")
        assert session.scalar(query, {"reader": READER}) == 13
    assert len(often) == len(planted().texts.titles)


def test_what_a_reader_did_is_found_by_an_index(sqlite_database: Database) -> None:
    plans = []
    with sqlite_database.read() as session:
        for statement in _statements(sqlite_database):
            if "events" in statement:
                rows = session.connection().exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?")
                )
                plans.append(" ".join(row[3] for row in rows))
    assert [("ix_events_acts" in plan) for plan in plans] == [True, False]
    assert "ix_events_user_time" in plans[1]
    assert not any("TEMP B-TREE FOR ORDER BY" in plan for plan in plans)
    assert MOST_SHOWINGS <= 10_000


def test_many_readers_are_loaded_with_as_many_statements_as_one(world: Database) -> None:
    add_reader_of_two_topics(world)
    users = [READER, *planted().reader_ids.tolist(), 123_456]
    for user_id in (READER, 1, 2):
        add_showings(world, planted().texts.paper_ids.tolist()[7], SHOWS, user_id=user_id)
        add_event(world, user_id, planted().texts.paper_ids.tolist()[8], EventKind.DISMISS)
    assert len(users) > READERS_AT_ONCE
    few, some = _statements(world), _statements(world, users[:READERS_AT_ONCE])
    assert 1 <= len(some) == len(few) <= 4
    with world.read() as session:
        together = load_tastes(session, users, now=NOW)
        alone = [load_tastes(session, [user_id], now=NOW)[0] for user_id in users]
    assert [taste.user_id for taste in together] == users
    for taste, other in zip(together, alone, strict=True):
        assert _plain(taste) == _plain(other)
    assert together[0].shown_often
    assert together[0].evidence


def test_what_hides_papers_is_the_same_for_one_reader_and_for_many(world: Database) -> None:
    draw = np.random.default_rng(5)
    kinds = [EventKind.CLICK, EventKind.READ, EventKind.DISMISS, EventKind.UNDISMISS, EventKind.SAVE, EventKind.UNSAVE]
    for number in range(240):
        at = NOW - timedelta(minutes=int(draw.integers(30)))
        user_id, paper_id = int(draw.integers(1, 4)), int(draw.choice(planted().texts.paper_ids[:12]))
        add_event(world, user_id, paper_id, kinds[int(draw.integers(len(kinds)))], at=at, number=number)
    with world.write() as session:
        session.execute(sa.text("UPDATE events SET occurred_at = NULL WHERE event_pk % 5 = 0"))
    with world.read() as session:
        for taste in load_tastes(session, [3, 1, 2], now=NOW):
            assert sorted(taste.hidden) == hidden_paper_ids(session, taste.user_id).tolist()


def _plain(taste: Taste) -> tuple[object, ...]:
    """Everything in a taste, to be compared."""
    arrays = (taste.profile.paper_ids, taste.profile.weights, taste.profile.disliked_paper_ids, taste.left_out)
    others = (taste.seq, taste.profile.terms, taste.evidence, taste.hidden, taste.categories, taste.has_read)
    return (*(array.tolist() for array in arrays), *others, taste.shown_often)


def _statements(database: Database, user_ids: Sequence[int] = (READER,)) -> list[str]:
    found: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    with database.read() as session:
        load_tastes(session, user_ids, now=NOW)
    sa.event.remove(database.engine, "before_cursor_execute", note)
    return [statement for statement in found if "events" in statement or "users" in statement or "library" in statement]
