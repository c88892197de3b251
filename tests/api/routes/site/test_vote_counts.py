"""Votes of a paper: one number on every page, with the visitor's own vote in it once."""

import re
from datetime import timedelta
from typing import Final

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.site.shared_lists import SharedList
from api.runtime.state import Runtime
from api.services.trending import forget_boards
from api.store.engine import Database
from api.store.tables import Paper
from recommender.domain import EventKind
from tests.api.hub_world import MONDAY, insert_readers, vote
from tests.api.routes.search.index import TEXTS, write
from tests.api.routes.site.pages import HTML, card_of, csrf_of

PAPER: Final = 1
AT_SOURCE: Final = 40
ORIGIN: Final = {"accept": "application/json", "origin": "http://testserver"}


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


@pytest.fixture
def site(client: TestClient, database: Database, runtime: Runtime) -> TestClient:
    """Return a browser at papers of which one has forty votes at its source and two here."""
    forget_boards()
    write(database, runtime, TEXTS)
    with database.write() as session:
        session.execute(sa.update(Paper).where(Paper.paper_id == PAPER).values(upvotes=AT_SOURCE, daily_at=MONDAY))
    insert_readers(database, 101, 102)
    for user_id in (101, 102):
        vote(database, user_id, PAPER, EventKind.UPVOTE, at=MONDAY)
    runtime.conditions.look()
    client.headers.update(HTML)
    return client


def name_of(database: Database) -> str:
    """Return what others call the paper."""
    with database.read() as session:
        return session.scalars(sa.select(Paper.external_id).where(Paper.paper_id == PAPER)).one()


def press(browser: TestClient, kind: str, paper: str) -> None:
    """Press a button of the paper."""
    form = {"csrf": csrf_of(browser.get("/").text), "kind": kind, "paper": paper, "back": "/"}
    assert browser.post("/act", data=form, headers=ORIGIN).status_code == 200


def count_in(text: str) -> int:
    """Return the votes that a card, or a paper's page, shows."""
    found = re.search(r"▲ <span>(\d+)</span>", text)
    assert found is not None
    return int(found[1])


def check(browser: TestClient, name: str, votes: int) -> None:
    """Compare every page that shows the paper."""
    for path in ("/", "/for-you", "/search?q=attention", "/search", "/papers/date/2025-12-08"):
        assert (path, count_in(card_of(browser.get(path).text, PAPER))) == (path, votes)
    assert count_in(browser.get(f"/papers/{name}").text) == votes


def test_every_page_shows_the_same_number(site: TestClient, database: Database, runtime: Runtime) -> None:
    name = name_of(database)
    check(site, name, AT_SOURCE + 2)
    assert site.get(f"/api/papers/{name}", headers={"accept": "*/*"}).json()["upvotes"] == AT_SOURCE + 2
    assert site.get(f"/v1/papers/{name}", headers={"accept": "*/*"}).json()["upvotes"] == AT_SOURCE
    press(site, "upvote", name)
    check(site, name, AT_SOURCE + 3)
    runtime.answers.look()
    check(site, name, AT_SOURCE + 3)


def test_a_vote_is_counted_once_before_and_after_the_kept_list_knows_it(
    site: TestClient, database: Database, runtime: Runtime
) -> None:
    name = name_of(database)
    site.get("/")
    for kind, votes in (("upvote", 3), ("unvote", 2), ("upvote", 3)):
        press(site, kind, name)
        kept = runtime.pages.find(("/", ""), SharedList)
        assert kept is not None
        assert (kind, count_in(card_of(site.get("/").text, PAPER))) == (kind, AT_SOURCE + votes)
        assert runtime.pages.find(("/", ""), SharedList) is kept  # the page from memory, made before the press
        runtime.answers.look()
        assert (kind, count_in(card_of(site.get("/").text, PAPER))) == (kind, AT_SOURCE + votes)
        assert runtime.pages.find(("/", ""), SharedList) is not kept


def test_a_vote_taken_back_twice_is_missing_once(site: TestClient, database: Database, runtime: Runtime) -> None:
    name = name_of(database)
    press(site, "upvote", name)
    runtime.answers.look()
    site.get("/")
    for kind in ("unvote", "unvote"):
        press(site, kind, name)
        assert count_in(card_of(site.get("/").text, PAPER)) == AT_SOURCE + 2


def test_a_vote_of_somebody_else_is_not_taken_for_ones_own(site: TestClient, database: Database) -> None:
    site.get("/")
    insert_readers(database, 103)
    vote(database, 103, PAPER, EventKind.UPVOTE, at=MONDAY + timedelta(days=1))
    press(site, "upvote", name_of(database))
    assert count_in(card_of(site.get("/").text, PAPER)) == AT_SOURCE + 3
