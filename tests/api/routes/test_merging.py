"""Signing in over HTTP: the cookie's history becomes the account's."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from starlette.responses import Response as Answer
from starlette.types import Scope

from api.routes.visitors import COOKIE, issue_reader
from api.runtime.keys import KeyRing
from api.runtime.secrets import SigningKey
from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import User
from tests.api.routes.conftest import count_rows

Headers = dict[str, str]
PAGE: Scope = {"type": "http", "scheme": "http", "client": ("127.0.0.1", 1), "headers": []}


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about HTTP."""
    return sqlite_database


@pytest.fixture
def cookie(runtime: Runtime) -> str:
    """Return the value of an anonymous reader's cookie."""
    answer = Answer()
    issue_reader(answer, PAGE, runtime.keys, runtime.settings)
    return answer.headers["set-cookie"].partition(";")[0].partition("=")[2]


def with_cookie(value: str) -> Headers:
    return {"Cookie": f"{COOKIE}={value}"}


def click(client: TestClient, cookie: str, paper_id: str, kind: str = "save") -> None:
    occurred_at = datetime.now(UTC).isoformat()
    event = {"id": str(uuid.uuid4()), "kind": kind, "paper_id": paper_id, "occurred_at": occurred_at}
    answer = client.post("/v1/events", content=json.dumps({"events": [event]}), headers=with_cookie(cookie))
    assert answer.status_code == 202
    assert answer.json()["results"][0]["status"] == "accepted"


def merge(client: TestClient, headers: Headers, cookie: str | None = None, body: object = None) -> Response:
    content = b"" if body is None else json.dumps(body).encode()
    return client.post("/v1/me/merge", headers=headers | (with_cookie(cookie) if cookie else {}), content=content)


def saved(client: TestClient, headers: Headers) -> list[str]:
    items: list[dict[str, Any]] = client.get("/v1/me/library", headers=headers).json()["items"]
    return [item["paper"]["id"] for item in items]


def test_the_history_of_the_cookie_becomes_the_accounts(
    client: TestClient, papers: list[str], as_ada: Headers, cookie: str
) -> None:
    click(client, cookie, papers[0])
    first = merge(client, as_ada, cookie)
    assert (first.status_code, first.json()) == (200, {"reader": "ada", "moved": 1})
    assert saved(client, as_ada) == [papers[0]]


def test_the_value_of_the_cookie_in_the_body_does_the_same(
    client: TestClient, papers: list[str], token_of: Callable[..., str], cookie: str
) -> None:
    click(client, cookie, papers[0])
    own = {"Authorization": f"Bearer {token_of('read', 'write', reader='ada')}"}
    assert merge(client, own, body={"reader": cookie}).json()["moved"] == 1
    assert saved(client, own) == [papers[0]]


def test_a_second_merge_changes_nothing_and_later_events_come_along(
    client: TestClient, papers: list[str], as_ada: Headers, cookie: str
) -> None:
    click(client, cookie, papers[0])
    assert [merge(client, as_ada, cookie).json()["moved"] for _ in range(3)] == [1, 0, 0]
    click(client, cookie, papers[1])
    assert sorted(saved(client, as_ada)) == papers[:2]
    assert len(client.get("/v1/me/history", headers=as_ada).json()["items"]) == 2


def test_another_account_is_refused(client: TestClient, papers: list[str], as_ada: Headers, cookie: str) -> None:
    click(client, cookie, papers[0])
    merge(client, as_ada, cookie)
    as_bob = as_ada | {"X-User": "bob"}
    assert merge(client, as_bob, cookie).status_code == 409
    assert saved(client, as_bob) == []


def test_what_was_saved_before_is_not_shown_after_signing_in(
    client: TestClient, papers: list[str], as_ada: Headers, cookie: str
) -> None:
    client.get("/v1/feed", headers=as_ada)
    click(client, cookie, papers[0])
    merge(client, as_ada, cookie)
    shown = [item["paper"]["id"] for item in client.get("/v1/feed", headers=as_ada).json()["items"]]
    assert shown
    assert papers[0] not in shown


def test_a_cookie_that_was_not_given_out_here_merges_nothing(
    client: TestClient, as_ada: Headers, runtime: Runtime, cookie: str, database: Database
) -> None:
    answer = Answer()
    issue_reader(answer, PAGE, KeyRing([SigningKey(b"z" * 40, None)]), runtime.settings)
    foreign = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]
    for body in (
        {"reader": foreign},
        {"reader": cookie[:-2] + "AA"},
        {"reader": 7},
        {"reader": "anon:" + "x" * 22},
        {},
    ):
        assert merge(client, as_ada, body=body).status_code == 422
    assert merge(client, as_ada, foreign).status_code == 422
    assert merge(client, as_ada).status_code == 422
    assert count_rows(database, User) == 0


def test_a_merge_needs_a_token_that_may_write(
    client: TestClient, papers: list[str], token_of: Callable[..., str], cookie: str
) -> None:
    assert merge(client, {}, cookie).status_code == 401
    reading = {"Authorization": f"Bearer {token_of('read', reader='ada')}"}
    assert merge(client, reading, cookie).status_code == 403
    service = {"Authorization": f"Bearer {token_of('write')}"}
    assert merge(client, service, cookie).status_code == 400
