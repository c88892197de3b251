"""The formula of what is trending."""

import math
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from api.services.trending import EVENT_WEIGHTS, STAR_WEIGHT, Board, build_board
from api.store.engine import Database
from api.store.tables import Event
from api.store.touches import BUCKET_SECONDS
from recommender.domain import EventKind
from tests.api.hub_world import daily_row, insert_papers, insert_readers, vote

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(seconds=BUCKET_SECONDS / 2)
LONG_AGO = NOW - timedelta(days=200)
HALF_LIFE_DAYS = 2.0


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return a database with papers nobody has voted for, listed before every window, and three readers."""
    insert_readers(sqlite_database, 1, 2, 3)
    insert_papers(sqlite_database, *(daily_row(number, LONG_AGO, upvotes=0) for number in (1, 2, 3)))
    return sqlite_database


def act(database: Database, user_id: int, paper_id: int, kind: EventKind, *, days_ago: float = 0.0) -> None:
    """Store what a reader did."""
    at = NOW - timedelta(days=days_ago)
    vote(database, user_id, paper_id, kind, at=at, number=round(days_ago * 1000))
    with database.write() as session:
        session.execute(sa.update(Event).values(received_at=Event.occurred_at))


def board_of(database: Database) -> Board:
    with database.read() as session:
        return build_board(session, now=NOW, half_life_days=HALF_LIFE_DAYS)


def week_of(database: Database) -> dict[int, float]:
    return dict(board_of(database).trending("week"))


def test_each_act_has_its_weight_and_counts_once_a_reader(database: Database) -> None:
    act(database, 1, 1, EventKind.SAVE)
    act(database, 2, 1, EventKind.UPVOTE)
    act(database, 3, 2, EventKind.READ)
    act(database, 3, 3, EventKind.CLICK)
    saved, voted, read, clicked = (
        EVENT_WEIGHTS[kind] for kind in (EventKind.SAVE, EventKind.UPVOTE, EventKind.READ, EventKind.CLICK)
    )
    assert week_of(database) == pytest.approx({1: saved + voted, 2: read, 3: clicked})


def test_what_was_shown_or_dismissed_is_not_trending(database: Database) -> None:
    act(database, 1, 1, EventKind.IMPRESSION)
    act(database, 1, 2, EventKind.DISMISS)
    assert week_of(database) == {}


def test_an_act_counts_half_after_the_half_life_of_its_window(database: Database) -> None:
    act(database, 1, 1, EventKind.SAVE, days_ago=HALF_LIFE_DAYS)
    board = board_of(database)
    assert dict(board.trending("week")) == pytest.approx({1: 1.5})
    assert dict(board.trending("month")) == pytest.approx({1: 3 * 2 ** (-1 / 4)})
    assert dict(board.trending("day")) == {}


def test_what_is_taken_back_counts_no_longer_and_never_below_zero(database: Database) -> None:
    act(database, 1, 1, EventKind.SAVE)
    act(database, 1, 1, EventKind.UNSAVE)
    insert_papers(database, daily_row(4, NOW, upvotes=7))
    act(database, 1, 4, EventKind.SAVE, days_ago=5)
    act(database, 1, 4, EventKind.UNSAVE)  # weighs more than what is left of the save
    assert week_of(database) == pytest.approx({4: math.log1p(7)})


def test_votes_and_stars_at_the_source_fade_since_the_paper_was_listed(database: Database) -> None:
    insert_papers(
        database,
        daily_row(4, NOW, upvotes=7, github_stars=100),
        daily_row(5, NOW - timedelta(days=HALF_LIFE_DAYS), upvotes=7),
        daily_row(6, NOW, upvotes=0, github_stars=100),
        daily_row(7, NOW - timedelta(days=8), upvotes=700),
    )
    stars = STAR_WEIGHT * math.log1p(100)
    assert week_of(database) == pytest.approx({4: math.log1p(7) + stars, 5: math.log1p(7) / 2, 6: stars})


def test_the_two_parts_add_up_and_the_best_comes_first(database: Database) -> None:
    insert_papers(database, daily_row(4, NOW, upvotes=7))
    act(database, 1, 4, EventKind.SAVE)
    act(database, 1, 1, EventKind.SAVE)
    week = week_of(database)
    assert list(week) == [4, 1]
    assert week == pytest.approx({4: 3 + math.log1p(7), 1: 3.0})
