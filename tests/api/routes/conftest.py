"""A running application on a real database and a real Redis, with a token."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api import queue
from api.app import create_app
from api.runtime.state import Runtime
from api.services.accounts import create_token
from api.settings import Settings, read_settings
from api.store.engine import Database
from api.store.tables import Paper
from tests.api.feed_world import load_installation, register_model

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
BESIDE = frozenset({"tokens", "rendered-papers", "answers"})  # threads that look for changes in nobody's time
SECRET = "a signing secret of the tests, long enough"


@pytest.fixture
def settings(database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Return settings that point to the test servers; the broker is the same Redis."""
    broker_url = redis_url.replace("unix://", "redis+socket://")
    monkeypatch.setenv("PAPERFEED_BROKER_URL", broker_url)
    read_settings.cache_clear()
    queue._producer.cache_clear()
    yield Settings(
        data_dir=tmp_path / "data",
        database_url=database.engine.url.render_as_string(hide_password=False),
        cache_url=redis_url,
        broker_url=broker_url,
        secret_key=SecretStr(SECRET),
    )
    read_settings.cache_clear()
    queue._producer.cache_clear()


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Return a client of the running application, without a token."""
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def runtime(client: TestClient) -> Runtime:
    """Return the runtime of the running application."""
    runtime = client.app.state.runtime  # type: ignore[attr-defined] # TestClient types its application as any ASGI one
    assert isinstance(runtime, Runtime)
    return runtime


@pytest.fixture
def token_of(database: Database) -> Callable[..., str]:
    """Return a function that makes tokens: for a service, or for one reader."""

    def make(*scopes: str, reader: str | None = None) -> str:
        with database.write() as session:
            wanted = scopes or ("read", "write")
            return create_token(session, external_user=reader, scopes=wanted, label="test", now=NOW)[1]

    return make


@pytest.fixture
def as_ada(token_of: Callable[..., str]) -> dict[str, str]:
    """Return the headers of a service that acts for the reader ada."""
    return {"Authorization": f"Bearer {token_of('read', 'write', 'admin')}", "X-User": "ada"}


@pytest.fixture
def as_u1(token_of: Callable[..., str]) -> dict[str, str]:
    """Return the headers of a service that acts for the planted reader u1, of topic 0."""
    return {"Authorization": f"Bearer {token_of('read', 'write')}", "X-User": "u1"}


@pytest.fixture
def world(database: Database, settings: Settings, runtime: Runtime) -> Database:
    """Return the database of the running application, with planted readers and a promoted model."""
    load_installation(database)
    register_model(database, settings.models_dir)
    assert runtime.serving.poll() is not None
    return database


@pytest.fixture
def papers(database: Database) -> list[str]:
    """Store five papers; return their external ids."""
    ids = [f"2401.0000{number}" for number in range(1, 6)]
    with database.write() as session:
        session.add_all(make_paper(external_id) for external_id in ids)
    return ids


def make_paper(external_id: str) -> Paper:
    """Return a paper with plausible fields."""
    return Paper(
        external_id=external_id,
        title=f"Title of {external_id}",
        title_key=external_id,
        summary="What it says.",
        authors=["Ada Lovelace"],
        categories=["cs.IR"],
        keywords=[],
        source="test",
        content_hash="",
        created_at=NOW,
        updated_at=NOW,
        published_at=NOW,
    )


def count_rows(database: Database, table: type) -> int:
    """Return how many rows a table has."""
    with database.read() as session:
        return session.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


@pytest.fixture
def statements(runtime: Runtime) -> Iterator[list[str]]:
    """Return the SQL statements of the running application from here on."""
    found: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.current_thread().name not in BESIDE:
            found.append(statement)

    runtime.serving.stop()  # its polls are SQL of another thread
    runtime.freshness.stop()
    runtime.search.stop()
    sa.event.listen(runtime.db.engine, "before_cursor_execute", note)
    yield found
    sa.event.remove(runtime.db.engine, "before_cursor_execute", note)
