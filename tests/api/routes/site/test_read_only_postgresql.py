"""Every page, form and call on a real PostgreSQL that takes no writes, as a replica does not."""

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Final

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from api.app import MODULES
from api.routes.site import ROUTERS
from api.routes.site.notices import NOTICES
from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import Event
from tests.api.routes.conftest import count_rows
from tests.api.routes.site.conftest import hidden_fields
from tests.api.routes.site.pages import HTML
from tests.api.routes.site.signing_world import ORIGIN, begin_session_of
from tests.api.routes.site.test_every_page import FORMS, READ_ONLY, SPILLED, fill, fill_all
from tests.e2e.processes import wait_until

READER: Final = 1
FOR_OPERATORS: Final = frozenset({"/moderation", "/mails"})  # anybody else gets words, too
OF_NOBODY: Final = ("/authors/", "/organizations/")  # the search index may be in the making
SOMETHING: Final = {  # what any form may want
    "kind": "save",
    "mail": "ada@papers.test",
    "text": "2401.00001",
    "ids": "2401.00001",
    "label": "x",
    "sure": "yes",
    "name": "x",
    "title": "x",
    "category": "cs.IR",
    "author": "Ada Lovelace",
    "terms": "graphs",
    "cadence": "daily",
    "weekday": "0",
    "hour": "7",
    "zone": "UTC",
    "next": "list",
}
_PARAMETER: Final = re.compile(r"\{[^}]+\}")


@pytest.fixture
def database(postgres_database: Database) -> Database:
    """Return the database of everything in this file."""
    return postgres_database


