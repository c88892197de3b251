"""What readers do with papers moves papers like them, taking it back leaves no trace, and what tires them sinks."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from api.runtime.serving import Served
from api.services.feed import build_list
from api.services.tastes import READERS_AT_ONCE, Taste, load_tastes
from api.settings import read_settings
from api.store.engine import Database
from api.store.events import hidden_paper_ids, load_interactions
from api.store.feed_codec import FeedList, Reason
from api.store.showings import MOST_SHOWINGS, load_shown_often
from recommender.domain import EventKind
from tests.api.feed_world import NOW, add_event, add_reader, planted

SIZE = 40
EVERYTHING = 400
READER = 900
SHOWS = 5  # the default of PAPERFEED_FATIGUE_SHOWS
Configure = Callable[..., None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Return what sets variables of the environment for this test."""

    def set_variables(**variables: object) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(f"PAPERFEED_{name}", str(value))
        read_settings.cache_clear()

    yield set_variables
    monkeypatch.undo()
    read_settings.cache_clear()


def build(database: Database, served: Served | None, user_id: int = READER, *, size: int = SIZE) -> FeedList:
    """Build one list as of now."""
    with database.read() as session:
        return build_list(session, served, user_id, now=NOW, size=size)


def shown(feed: FeedList) -> list[tuple[int, float, Reason]]:
    """Everything that a reader sees of a list."""
    return [(paper, feed.scores[at], feed.reason(at)) for at, paper in enumerate(feed.paper_ids)]


def add_reader_of_two_topics(database: Database, *, days_ago: float = 30) -> None:
    """Store a reader who saved six papers of topic 0 and six of topic 1."""
    add_reader(database, READER)
    for topic in (0, 1):
        touched = (planted().topic_of_paper == topic) & ~planted().untouched
        for paper_id in planted().texts.paper_ids[touched][:6].tolist():
            add_event(database, READER, paper_id, EventKind.SAVE, at=NOW - timedelta(days=days_ago))


def mean_place(feed: FeedList, topic: int) -> float:
    """The mean place of a topic's papers in a list."""
    return float(np.flatnonzero(planted().topics(np.array(feed.paper_ids)) == topic).mean())


def add_showings(
    database: Database, paper_id: int, times: int, *, last: datetime = NOW - timedelta(hours=1), user_id: int = READER
) -> None:
    """Store impressions a minute apart."""
    for number in range(times):
        at = last - timedelta(minutes=number)
        add_event(database, user_id, paper_id, EventKind.IMPRESSION, at=at, number=int(at.timestamp()))


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
            session.execute(_showings_of_all(number))
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


def test_a_reader_of_100_000_impressions_costs_no_more_statements_and_rows_than_any_other(
    world: Database, served: Served
) -> None:
    add_reader_of_two_topics(world)
    paper = build(world, served).paper_ids[0]
    few = _statements(world)
    with world.write() as session:
        for number in range(100_000 // len(planted().texts.titles) + 1):
            session.execute(_showings_of_all(number))
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


def load_often(database: Database) -> frozenset[int]:
    """The papers that tire the reader."""
    with database.read() as session:
        return load_tastes(session, [READER], now=NOW)[0].shown_often


def _showings_of_all(number: int) -> sa.TextClause:
    """One impression of every paper."""
    micros = int((NOW - timedelta(days=1)).timestamp()) * 1_000_000 + number
    return sa.text(
        "INSERT INTO events (user_id, event_id, kind, paper_id, occurred_at, received_at, payload_hash, is_import) "
        f"SELECT {READER}, 'shown-{number}-' || paper_id, 0, paper_id, {micros}, {micros}, '', false FROM papers"
    )


def _statements(database: Database, user_ids: Sequence[int] = (READER,)) -> list[str]:
    found: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    with database.read() as session:
        load_tastes(session, user_ids, now=NOW)
    sa.event.remove(database.engine, "before_cursor_execute", note)
    return [statement for statement in found if "events" in statement or "users" in statement or "library" in statement]
