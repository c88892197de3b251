"""Pages of days, weeks and months, and the start page."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from fastapi.testclient import TestClient

from api.routes.site.shared_lists import LISTED
from api.runtime.state import Runtime
from api.services.trending import forget_boards
from api.store.engine import Database
from recommender.domain import EventKind
from tests.api.hub_world import MONDAY, daily_row, insert_papers, insert_readers, vote
from tests.api.routes.site.pages import HTML, card_of, csrf_of, links, listed

LAST_DAY = "/papers/date/2025-12-08"


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


@pytest.fixture(autouse=True)
def _lists(database: Database) -> None:
    """Store papers of three days, the middle one a week before the last, and one of no list."""
    forget_boards()
    insert_papers(
        database,
        *(daily_row(number, MONDAY) for number in range(1, 4)),
        *(daily_row(number, MONDAY - timedelta(days=7)) for number in range(4, 6)),
        daily_row(6, MONDAY - timedelta(days=38)),
        daily_row(7, None),
    )


def test_a_day_lists_its_papers_by_votes(client: TestClient) -> None:
    page = client.get(LAST_DAY, headers=HTML)
    assert page.status_code == 200
    assert listed(page.text) == [3, 2, 1]
    assert "<h1>Monday, 8 December 2025</h1>" in page.text


def test_the_votes_of_readers_here_count_in_the_order_and_on_the_card(client: TestClient, database: Database) -> None:
    insert_readers(database, 1, 2, 3)
    for user_id in (1, 2, 3):
        vote(database, user_id, 1, EventKind.UPVOTE, at=MONDAY)
    page = client.get(LAST_DAY, headers=HTML)
    assert listed(page.text) == [1, 3, 2]
    assert "<span>4</span>" in page.text


def test_previous_and_next_skip_days_without_papers(client: TestClient) -> None:
    middle = client.get("/papers/date/2025-12-01", headers=HTML).text
    assert links(middle, "prev")[0] == "/papers/date/2025-10-31"
    assert links(middle, "next")[0] == LAST_DAY
    assert not links(client.get(LAST_DAY, headers=HTML).text, "next")
    assert not links(client.get("/papers/date/2025-10-31", headers=HTML).text, "prev")


def test_an_empty_day_leads_to_its_neighbours(client: TestClient) -> None:
    page = client.get("/papers/date/2025-12-03", headers=HTML)
    assert page.status_code == 200
    assert "No paper entered a daily list on this day." in page.text
    assert (links(page.text, "prev")[0], links(page.text, "next")[0]) == ("/papers/date/2025-12-01", LAST_DAY)


@pytest.mark.parametrize(
    ("path", "papers", "before"),
    [
        ("/papers/week/2025-W50", [3, 2, 1], "/papers/week/2025-W49"),
        ("/papers/week/2025-W49", [5, 4], "/papers/week/2025-W44"),
        ("/papers/month/2025-12", [5, 4, 3, 2, 1], "/papers/month/2025-10"),
    ],
)
def test_weeks_and_months_list_their_days(client: TestClient, path: str, papers: list[int], before: str) -> None:
    page = client.get(path + "?sort=votes", headers=HTML)
    assert page.status_code == 200
    assert sorted(listed(page.text)) == sorted(papers)
    assert links(page.text, "prev")[0] == before


def test_a_month_can_be_read_newest_first(client: TestClient) -> None:
    assert listed(client.get("/papers/month/2025-12?sort=newest", headers=HTML).text) == [3, 2, 1, 5, 4]


def test_a_month_has_its_most_upvoted_papers_first(client: TestClient) -> None:
    assert listed(client.get("/papers/month/2025-12", headers=HTML).text) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("name", ["2025-13-01", "2025-02-30", "yesterday", "2025-1-1", "9999-99-99"])
def test_what_is_no_day_says_how_a_day_is_written(client: TestClient, name: str) -> None:
    page = client.get(f"/papers/date/{name}", headers=HTML)
    assert page.status_code == 404
    assert "2025-12-08" in page.text
    assert links(page.text, "prev") == [LAST_DAY]


@pytest.mark.parametrize("path", ["/papers/date/9999-12-31", "/papers/date/0001-01-01", "/papers/week/0001-W01"])
def test_the_ends_of_the_calendar_are_no_error(client: TestClient, path: str) -> None:
    assert client.get(path, headers=HTML).status_code in {200, 404}


@pytest.mark.parametrize("query", ["?p=0", "?p=-1", "?p=x", "?sort=best", "?p=99999999999"])
def test_an_address_that_asks_for_nonsense_is_not_found(client: TestClient, query: str) -> None:
    assert client.get(LAST_DAY + query, headers=HTML).status_code == 404


def test_a_day_still_to_come_says_so(client: TestClient) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    page = client.get(f"/papers/date/{tomorrow}", headers=HTML)
    assert page.status_code == 404
    assert "still to come" in page.text


def test_the_start_page_is_the_newest_day_and_says_how_old_it_is(client: TestClient) -> None:
    page = client.get("/", headers=HTML)
    assert listed(page.text) == [3, 2, 1]
    assert re.search(r"newest daily list there is: it ended \d+ days ago", page.text)
    assert "You are up to date: that is everything of this day." in page.text


def test_the_start_page_of_today_says_today_and_no_age(client: TestClient, database: Database) -> None:
    today = datetime.now(UTC)
    insert_papers(database, daily_row(8, today.replace(hour=0, minute=0, second=1), updated_at=today))
    page = client.get("/", headers=HTML)
    assert listed(page.text) == [8]
    assert "<h1>Today, " in page.text
    assert "newest daily list there is" not in page.text


def test_pages_of_a_long_day_repeat_nothing_and_leave_nothing_out(client: TestClient, database: Database) -> None:
    insert_papers(database, *(daily_row(number, MONDAY) for number in range(100, 100 + 2 * LISTED)))
    seen: list[int] = []
    path: str | None = LAST_DAY
    while path:
        page = client.get(path, headers=HTML)
        assert page.status_code == 200
        seen += listed(page.text)
        path = next((unescape(href) for href in links(page.text, "next") if "p=" in href), None)
    assert len(seen) == len(set(seen)) == 2 * LISTED + 3
    assert client.get(f"{LAST_DAY}?p=9", headers=HTML).status_code == 404


def test_a_full_page_stays_light(client: TestClient, database: Database) -> None:
    long = {"summary": "Attention & <b>more</b> " * 200, "title": "A title of some length " * 4}
    insert_papers(database, *(daily_row(number, MONDAY, **long) for number in range(100, 150)))
    page = client.get(LAST_DAY, headers=HTML).text
    assert len(listed(page)) == LISTED
    loaded = re.findall(r'(?:<link rel="stylesheet" href|<script src)="([^"]+)"', page)
    assert len(loaded) == 3
    assert len(page.encode()) + sum(len(client.get(path).content) for path in loaded) < 60_000


def test_papers_that_came_since_the_last_visit_are_new(
    client: TestClient, database: Database, runtime: Runtime
) -> None:
    runtime.conditions.look()
    client.get(LAST_DAY, headers=HTML)
    shown = client.cookies["paperfeed_visit"].split(".")
    assert shown[3] == "7"
    long_ago = int(shown[2]) - 86_400
    client.cookies.clear()
    client.cookies.set("paperfeed_visit", f"0.0.{long_ago}.2")
    page = client.get(LAST_DAY, headers=HTML).text
    new = [listed(card)[0] for card in page.split("<li class=")[1:] if "tag new" in card]
    assert new == [3]


def test_a_guest_costs_no_sql_while_nothing_changes(
    client: TestClient, runtime: Runtime, statements: list[str]
) -> None:
    first = client.get(LAST_DAY, headers=HTML)
    client.cookies.clear()
    runtime.conditions.look()
    statements.clear()
    second = client.get(LAST_DAY, headers=HTML)
    assert not [each for each in statements if "daily_at" in each or "external_id" in each]
    assert listed(second.text) == listed(first.text)


def test_each_visitor_gets_a_token_of_their_own(client: TestClient) -> None:
    tokens = set()
    for _ in range(3):
        client.cookies.clear()
        page = client.get(LAST_DAY, headers=HTML).text
        tokens.add(csrf_of(page))
    assert len(tokens) == 3


def test_what_a_reader_said_is_on_their_page_and_on_nobody_elses(client: TestClient) -> None:
    page = client.get(LAST_DAY, headers=HTML).text
    csrf = csrf_of(page)
    for kind in ("save", "upvote"):
        form = {"csrf": csrf, "kind": kind, "paper": "2512.00001", "back": LAST_DAY}
        answer = client.post("/act", data=form, headers={"accept": "application/json", "origin": "http://testserver"})
        assert answer.status_code == 200, answer.text
    mine = client.get(LAST_DAY, headers=HTML).text
    assert mine.count('name="unsave"') == 1
    assert "<span>2</span>" in card_of(mine, 1)
    client.cookies.clear()
    assert 'name="unsave"' not in client.get(LAST_DAY, headers=HTML).text
