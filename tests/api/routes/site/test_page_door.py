"""Pages from memory: who gets them, and that they are the same as those the long way."""

import re
from http.cookies import SimpleCookie

import pytest
from fastapi.testclient import TestClient

from api.routes.visitors import COOKIE
from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import Base
from recommender.domain import EventKind
from tests.api.hub_world import MONDAY, daily_row, insert_papers, insert_readers, vote
from tests.api.routes.site.pages import HTML, csrf_of, listed

_OWN = frozenset({"set-cookie", "x-request-id", "ratelimit", "content-length"})  # of one answer
DAY = "/papers/date/2025-12-08"


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


@pytest.fixture
def site(client: TestClient, database: Database, runtime: Runtime) -> TestClient:
    """Return a client at a day with three papers that keeps no cookies."""
    insert_papers(database, *(daily_row(number, MONDAY) for number in range(1, 4)))
    runtime.conditions.look()
    client.headers.update(HTML)
    return client


def visit(client: TestClient, path: str = DAY, **headers: str) -> tuple[str, dict[str, str], SimpleCookie]:
    """Load a page without cookies; return it without its token, its headers and the cookies that it gives."""
    client.cookies.clear()
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    cookies: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        cookies.load(line)
    told = {name: value for name, value in answer.headers.items() if name not in _OWN}
    client.cookies.clear()
    return re.sub(r'(name="csrf" value=")[^"]+', r"\1", answer.text), told, cookies


def test_the_second_visitor_gets_the_same_page_and_headers(site: TestClient) -> None:
    page, told, cookies = visit(site)
    again, told_again, cookies_again = visit(site)
    assert again == page
    assert told_again == told
    assert set(cookies) == set(cookies_again) == {COOKIE, "paperfeed_visit"}
    assert cookies[COOKIE].value != cookies_again[COOKIE].value
    for name in (COOKIE, "paperfeed_visit"):
        assert cookies_again[name]["httponly"]
        assert cookies_again[name]["samesite"] == "lax"


def test_the_second_visit_asks_no_sql_at_all(site: TestClient, runtime: Runtime, statements: list[str]) -> None:
    visit(site)
    runtime.answers.look()
    runtime.conditions.look()
    statements.clear()
    visit(site)
    assert statements == []


def test_a_request_keeps_its_id_and_is_counted(site: TestClient) -> None:
    visit(site)
    answer = site.get(DAY, headers={"x-request-id": "mine"})
    assert answer.headers["x-request-id"] == "mine"
    assert "ratelimit" in answer.headers
    figures = site.get("/metrics").text
    assert re.search(r'route="/papers/date/\{name\}"', figures)


def test_head_has_the_headers_and_no_body(site: TestClient) -> None:
    visit(site)
    answer = site.head(DAY)
    assert answer.status_code == 200
    assert answer.content == b""


def test_a_vote_is_on_the_page_of_the_next_visitor(site: TestClient, database: Database, runtime: Runtime) -> None:
    assert listed(visit(site)[0]) == [3, 2, 1]
    insert_readers(database, 1, 2, 3)
    for user_id in (1, 2, 3):
        vote(database, user_id, 1, EventKind.UPVOTE, at=MONDAY)
    runtime.answers.look()
    assert listed(visit(site)[0]) == [1, 3, 2]


def test_the_form_of_a_page_from_memory_works(site: TestClient) -> None:
    visit(site)
    page = site.get(DAY).text
    csrf = csrf_of(page)
    form = {"csrf": csrf, "kind": "save", "paper": "2512.00002", "back": DAY}
    answer = site.post("/act", data=form, headers={"accept": "application/json", "origin": "http://testserver"})
    assert answer.status_code == 200, answer.text
    assert 'name="unsave"' in site.get(DAY).text


def test_a_form_of_somebody_elses_page_does_not(site: TestClient) -> None:
    visit(site)
    csrf = csrf_of(site.get(DAY).text)
    site.cookies.clear()
    site.get(DAY)
    form = {"csrf": csrf, "kind": "save", "paper": "2512.00002", "back": DAY}
    answer = site.post("/act", data=form, headers={"accept": "application/json", "origin": "http://testserver"})
    assert answer.status_code == 403


def test_what_is_told_once_is_told(site: TestClient) -> None:
    visit(site)
    csrf = csrf_of(site.get(DAY).text)
    form = {"csrf": csrf, "save": "2512.00002", "back": DAY}
    page = site.post("/act", data=form, headers={"origin": "http://testserver"})
    assert "Saved." in page.text
    assert "Saved." not in site.get(DAY).text.partition("<main")[2].partition("<h1")[0]


def test_without_its_database_the_next_visitor_gets_words(
    site: TestClient, runtime: Runtime, database: Database
) -> None:
    visit(site)
    site.get(DAY)  # who has a cookie is looked up
    runtime.serving.stop()
    Base.metadata.drop_all(database.engine)
    try:
        answer = site.get(DAY)
    finally:
        Base.metadata.create_all(database.engine)
    assert answer.status_code == 503
    assert "database" in answer.text


def test_two_pages_of_a_list_are_told_apart(site: TestClient) -> None:
    first, second = visit(site)[0], visit(site, DAY + "?sort=newest")[0]
    assert visit(site)[0] == first
    assert visit(site, DAY + "?sort=newest")[0] == second
    assert first != second
