"""The trending page and its formula."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.site.trending import tell_formula
from api.services.trending import EVENT_WEIGHTS, forget_boards
from api.store.engine import Database
from api.store.tables import Event
from recommender.domain import EventKind
from tests.api.feed_world import add_event
from tests.api.hub_world import daily_row, insert_papers, insert_readers
from tests.api.routes.site.pages import HTML, links, listed, main_of

NOW = datetime.now(UTC)


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


@pytest.fixture(autouse=True)
def _trending(database: Database) -> None:
    """Store a paper for which readers voted today, one for which one did ten days ago, and one for which nobody did."""
    forget_boards()
    long_ago = NOW - timedelta(days=300)
    insert_papers(database, *(daily_row(number, long_ago, upvotes=0) for number in range(1, 4)))
    insert_readers(database, 1, 2, 3)
    for user_id in (1, 2):
        add_event(database, user_id, 1, EventKind.UPVOTE, at=NOW - timedelta(hours=1))
    add_event(database, 3, 2, EventKind.UPVOTE, at=NOW - timedelta(days=10))


def test_a_week_has_what_was_voted_for_in_it(client: TestClient) -> None:
    page = client.get("/papers/trending", headers=HTML)
    assert page.status_code == 200
    assert listed(page.text) == [1]
    assert "You are up to date: nothing else is trending." in page.text


def test_the_list_can_be_had_by_mail(client: TestClient) -> None:
    assert 'href="/digest"' in main_of(client.get("/papers/trending", headers=HTML).text)


def test_a_month_has_more(client: TestClient) -> None:
    assert listed(client.get("/papers/trending?window=month", headers=HTML).text) == [1, 2]


def test_the_formula_on_the_page_has_the_weights_in_force(client: TestClient) -> None:
    page = re.sub(r"\s+", " ", main_of(client.get("/papers/trending?window=day", headers=HTML).text))
    assert "within the last day" in page
    for kind in (EventKind.SAVE, EventKind.UPVOTE, EventKind.CLICK, EventKind.READ):
        assert re.search(rf"\b{EVENT_WEIGHTS[kind]:g} for ", page)
    assert f"The half-life is {tell_formula('day', half_life_days=2.0).half_life} here" in page


def test_a_shorter_window_has_a_shorter_half_life() -> None:
    assert tell_formula("week", half_life_days=2.0).half_life != tell_formula("day", half_life_days=2.0).half_life
    assert tell_formula("week", half_life_days=1.0).half_life != tell_formula("week", half_life_days=2.0).half_life


def test_windows_lead_to_each_other(client: TestClient) -> None:
    page = client.get("/papers/trending?window=month", headers=HTML).text
    assert 'href="/papers/trending"' in page
    assert re.search(r'href="/papers/trending\?window=month" aria-current="true"', page)


@pytest.mark.parametrize("query", ["?window=year", "?p=x", "?p=2"])
def test_what_is_not_there_is_not_found(client: TestClient, query: str) -> None:
    assert client.get(f"/papers/trending{query}", headers=HTML).status_code == 404


def test_without_votes_the_page_says_what_would_be_on_it(client: TestClient, database: Database) -> None:
    with database.write() as session:
        session.execute(sa.delete(Event))
    forget_boards()
    page = client.get("/papers/trending", headers=HTML)
    assert page.status_code == 200
    assert not listed(page.text)
    assert "Nothing has been saved, voted for or read within the last 7 days yet" in page.text


def test_pages_follow_each_other_without_repeats(client: TestClient, database: Database) -> None:
    insert_papers(database, *(daily_row(number, NOW - timedelta(hours=2), upvotes=9) for number in range(100, 130)))
    forget_boards()
    first = client.get("/papers/trending", headers=HTML).text
    [following] = links(first, "next")
    second = client.get(following, headers=HTML).text
    assert len(listed(first)) == 20
    assert not set(listed(first)) & set(listed(second))
    assert len(listed(first) + listed(second)) == 31
    assert links(second, "prev") == ["/papers/trending"]