@pytest.fixture
def make_read_only(world: Database, runtime: Runtime) -> Iterator[Callable[[], None]]:
    """Return a function after which the database of the running application takes no writes."""
    name = world.engine.url.database

    def act() -> None:
        with world.write() as session:
            session.execute(sa.text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
        runtime.serving.stop()  # its looks, and those of others, have connections that dispose() would lose
        runtime.freshness.stop()
        runtime.search.stop()
        runtime.access.stop()
        wait_until(lambda: checked_out(runtime) == 0, seconds=20, what="the end of looks")
        runtime.db.engine.dispose()
        runtime.conditions.distrust()

    yield act
    with world.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("SET default_transaction_read_only = off"))
        connection.execute(sa.text(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'))


def checked_out(runtime: Runtime) -> int:
    """Return how many connections are in use."""
    pool = runtime.db.engine.pool
    assert isinstance(pool, sa.QueuePool)
    return pool.checkedout()


@pytest.fixture
def stranger(client: TestClient, world: Database) -> TestClient:
    """Return the browser of somebody who was here before."""
    client.headers.update(HTML)
    client.get("/")
    return client


@pytest.fixture
def signed_in(stranger: TestClient, world: Database, runtime: Runtime) -> TestClient:
    """Return the browser of somebody who is signed in."""
    stranger.cookies.update(begin_session_of(READER, world, runtime))
    return stranger


@pytest.fixture(params=["stranger", "signed_in"])
def browser(request: pytest.FixtureRequest) -> TestClient:
    """Return either."""
    browser: TestClient = request.getfixturevalue(request.param)
    return browser


def post(browser: TestClient, path: str, fields: dict[str, str], **headers: str) -> httpx2.Response:
    return browser.post(path, data=fields, headers={**ORIGIN, **headers}, follow_redirects=False)


def spilled(answer: httpx2.Response) -> list[str]:
    return [words for words in SPILLED if words in answer.text]


def posts_of(routers: tuple[APIRouter, ...], runtime: Runtime) -> list[str]:
    """Return the address of each form."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    paper = fill(runtime, "{paper}")
    return [_PARAMETER.sub(paper, route.path) for route in routes if "POST" in (route.methods or set())]


def test_every_page_answers_and_says_so(
    browser: TestClient, runtime: Runtime, make_read_only: Callable[[], None]
) -> None:
    problems = []
    paths = fill_all(runtime)
    make_read_only()
    for path in paths:
        answer = browser.get(path)
        is_other = path in FOR_OPERATORS or path.startswith(OF_NOBODY)
        allowed = {200, 401, 403, 404, 503} if is_other else {200}
        if answer.status_code not in allowed or spilled(answer):
            problems.append(f"{path}: {answer.status_code} {answer.text[:300]}")
        elif answer.status_code == 200 and not path.startswith("/feeds/") and READ_ONLY not in answer.text:
            problems.append(f"{path}: does not say it")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(("path", "fields"), FORMS)
def test_a_form_that_cannot_be_kept_says_so(
    signed_in: TestClient, runtime: Runtime, make_read_only: Callable[[], None], path: str, fields: dict[str, str]
) -> None:
    address = fill(runtime, path)
    hidden = hidden_fields(signed_in.get("/").text)
    make_read_only()
    answer = post(signed_in, address, {**hidden, **fields})
    assert (answer.status_code, spilled(answer)) == (503, []), answer.text
    assert "retry-after" in answer.headers
    assert "<h1" in answer.text


def test_a_press_is_told_and_changes_nothing(
    browser: TestClient, world: Database, runtime: Runtime, make_read_only: Callable[[], None]
) -> None:
    fields = {**hidden_fields(browser.get("/").text), "save": fill(runtime, "{paper}")}
    before = count_rows(world, Event)
    make_read_only()
    told = post(browser, "/act", fields)
    assert told.status_code == 303
    page = browser.get("/").text
    assert NOTICES["away"] in page
    assert READ_ONLY in page
    asked = post(browser, "/act", fields, accept="application/json")
    assert (asked.status_code, asked.headers["content-type"]) == (503, "application/problem+json")
    assert "retry-after" in asked.headers
    assert count_rows(world, Event) == before


def test_no_form_of_all_fails_without_words(
    browser: TestClient, runtime: Runtime, make_read_only: Callable[[], None]
) -> None:
    hidden = hidden_fields(browser.get("/").text)
    addresses = posts_of(ROUTERS, runtime)
    make_read_only()
    assert len(addresses) > 30
    problems = []
    for address in addresses:
        answer = post(browser, address, {**SOMETHING, **hidden, "paper": fill(runtime, "{paper}")})
        if answer.status_code in {500, 502} or spilled(answer):
            problems.append(f"{address}: {answer.status_code} {answer.text[:300]}")
    assert not problems, "\n".join(problems)


def test_calls_that_write_are_unavailable_and_others_answer(
    client: TestClient, runtime: Runtime, as_u1: dict[str, str], make_read_only: Callable[[], None]
) -> None:
    paper = fill(runtime, "{paper}")
    event = {"id": str(uuid.uuid4()), "kind": "save", "paper_id": paper, "occurred_at": "2026-05-01T12:00:00Z"}
    make_read_only()
    client.headers.update({**as_u1, "accept": "application/json"})
    for path in ("/v1/feed", "/v1/papers", f"/v1/papers/{paper}", "/v1/search?q=paper", "/v1/users/me/history"):
        answer = client.get(path)
        assert (path, answer.status_code) in {(path, 200), (path, 404)}, answer.text
    answer = client.post("/v1/events", json={"events": [event]})
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json"), answer.text
    assert "retry-after" in answer.headers


def test_no_call_of_all_fails_without_words(
    client: TestClient, runtime: Runtime, as_ada: dict[str, str], make_read_only: Callable[[], None]
) -> None:
    routers = tuple(module.router for module in MODULES)
    addresses = posts_of(routers, runtime)
    make_read_only()
    client.headers.update({**as_ada, "accept": "application/json"})
    problems = []
    for address in addresses:
        answer = client.post(address, json={})
        if answer.status_code == 500 or spilled(answer):
            problems.append(f"{address}: {answer.status_code} {answer.text[:300]}")
    assert not problems, "\n".join(problems)
