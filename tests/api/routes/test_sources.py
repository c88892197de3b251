"""Sources over HTTP: listed, paused, resumed, run now; and lists that say how old they are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.queue import READ_SOURCE, SOURCES_QUEUE
from api.runtime.state import Runtime
from api.services import sources
from api.settings import Settings
from api.store.engine import Database
from api.store.servers import read_queue_lengths
from api.store.tables_sources import Source

Headers = dict[str, str]
URL = "/v1/admin/sources"


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about HTTP."""
    return sqlite_database


def read_all(database: Database, settings: Settings, *, at: datetime) -> None:
    """Note that every source was read to its end."""
    with database.write() as session:
        sources.ensure_sources(session, settings, now=at)
        session.execute(sa.update(Source).values(success_at=at, started_at=at, due_at=at + timedelta(hours=1)))


def test_sources_are_listed_with_their_state(client: TestClient, as_ada: Headers, database: Database) -> None:
    items = client.get(URL, headers=as_ada).json()["items"]
    assert [item["name"] for item in items] == ["huggingface", "arxiv", "arxiv-rss", "arxiv-oai"]
    assert {item["success_at"] for item in items} == {None}
    with database.write() as session:
        failing = {"failures": 3, "failing_since": datetime.now(UTC) - timedelta(days=2), "failure": "gone"}
        session.execute(sa.update(Source).where(Source.name == "arxiv").values(**failing))
    found = client.get(f"{URL}/arxiv", headers=as_ada).json()
    assert (found["state"], found["failure"], found["is_overdue"]) == ("failing", "gone", True)


def test_a_source_is_paused_resumed_and_run_now(client: TestClient, as_ada: Headers, settings: Settings) -> None:
    assert client.post(f"{URL}/arxiv/pause", headers=as_ada).json()["state"] == "paused"
    answer = client.post(f"{URL}/arxiv/run", headers=as_ada)
    assert (answer.status_code, answer.json()["state"]) == (202, "due")
    assert read_queue_lengths(settings.resolved_broker_url, (SOURCES_QUEUE,)) == {SOURCES_QUEUE: 1}
    assert client.post(f"{URL}/arxiv/resume", headers=as_ada).json()["due_at"] is not None
    assert READ_SOURCE.startswith("paperfeed.")


def test_unknown_sources_and_strangers_are_refused(
    client: TestClient, as_ada: Headers, token_of: Callable[..., str]
) -> None:
    for method, path in (("GET", "no"), ("POST", "no/pause"), ("POST", "no/resume"), ("POST", "no/run")):
        assert client.request(method, f"{URL}/{path}", headers=as_ada).status_code == 404
    assert client.get(URL).status_code == 401
    reader = {"Authorization": f"Bearer {token_of('read', 'write', reader='ada')}"}
    assert client.post(f"{URL}/arxiv/run", headers=reader).status_code == 403


def test_every_list_says_how_old_it_is(
    client: TestClient, as_ada: Headers, papers: list[str], runtime: Runtime
) -> None:
    at = datetime.now(UTC) - timedelta(hours=3)
    read_all(runtime.db, runtime.settings, at=at)
    runtime.freshness.look()
    for path in ("/v1/latest", "/v1/trending", "/v1/feed", f"/v1/papers/{papers[0]}/similar", "/v1/search?q=title"):
        answer = client.get(path, headers=as_ada)
        assert datetime.fromisoformat(answer.json()["papers_as_of"]) == at, path


def test_the_age_of_lists_costs_no_sql(
    client: TestClient, as_ada: Headers, papers: list[str], runtime: Runtime, statements: list[str]
) -> None:
    runtime.freshness.look()
    statements.clear()
    assert client.get("/v1/latest", headers=as_ada).json()["papers_as_of"] is not None
    assert [statement for statement in statements if "sources" in statement] == []


def test_the_page_has_a_line_only_when_the_papers_are_old(
    client: TestClient, papers: list[str], database: Database, settings: Settings, runtime: Runtime
) -> None:
    read_all(database, settings, at=datetime.now(UTC) - timedelta(hours=20))
    runtime.freshness.look()
    assert "These papers are as of" not in client.get("/").text
    with database.write() as session:
        session.execute(sa.update(Source).values(success_at=datetime.now(UTC) - timedelta(days=3, hours=1)))
    runtime.freshness.look()
    assert "These papers are as of 3 days ago" in client.get("/").text


def test_a_database_that_is_away_leaves_the_age_as_it_was_known(
    runtime: Runtime, papers: list[str], database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    runtime.freshness.stop()
    known = runtime.freshness.look()
    assert known is not None
    with database.write() as session:
        session.execute(sa.text("ALTER TABLE sources RENAME TO gone"))
    assert [runtime.freshness.look(), runtime.freshness.look()] == [known, known]
    assert [record.message for record in caplog.records].count("age of papers unknown") == 1


def test_metrics_tell_the_age_of_each_source(client: TestClient, database: Database, settings: Settings) -> None:
    read_all(database, settings, at=datetime.now(UTC) - timedelta(hours=3))
    text = client.get("/metrics").text
    [line] = [line for line in text.splitlines() if line.startswith('paperfeed_source_age_seconds{source="arxiv"}')]
    assert 10_000 < float(line.split()[-1]) < 12_000
    assert 'paperfeed_source_failures_in_row{source="huggingface"} 0.0' in text
    assert 'paperfeed_source_overdue{source="arxiv-oai"} 0.0' in text
