"""Erasing a reader with an admin token, and the audit log."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from api.store.engine import Database
from api.store.tables import Event, User
from tests.api.routes.conftest import count_rows

Headers = dict[str, str]


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about HTTP."""
    return sqlite_database


def save(client: TestClient, headers: Headers, paper_id: str) -> None:
    event = {
        "id": str(uuid.uuid4()),
        "kind": "save",
        "paper_id": paper_id,
        "occurred_at": datetime.now(UTC).isoformat(),
    }
    answer = client.post("/v1/events", content=json.dumps({"events": [event]}), headers=headers)
    assert answer.json()["results"][0]["status"] == "accepted"


def test_an_operator_erases_a_reader(
    client: TestClient, as_ada: Headers, papers: list[str], database: Database
) -> None:
    save(client, as_ada, papers[0])
    answer = client.delete("/v1/admin/readers/ada", headers=as_ada)
    assert answer.status_code == 200
    assert answer.json()["readers"] == 1
    assert answer.json()["rows"]["events"] == 1
    assert count_rows(database, User) == count_rows(database, Event) == 0
    again = client.delete("/v1/admin/readers/ada", headers=as_ada)
    assert (again.status_code, again.json()["title"]) == (404, "Not found")


def test_names_may_hold_slashes_and_spaces(client: TestClient, as_ada: Headers, papers: list[str]) -> None:
    name = "team a/ada lovelace"
    save(client, as_ada | {"X-User": name}, papers[0])
    assert client.delete(f"/v1/admin/readers/{quote(name, safe='')}", headers=as_ada).status_code == 200


def test_a_reader_of_the_same_name_begins_anew(
    client: TestClient, as_ada: Headers, papers: list[str], database: Database
) -> None:
    save(client, as_ada, papers[0])
    client.delete("/v1/admin/readers/ada", headers=as_ada)
    save(client, as_ada, papers[1])
    items = client.get("/v1/me/library", headers=as_ada).json()["items"]
    assert [item["paper"]["id"] for item in items] == [papers[1]]


def test_the_audit_log_says_what_was_done_and_not_to_whom(
    client: TestClient, as_ada: Headers, papers: list[str]
) -> None:
    for reader in ("ada", "grace", "alan"):
        save(client, as_ada | {"X-User": reader}, papers[0])
        client.delete(f"/v1/admin/readers/{reader}", headers=as_ada)
    first = client.get("/v1/admin/audit-log?limit=2", headers=as_ada)
    assert first.status_code == 200
    assert [line["by"] for line in first.json()["items"]] == ["operator", "operator"]
    rest = client.get(f"/v1/admin/audit-log?before={first.json()['next']}", headers=as_ada).json()
    assert len(rest["items"]) == 1
    assert rest["next"] is None
    assert not any(name in first.text + str(rest) for name in ("ada", "grace", "alan"))


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/v1/admin/readers/ada"), ("GET", "/v1/admin/audit-log")])
def test_nobody_else_may(
    client: TestClient, token_of: Callable[..., str], papers: list[str], method: str, path: str
) -> None:
    assert client.request(method, path).status_code == 401
    reader = {"Authorization": f"Bearer {token_of('read', 'write', reader='ada')}"}
    assert client.request(method, path, headers=reader).status_code == 403
