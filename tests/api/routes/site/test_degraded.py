"""What pages say while something is missing: words, and whatever can still be read."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.site.notices import NOTICES
from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.state import write_state
from api.store.tables import Base, Event
from api.store.writable import is_writable
from tests.api.routes.conftest import make_paper
from tests.api.routes.site.conftest import ORIGIN, hidden_fields, press
from tests.api.routes.site.pages import HTML

PAGES = ("/", "/for-you", "/papers/trending", "/settings")
READ_ONLY = "The database is read-only"


@contextmanager
def read_only(database: Database) -> Iterator[None]:
    """Let a database refuse every write, as one does whose disk was remounted or whose server is a replica."""

    def refuse(connection: sa.engine.interfaces.DBAPIConnection, *_: object) -> None:
        connection.cursor().execute("PRAGMA query_only=ON")

    sa.event.listen(database.engine, "checkout", refuse)
    yield
    sa.event.remove(database.engine, "checkout", refuse)
    database.engine.dispose()


def test_an_empty_installation_says_what_to_do(local: TestClient) -> None:
    page = local.get("/")
    assert page.status_code == 200
    assert "There are no papers yet" in page.text
    assert "No model has been fitted yet" in page.text
    assert "being loaded" not in page.text
    assert "The cache is away" in page.text


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_whole_without_a_cache(local: TestClient, runtime_of_local: Runtime, path: str) -> None:
    press(local, "save", "p1000")
    answer = local.get(path)
    assert answer.status_code == 200
    assert "The cache is away" in answer.text


def test_a_model_that_is_not_loaded_yet_is_said_to_be_loading(local: TestClient, runtime_of_local: Runtime) -> None:
    runtime_of_local.serving.stop()
    runtime_of_local.serving._current = None
    runtime_of_local.conditions.look()
    for path in PAGES:
        page = local.get(path).text
        assert "The model is being loaded: a few seconds" in page, path
        assert "No model has been fitted yet" not in page


def test_a_model_that_cannot_be_loaded_is_not_said_to_be_loading(local: TestClient, runtime_of_local: Runtime) -> None:
    runtime_of_local.serving.stop()
    runtime_of_local.serving._current = None
    runtime_of_local.serving._last_failure = "OSError: gone"
    runtime_of_local.conditions.look()
    page = local.get("/").text
    assert "The model cannot be loaded" in page
    assert "a few seconds" not in page


def test_with_a_model_nothing_is_said_of_it(local: TestClient, runtime_of_local: Runtime) -> None:
    runtime_of_local.conditions.look()
    assert "model" not in local.get("/").text.partition("<h1")[0].partition("<main")[2]


def test_a_demonstration_says_so_on_every_page(local: TestClient, runtime_of_local: Runtime) -> None:
    with runtime_of_local.db.write() as session:
        write_state(session, "demonstration", {"loaded": True}, now=datetime.now(UTC))
    runtime_of_local.conditions.look()
    for path in PAGES:
        page = local.get(path).text
        assert "<strong>Demonstration.</strong>" in page, path
        assert "<code>paperfeed demo remove</code>" in page


def test_papers_that_stopped_coming_say_their_age(local: TestClient, runtime_of_local: Runtime) -> None:
    runtime_of_local.freshness._as_of = datetime.now(UTC) - timedelta(days=9)
    page = local.get("/for-you").text
    assert "These papers are as of 9 days ago" in page
    assert "<code>paperfeed sources</code>" in page


@pytest.mark.parametrize("path", ["/", "/for-you", "/papers/trending", "/papers/2401.00001"])
def test_without_its_tables_a_page_is_words(
    client: TestClient, database: Database, runtime: Runtime, path: str
) -> None:
    runtime.serving.stop()
    Base.metadata.drop_all(runtime.db.engine)
    try:
        answer = client.get(path, headers=HTML)
    finally:
        Base.metadata.create_all(runtime.db.engine)  # other tests share them
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "database" in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_without_its_database_a_page_is_words(local: TestClient, runtime_of_local: Runtime, path: str) -> None:
    press(local, "save", "p1000")
    runtime_of_local.serving.stop()
    runtime_of_local.db.engine.dispose()
    file = runtime_of_local.settings.data_dir / "paperfeed.db"
    file.rename(file.with_suffix(".away"))
    file.mkdir()  # what cannot be opened
    runtime_of_local.conditions.distrust()
    answer = local.get(path)
    assert answer.status_code in {200, 503}  # a page that needs no rows is whole, and says so
    assert "database" in answer.text
    assert "Traceback" not in answer.text


def test_a_database_that_is_read_only_is_told_before_anybody_presses(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    press(local, "save", "p1000")
    with read_only(runtime_of_local.db):
        runtime_of_local.conditions.distrust()
        for path in PAGES:
            answer = local.get(path)
            assert (path, answer.status_code) == (path, 200)
            assert READ_ONLY in answer.text, path
        assert "p1000" not in local.get("/for-you").text  # saved before: read, not written
    runtime_of_local.conditions.distrust()
    assert READ_ONLY not in local.get("/").text


def test_a_press_on_a_read_only_database_is_told_and_changes_nothing(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    fields = {**hidden_fields(local.get("/").text), "save": "p1000"}
    json = {**ORIGIN, "accept": "application/json"}
    with read_only(runtime_of_local.db):
        told = local.post("/act", data=fields, headers=ORIGIN, follow_redirects=False)
        asked = local.post("/act", data=fields, headers=json)
        page = local.get("/").text
    assert told.status_code == 303
    assert NOTICES["away"] in page
    assert READ_ONLY in page  # the next page knows, without waiting for the next look
    assert asked.status_code == 503
    assert asked.headers["content-type"] == "application/problem+json"
    with runtime_of_local.db.read() as session:
        assert session.scalars(sa.select(Event).where(sa.not_(Event.is_import))).all() == []


def test_other_forms_are_refused_in_words_on_a_read_only_database(local: TestClient, runtime_of_local: Runtime) -> None:
    press(local, "save", "p1000", page="/?reader=newcomer")
    fields = hidden_fields(local.get("/?reader=newcomer").text)
    with read_only(runtime_of_local.db):
        answer = local.post("/papers/p1000/comments", data={**fields, "text": "hello"}, headers=ORIGIN)
    assert answer.status_code == 503
    assert "Traceback" not in answer.text
    assert "database" in answer.text


def test_a_postgresql_that_takes_no_writes_is_known(database: Database) -> None:
    assert is_writable(database)
    if database.is_sqlite:
        return
    name = database.engine.url.database
    with database.write() as session:
        session.execute(sa.text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    database.engine.dispose()
    try:
        assert not is_writable(database)
    finally:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("SET default_transaction_read_only = off"))
            connection.execute(sa.text(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'))
        database.engine.dispose()


def test_a_fault_of_our_own_is_a_page_with_the_number_of_the_request(
    local: TestClient, runtime_of_local: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_of_local.conditions, "read", lambda: 1 // 0)
    answer = local.get("/settings")
    assert answer.status_code == 500
    assert "Something went wrong here" in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert "ZeroDivision" not in answer.text


def test_one_paper_that_is_made_up_says_so(client: TestClient, database: Database) -> None:
    with database.write() as session:
        paper = make_paper("2401.00001")
        paper.is_demo = True
        session.add(paper)
    assert '<span class="tag">demonstration</span>' in client.get("/", headers=HTML).text


def test_a_look_that_takes_long_holds_up_no_other_request(
    local: TestClient, runtime_of_local: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.get("/settings")
    may_answer, is_asked = threading.Event(), threading.Event()

    def ping() -> bool:
        is_asked.set()
        may_answer.wait(10.0)
        return False

    monkeypatch.setattr(runtime_of_local.feeds, "ping", ping)
    runtime_of_local.conditions._looked_at = float("-inf")
    slow = threading.Thread(target=local.get, args=("/",))
    slow.start()
    assert is_asked.wait(5.0)
    began = time.monotonic()
    assert local.get("/static/paperfeed.css").status_code == 200
    seconds = time.monotonic() - began
    slow.join(5.0)
    is_answered = not slow.is_alive()  # with what was known, although the look goes on
    may_answer.set()
    slow.join()
    assert seconds < 3.0
    assert is_answered
