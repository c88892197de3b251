"""Error pages say who is signed in, where that can be known without failing again."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from api.routes.signing import COOKIE
from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import Base
from tests.api.hub_world import insert_readers
from tests.api.routes.site.signing_world import HTML, begin_session_of

NOWHERE = "/nowhere"


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


@pytest.fixture
def ada(client: TestClient, database: Database, runtime: Runtime) -> TestClient:
    """Return a browser that is signed in and has not loaded a page yet."""
    insert_readers(database, 1)
    client.cookies.update(begin_session_of(1, database, runtime))
    client.headers.update(HTML)
    return client


def who(text: str) -> str:
    """Return what the top of a page says of its visitor."""
    return text.partition('<p class="who">')[2].partition("</p>")[0]


def test_a_signed_in_reader_stays_so_on_an_error_page(ada: TestClient) -> None:
    answer = ada.get(NOWHERE)
    assert answer.status_code == 404
    assert '<span class="me">Ada</span> Settings' in who(answer.text)
    assert "Sign in" not in who(answer.text)
    assert "Cookie" in answer.headers["vary"]


@pytest.mark.parametrize("cookie", ["", "made-up"])
def test_others_are_offered_to_sign_in(client: TestClient, cookie: str) -> None:
    client.cookies.update({COOKIE: cookie} if cookie else {})
    assert "Sign in" in who(client.get(NOWHERE, headers=HTML).text)


def test_an_error_page_without_a_database_is_still_one(ada: TestClient, runtime: Runtime, database: Database) -> None:
    runtime.serving.stop()
    Base.metadata.drop_all(database.engine)
    try:
        answers = [ada.get(path) for path in (NOWHERE, "/papers/2401.00001")]
    finally:
        Base.metadata.create_all(database.engine)
    assert [answer.status_code for answer in answers] == [404, 503]
    assert all("Sign in" in who(answer.text) for answer in answers)


def test_a_database_in_trouble_is_not_asked_who_it_is(
    ada: TestClient, runtime: Runtime, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada.get(NOWHERE)
    runtime.signed_in.forget_account(1)
    statements.clear()
    ada.get(NOWHERE)
    assert statements != []
    runtime.signed_in.forget_account(1)
    troubled = replace(runtime.conditions.read(), is_database_up=False)
    monkeypatch.setattr(runtime.conditions, "read", lambda: troubled)  # a look under way would find all well again
    statements.clear()
    assert "Sign in" in who(ada.get(NOWHERE).text)
    assert statements == []


def test_a_picked_reader_stays_picked_on_an_error_page(local: TestClient, runtime_of_local: Runtime) -> None:
    page = local.get(f"{NOWHERE}?reader=u1").text
    assert '<span class="me">u1</span> Settings' in who(page)
    assert 'href="/library?reader=u1"' in page
    assert 'href="/library"' in local.get(f"{NOWHERE}?reader=%00").text


def test_nobody_elsewhere_picks_a_reader(client: TestClient) -> None:
    assert "u1" not in client.get(f"{NOWHERE}?reader=u1", headers=HTML).text
