"""Whose feedback counts: a token's, a slate's, a cookie's; and whose does not."""

import gzip
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx2 import Response
from starlette.responses import Response as Answer
from starlette.types import Scope

from api.routes.bodies import MOST_BATCH_BYTES, MOST_BEACON_BYTES
from api.routes.visitors import COOKIE, issue_reader
from api.runtime.keys import KeyRing
from api.runtime.secrets import SigningKey
from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import Event, User
from tests.api.routes.conftest import count_rows

Headers = dict[str, str]
PAGE: Scope = {"type": "http", "scheme": "http", "client": ("127.0.0.1", 1), "headers": []}


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about HTTP."""
    return sqlite_database


def make_event(paper_id: str, kind: str = "click", **fields: Any) -> dict[str, Any]:
    occurred_at = datetime.now(UTC).isoformat()
    return {"id": str(uuid.uuid4()), "kind": kind, "paper_id": paper_id, "occurred_at": occurred_at} | fields


def beacon(client: TestClient, body: object, headers: Headers | None = None) -> Response:
    """Send what `sendBeacon` would."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/v1/events", content=content, headers={"Content-Type": "text/plain"} | (headers or {}))


def statuses(answer: Response) -> list[tuple[str, str | None]]:
    assert answer.status_code == 202, answer.text
    return [(result["status"], result.get("code")) for result in answer.json()["results"]]


def readers(database: Database) -> list[str]:
    """Return whose events are in the log."""
    with database.read() as session:
        query = sa.select(User.external_id).join(Event, Event.user_id == User.user_id).order_by(Event.event_pk)
        return list(session.scalars(query))


@pytest.fixture
def slate(client: TestClient, papers: list[str], as_ada: Headers) -> str:
    """Return the slate of a page of ada's, who is known."""
    client.put("/v1/me/interests", json={"categories": ["cs.IR"], "terms": [], "papers": []}, headers=as_ada)
    token: str = client.get("/v1/feed", headers=as_ada).json()["slate"]
    return token


def cookie_of(keys: KeyRing, runtime: Runtime) -> tuple[Headers, str]:
    """Return the header of a cookie that a page gives out, and whose it is."""
    answer = Answer()
    reader = issue_reader(answer, PAGE, keys, runtime.settings)
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}, reader


@pytest.fixture
def visitor(runtime: Runtime) -> Headers:
    """Return the header of an anonymous reader."""
    return cookie_of(runtime.keys, runtime)[0]


def test_without_any_credential_nothing_is_taken(client: TestClient, papers: list[str], database: Database) -> None:
    answer = beacon(client, {"events": [make_event(papers[0])]})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert count_rows(database, Event) == 0


def test_a_slate_is_a_credential_for_its_reader(
    client: TestClient, papers: list[str], slate: str, database: Database
) -> None:
    assert statuses(beacon(client, {"slate": slate, "events": [make_event(papers[0])]})) == [("accepted", None)]
    assert readers(database) == ["ada"]


def test_a_slate_speaks_for_its_own_papers_alone(
    client: TestClient, papers: list[str], slate: str, as_ada: Headers
) -> None:
    other = client.get("/v1/feed", headers=as_ada, params={"limit": 1}).json()["slate"]
    with_other = make_event(papers[0], slate=other)
    assert statuses(beacon(client, {"slate": slate, "events": [with_other]})) == [("rejected", "foreign_slate")]


@pytest.mark.parametrize("change", ["cut", "flipped", "garbage", "empty"])
def test_a_forged_slate_is_no_credential(
    client: TestClient, papers: list[str], slate: str, change: str, database: Database
) -> None:
    flipped = slate[:40] + ("A" if slate[40] != "A" else "B") + slate[41:]
    forged = {"cut": slate[:-4], "flipped": flipped, "garbage": "no slate", "empty": ""}[change]
    answer = beacon(client, {"slate": forged, "events": [make_event(papers[0])]})
    assert (answer.status_code, answer.json()["code"]) == (401, "forged_slate")
    assert count_rows(database, Event) == 0


def test_a_slate_of_nobody_in_particular_is_no_credential(
    client: TestClient, papers: list[str], as_ada: Headers
) -> None:
    slate = client.get("/v1/feed", headers=as_ada | {"X-User": "never-seen"}).json()["slate"]
    answer = beacon(client, {"slate": slate, "events": [make_event(papers[0])]})
    assert answer.status_code == 401
    assert "code" not in answer.json()  # it is no forged one


