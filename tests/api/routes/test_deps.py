"""An answer never comes before its commit, and a session is never held while its request waits for a thread."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.store.tables import Event, Token
from tests.api.routes.conftest import count_rows
from tests.api.routes.events.batches import make_event


def break_commits(runtime: Runtime) -> None:
    """Let every commit of the application fail, as on a full disk."""

    def fail(_connection: sa.Connection) -> None:
        raise sa.exc.OperationalError("COMMIT", {}, Exception("database or disk is full"))

    sa.event.listen(runtime.db.engine, "commit", fail)


@pytest.mark.parametrize("path", ["/v1/events", "/v1/admin/tokens"])
def test_a_failing_commit_is_never_answered_with_success(
    client: TestClient, as_ada: dict[str, str], papers: list[str], runtime: Runtime, path: str
) -> None:
    tokens = count_rows(runtime.db, Token)
    body: dict[str, Any] = {"events": [make_event(papers[0])]} if path == "/v1/events" else {"scopes": ["read"]}
    runtime.serving.stop()  # a listener is never added while another thread walks through them
    break_commits(runtime)
    response = client.post(path, json=body, headers=as_ada)
    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert count_rows(runtime.db, Event) == 0
    assert count_rows(runtime.db, Token) == tokens


def test_as_many_writers_as_there_are_threads_wait_for_nobody_forever(
    client: TestClient, as_ada: dict[str, str], runtime: Runtime
) -> None:
    def make_token(_number: int) -> int:
        return client.post("/v1/admin/tokens", json={"scopes": ["read"]}, headers=as_ada).status_code

    started = time.monotonic()
    with ThreadPoolExecutor(80) as pool:
        statuses = list(pool.map(make_token, range(80)))
    assert set(statuses) == {201}
    assert time.monotonic() - started < 30.0  # whoever waits for a connection gives up then


def test_a_known_token_and_reader_cost_no_statement(
    client: TestClient, as_ada: dict[str, str], papers: list[str], runtime: Runtime
) -> None:
    client.post("/v1/events", json={"events": [make_event(papers[0])]}, headers=as_ada)
    client.get("/v1/me/interests", headers=as_ada)
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "FROM users" in statement or "FROM tokens" in statement:  # others of this process may look for models
            sent.append(statement)

    runtime.serving.stop()  # a listener is never added while another thread walks through them
    sa.event.listen(runtime.db.engine, "before_cursor_execute", note)
    assert client.get("/v1/me/interests", headers=as_ada).status_code == 200
    assert len(sent) == 1
    assert "interests" in sent[0]
