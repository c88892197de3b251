"""Who may call what."""

import itertools
from collections.abc import Callable

from fastapi.testclient import TestClient

from api.runtime.access import Access
from api.runtime.state import Runtime
from api.services.accounts import revoke_token
from api.store.engine import Database
from api.store.tables import User
from tests.api.routes.conftest import NOW, count_rows

PERSONAL = ["/v1/me/library", "/v1/me/history", "/v1/me/interests"]


def test_no_or_an_invalid_token_is_401(client: TestClient) -> None:
    tokens = (None, "nonsense", "pf_0123456789abcdef_" + "a" * 43, "", "\xe9")
    for path, token in itertools.product(PERSONAL, tokens):
        headers = {} if token is None else {b"Authorization": f"Bearer {token}".encode("latin-1")}
        response = client.get(path, headers=headers)
        assert (path, token, response.status_code) == (path, token, 401)
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.headers["content-type"] == "application/problem+json"


def test_another_scheme_is_401(client: TestClient) -> None:
    assert client.get("/v1/me/history", headers={"Authorization": "Basic YTpi"}).status_code == 401


def test_a_service_token_without_reader_is_400_and_names_the_header(
    client: TestClient, token_of: Callable[..., str]
) -> None:
    headers = {"Authorization": f"Bearer {token_of()}"}
    for path in PERSONAL:
        response = client.get(path, headers=headers)
        assert (path, response.status_code) == (path, 400)
        assert "X-User" in response.text


def test_too_little_scope_is_403(client: TestClient, token_of: Callable[..., str]) -> None:
    reading = {"Authorization": f"Bearer {token_of('read')}", "X-User": "ada"}
    writing = {"Authorization": f"Bearer {token_of('write')}", "X-User": "ada"}
    assert client.post("/v1/events", json={"events": [{}]}, headers=reading).status_code == 403
    assert client.put("/v1/me/interests", json={}, headers=reading).status_code == 403
    assert client.get("/v1/me/history", headers=writing).status_code == 403
    assert client.get("/v1/admin/tokens", headers=reading).json()["scope"] == "admin"


def test_a_readers_own_token_acts_only_for_itself(client: TestClient, token_of: Callable[..., str]) -> None:
    own = {"Authorization": f"Bearer {token_of(reader='ada')}"}
    assert client.get("/v1/me/history", headers=own).status_code == 200
    assert client.get("/v1/me/history", headers=own | {"X-User": "ada"}).status_code == 200
    assert client.get("/v1/me/history", headers=own | {"X-User": "grace"}).status_code == 403


def test_an_impossible_reader_is_422(client: TestClient, token_of: Callable[..., str]) -> None:
    token = f"Bearer {token_of()}".encode()
    for name in (b"", b"\xc2\x80", b"x" * 201, b"a\tb"):
        answer = client.get("/v1/me/history", headers={b"Authorization": token, b"X-User": name})
        assert (name, answer.status_code) == (name, 422)


def test_a_reader_may_have_a_name_in_any_script(
    client: TestClient, token_of: Callable[..., str], papers: list[str], runtime: Runtime
) -> None:
    headers = {b"Authorization": f"Bearer {token_of()}".encode(), b"X-User": "Жозефина".encode()}
    assert client.put("/v1/me/interests", json={}, headers=headers).status_code == 200
    assert runtime.access.find_user_id("Жозефина") is not None


def test_reading_for_an_unknown_reader_writes_nothing(
    client: TestClient, as_ada: dict[str, str], database: Database
) -> None:
    for path in PERSONAL[:2]:
        assert client.get(path, headers=as_ada).json() == {"items": [], "next": None}
    assert client.get(PERSONAL[2], headers=as_ada).json() == {"categories": [], "terms": [], "papers": []}
    assert count_rows(database, User) == 0


def test_personal_answers_are_not_for_shared_caches(client: TestClient, as_ada: dict[str, str]) -> None:
    for path in PERSONAL:
        headers = client.get(path, headers=as_ada).headers
        assert headers["cache-control"] == "private, no-store"
        assert headers["vary"] == "Authorization, X-User"


def test_a_revoked_token_stops_when_its_moment_in_the_cache_is_over(
    settings: object, database: Database, token_of: Callable[..., str]
) -> None:
    now = [0.0]
    access = Access(database, token_seconds=5.0, clock=lambda: now[0])
    token = token_of()
    identity = access.find_identity(token)
    assert identity is not None
    with database.write() as session:
        revoke_token(session, identity.token_id, now=NOW)
    now[0] = 4.9
    assert access.find_identity(token) == identity
    now[0] = 5.0
    assert access.find_identity(token) is None


def test_a_token_in_use_is_looked_up_with_others_before_its_moment_is_over(
    settings: object, database: Database, token_of: Callable[..., str]
) -> None:
    now = [0.0]
    access = Access(database, token_seconds=5.0, clock=lambda: now[0])
    kept, revoked, unused = token_of(), token_of(), token_of()
    identities = {token: access.find_identity(token) for token in (kept, revoked, unused)}
    access.look()
    gone = identities[revoked]
    assert gone is not None
    with database.write() as session:
        revoke_token(session, gone.token_id, now=NOW)
    now[0] = 3.0
    assert [access.known_identity(token) for token in (kept, revoked)] == [identities[kept], gone]
    access.look()
    assert access.known_identity(revoked) is None
    now[0] = 7.9
    assert access.known_identity(kept) == identities[kept]
    assert access.known_identity(unused) is None
    now[0] = 8.0
    assert access.known_identity(kept) is None


def test_only_hashes_of_tokens_are_stored(database: Database, token_of: Callable[..., str]) -> None:
    import sqlalchemy as sa

    from api.store.tables import Token

    secret = token_of().split("_", 2)[2]
    with database.read() as session:
        row = session.execute(sa.select(Token)).scalar_one()
    assert secret not in str(vars(row))


def test_tokens_are_made_listed_and_revoked_over_http(client: TestClient, as_ada: dict[str, str]) -> None:
    made = client.post(
        "/v1/admin/tokens", json={"user_id": "grace", "scopes": ["read"], "label": "mine"}, headers=as_ada
    )
    assert made.status_code == 201
    own = {"Authorization": f"Bearer {made.json()['token']}"}
    assert client.get("/v1/me/history", headers=own).status_code == 200
    first = client.get("/v1/admin/tokens?limit=1", headers=as_ada).json()
    second = client.get("/v1/admin/tokens", params={"limit": 1, "cursor": first["next"]}, headers=as_ada).json()
    listed = first["items"] + second["items"]
    assert second["next"] is None
    assert {item["user_id"] for item in listed} == {None, "grace"}
    assert all("token" not in item for item in listed)
    revoked = client.delete(f"/v1/admin/tokens/{made.json()['token_id']}", headers=as_ada)
    assert revoked.json()["revoked_at"] is not None
    assert client.delete("/v1/admin/tokens/unknown", headers=as_ada).status_code == 404


def test_a_readers_token_cannot_be_an_administrator(client: TestClient, as_ada: dict[str, str]) -> None:
    body = {"user_id": "grace", "scopes": ["admin"]}
    assert client.post("/v1/admin/tokens", json=body, headers=as_ada).status_code == 422