def test_a_page_of_this_service_makes_a_reader_of_whoever_has_no_cookie(
    client: TestClient, papers: list[str], as_ada: Headers, database: Database
) -> None:
    slate = client.get("/v1/feed", headers=as_ada | {"X-User": "never-seen"}).json()["slate"]
    same_origin = {"Origin": "http://testserver"}
    first = beacon(client, {"slate": slate, "events": [make_event(papers[0])]}, same_origin)
    assert statuses(first) == [("accepted", None)]
    assert "HttpOnly" in first.headers["set-cookie"]
    second = beacon(client, {"slate": slate, "events": [make_event(papers[1])]}, same_origin)  # by that cookie
    assert statuses(second) == [("accepted", None)]
    assert "set-cookie" not in second.headers
    assert len(readers(database)) == 2
    assert len(set(readers(database))) == 1
    assert readers(database)[0].startswith("anon:")


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://elsewhere.org"}, {"Sec-Fetch-Site": "same-site"}])
def test_no_reader_is_made_of_what_another_page_or_a_program_sends(
    client: TestClient, papers: list[str], as_ada: Headers, headers: Headers, database: Database
) -> None:
    slate = client.get("/v1/feed", headers=as_ada | {"X-User": "never-seen"}).json()["slate"]
    answer = beacon(client, {"slate": slate, "events": [make_event(papers[0])]}, headers)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert count_rows(database, Event) == 0


def test_a_page_with_a_readers_slate_makes_no_other_reader(client: TestClient, papers: list[str], slate: str) -> None:
    answer = beacon(client, {"slate": slate, "events": [make_event(papers[0])]}, {"Sec-Fetch-Site": "same-origin"})
    assert statuses(answer) == [("accepted", None)]
    assert "set-cookie" not in answer.headers


def test_a_slate_that_is_no_text_is_no_credential(client: TestClient, papers: list[str]) -> None:
    assert beacon(client, {"slate": ["x"], "events": [make_event(papers[0])]}).status_code == 401


def test_a_wrong_token_is_not_made_good_by_a_slate(client: TestClient, papers: list[str], slate: str) -> None:
    body = {"slate": slate, "events": [make_event(papers[0])]}
    assert beacon(client, body, {"Authorization": "Bearer pf_nonsense"}).status_code == 401


def test_a_cookie_is_a_credential_for_its_reader(
    client: TestClient, papers: list[str], visitor: Headers, database: Database
) -> None:
    same_origin = visitor | {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}
    assert statuses(beacon(client, {"events": [make_event(papers[0])]}, same_origin)) == [("accepted", None)]
    assert statuses(beacon(client, {"events": [make_event(papers[1])]}, visitor)) == [("accepted", None)]
    assert len(set(readers(database))) == 1
    assert readers(database)[0].startswith("anon:")


@pytest.mark.parametrize(
    "source",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://testserver.evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_cookie_does_not_count_with_a_page_from_elsewhere(
    client: TestClient, papers: list[str], visitor: Headers, source: Headers, database: Database
) -> None:
    assert beacon(client, {"events": [make_event(papers[0])]}, visitor | source).status_code == 403
    assert count_rows(database, Event) == 0


def test_a_slate_counts_from_everywhere(
    client: TestClient, papers: list[str], slate: str, visitor: Headers, database: Database
) -> None:
    body = {"slate": slate, "events": [make_event(papers[0])]}
    assert statuses(beacon(client, body, visitor | {"Origin": "https://blog.example"})) == [("accepted", None)]
    assert readers(database) == ["ada"]


def test_a_slate_of_nobody_and_a_cookie_make_the_cookies_reader(
    client: TestClient, papers: list[str], token_of: Callable[..., str], visitor: Headers, database: Database
) -> None:
    stranger = {"Authorization": f"Bearer {token_of()}", "X-User": "new"}
    nobodys = client.get("/v1/feed", headers=stranger).json()["slate"]
    body = {"slate": nobodys, "events": [make_event(papers[0])]}
    assert statuses(beacon(client, body, visitor)) == [("accepted", None)]
    assert readers(database)[0].startswith("anon:")


@pytest.mark.parametrize("kind", ["forged", "of another key", "of another purpose", "too long", "too old"])
def test_a_cookie_that_was_not_given_out_here_lately_is_none(
    client: TestClient, papers: list[str], runtime: Runtime, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "too old":
        monkeypatch.setattr("time.time", lambda: datetime(2020, 1, 1, tzinfo=UTC).timestamp())
        headers, _ = cookie_of(runtime.keys, runtime)
        monkeypatch.undo()
    elif kind == "of another key":
        headers, _ = cookie_of(KeyRing([SigningKey(b"y" * 40, None)]), runtime)
    else:
        good, _ = cookie_of(runtime.keys, runtime)
        value = good["Cookie"].partition("=")[2]
        other = {
            "forged": value[:-3] + "AAA",
            "of another purpose": runtime.keys.seal(b"slate", b"x" * 20),
            "too long": value * 20,
        }
        headers = {"Cookie": f"{COOKIE}={other[kind]}"}
    assert beacon(client, {"events": [make_event(papers[0])]}, headers).status_code == 401


@pytest.mark.parametrize("path", ["/v1/feed", "/v1/me/history", "/v1/me/library", "/v1/me/interests"])
def test_a_cookie_alone_opens_no_other_route(client: TestClient, visitor: Headers, path: str) -> None:
    assert client.get(path, headers=visitor).status_code == 401


@pytest.mark.parametrize("name", ["anon:" + "x" * 22, "anon:", "anon:ada"])
def test_nobody_acts_for_an_anonymous_reader_by_name(
    client: TestClient, papers: list[str], as_ada: Headers, name: str
) -> None:
    headers = as_ada | {"X-User": name}
    assert client.post("/v1/events", json={"events": [make_event(papers[0])]}, headers=headers).status_code == 422
    assert client.get("/v1/feed", headers=headers).status_code == 422
    made = client.post("/v1/admin/tokens", json={"user_id": name, "scopes": ["read"]}, headers=as_ada)
    assert made.status_code == 422


def test_a_beacon_is_limited_to_what_browsers_send_and_a_token_to_more(
    client: TestClient, papers: list[str], slate: str, as_ada: Headers
) -> None:
    body: dict[str, Any] = {"slate": slate, "events": [make_event(papers[0])]}
    fits = json.dumps(body).encode()
    fits += b" " * (MOST_BEACON_BYTES - len(fits))
    assert beacon(client, fits).status_code == 202
    assert beacon(client, fits + b" ").status_code == 413
    assert beacon(client, fits + b" ", as_ada).status_code == 202
    assert beacon(client, b" " * (MOST_BATCH_BYTES + 1), as_ada).status_code == 413


def test_a_gzip_batch_is_read_and_a_bomb_is_refused(
    client: TestClient, papers: list[str], as_ada: Headers, database: Database
) -> None:
    packed = gzip.compress(json.dumps({"events": [make_event(papers[0])]}).encode())
    headers = as_ada | {"Content-Encoding": "gzip"}
    assert statuses(beacon(client, packed, headers)) == [("accepted", None)]
    bomb = gzip.compress(b'{"events": [' + b" " * 10_000_000)
    assert len(bomb) < 10_500
    refused = beacon(client, bomb, headers)
    assert (refused.status_code, refused.json()["limit_bytes"]) == (413, MOST_BATCH_BYTES)
    assert count_rows(database, Event) == 1


def test_deflate_is_refused_by_name(client: TestClient, papers: list[str], as_ada: Headers) -> None:
    answer = beacon(client, b"{}", as_ada | {"Content-Encoding": "deflate"})
    assert (answer.status_code, answer.headers["content-type"]) == (415, "application/problem+json")
    assert "gzip" in answer.headers["accept-encoding"]


def test_a_form_from_elsewhere_that_looks_like_json_is_refused(
    client: TestClient, papers: list[str], visitor: Headers
) -> None:
    answer = beacon(client, {"events": [make_event(papers[0])]}, visitor | {"Content-Type": "multipart/form-data"})
    assert answer.status_code == 415


def test_a_chunked_body_is_read(client: TestClient, papers: list[str], as_ada: Headers) -> None:
    body = json.dumps({"events": [make_event(papers[0])]}).encode()
    answer = client.post("/v1/events", content=iter([body[:20], body[20:]]), headers=as_ada)
    assert statuses(answer) == [("accepted", None)]
