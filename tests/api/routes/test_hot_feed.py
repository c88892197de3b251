"""The feed ahead of the router: the same answers, and whatever is unusual is left to the router."""

import logging
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes import hot_feed
from api.runtime.limits import Allowance, Kind, Limits
from api.runtime.metrics import REQUEST_SECONDS
from api.runtime.state import Runtime
from api.services.slates import Slate, open_slate
from api.store.engine import Database
from api.store.tables import Paper

HEADERS = (
    *("content-type", "cache-control", "vary", "x-content-type-options", "x-frame-options", "referrer-policy"),
    *("cross-origin-opener-policy", "content-security-policy"),
)


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; what is shown here does not depend on its kind."""
    return sqlite_database


@pytest.fixture
def world(world: Database, runtime: Runtime) -> Database:
    """Return the database of the running application, whose papers have all been shown before."""
    with world.read() as session:  # a page may draw any paper: one that was never shown is left to the router
        runtime.papers.load(list(session.scalars(sa.select(Paper.paper_id))))
    return world


@pytest.fixture
def hot(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a record of which requests for the feed were answered ahead of the router."""
    record: list[bool] = []
    answer = hot_feed._answer

    async def noted(scope: Any) -> Any:
        found = await answer(scope)
        record.append(found is not None)
        return found

    monkeypatch.setattr(hot_feed, "_answer", noted)
    return record


def fixed(client: TestClient, headers: dict[str, str], query: str = "") -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Return status, headers and body of a page, without what differs from answer to answer."""
    answer = client.get(f"/v1/feed{query}", headers=headers)
    body = answer.json()
    items = [{**item, "paper": item["paper"]["id"]} for item in body["items"]]
    page = {**body, "next": bool(body["next"]), "slate": bool(body["slate"]), "items": items}
    return answer.status_code, {name: answer.headers[name] for name in HEADERS}, page


def test_a_hit_is_answered_ahead_of_the_router_as_the_router_would(
    world: Database, client: TestClient, as_u1: dict[str, str], hot: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.runtime.entropy.Entropy.take", lambda _: b"the same")
    client.get("/v1/feed", headers=as_u1)  # builds the list
    by_itself = fixed(client, as_u1)
    by_router = fixed(client, as_u1, "?limit=20&exclude=")
    assert hot == [False, True, False]
    assert by_itself == by_router


def test_readers_and_services_are_answered_ahead(
    world: Database, client: TestClient, as_u1: dict[str, str], token_of: Any, hot: list[bool]
) -> None:
    own = {"Authorization": f"Bearer {token_of('read', reader='u2')}"}
    for headers in (as_u1, own):
        client.get("/v1/feed", headers=headers)
        hot.clear()
        page = client.get("/v1/feed?limit=5", headers=headers).json()
        following = client.get(f"/v1/feed?limit=5&cursor={page['next']}", headers=headers).json()
        assert hot == [True, True]
        assert [item["rank"] for item in following["items"]] == [6, 7, 8, 9, 10]


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?limit=0", 422),
        ("?limit=101", 422),
        ("?limit=020", 200),
        ("?cursor=nothing", 422),
        ("?cursor=", 422),
        ("?limit=5&limit=6", 200),
        ("?category=cs.T0", 200),
        ("?unknown=1", 200),
    ],
)
def test_what_is_unusual_is_left_to_the_router(
    client: TestClient, as_u1: dict[str, str], hot: list[bool], query: str, status: int
) -> None:
    client.get("/v1/feed", headers=as_u1)
    hot.clear()
    assert client.get(f"/v1/feed{query}", headers=as_u1).status_code == status
    assert hot == [False]


def test_tokens_are_judged_as_ever(
    world: Database, client: TestClient, as_u1: dict[str, str], token_of: Any, hot: list[bool]
) -> None:
    client.get("/v1/feed", headers=as_u1)
    own = {"Authorization": f"Bearer {token_of('read', reader='u2')}"}
    cases: list[tuple[dict[str, str], int]] = [
        ({}, 401),
        ({"Authorization": "Basic abc"}, 401),
        ({"Authorization": "Bearer pf_unknown"}, 401),
        (own | {"X-User": "u1"}, 403),
        (as_u1 | {"X-User": " u1"}, 422),
        (as_u1 | {"X-User": "anon:u1"}, 422),
        ({"Authorization": f"Bearer {token_of('write')}", "X-User": "u1"}, 403),
    ]
    for headers, status in cases:
        client.get("/v1/feed", headers=headers)
        assert client.get("/v1/feed", headers=headers).status_code == status, headers


def test_the_head_of_a_page_is_that_of_the_page(world: Database, client: TestClient, as_u1: dict[str, str]) -> None:
    client.get("/v1/feed", headers=as_u1)
    head, page = client.head("/v1/feed", headers=as_u1), client.get("/v1/feed", headers=as_u1)
    assert head.status_code == 200
    assert head.content == b""
    assert int(head.headers["content-length"]) > 1000
    assert {name: head.headers[name] for name in HEADERS} == {name: page.headers[name] for name in HEADERS}
    assert client.head("/livez").status_code == 200
    assert client.head("/v1/events").status_code == 405


def test_a_hit_is_counted_and_logged_at_debug_alone(
    world: Database, client: TestClient, as_u1: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="api.access")
    client.get("/v1/feed", headers=as_u1)
    counted = _answers()
    caplog.clear()
    client.get("/v1/feed", headers=as_u1)
    assert _answers() == counted + 1
    assert [record.message for record in caplog.records if record.name == "api.access"] == []
    client.get("/v1/feed?limit=0", headers=as_u1)
    assert [record.message for record in caplog.records if record.name == "api.access"] == ["request"]


def test_each_page_has_a_slate_of_its_own_and_an_id(
    world: Database, client: TestClient, as_u1: dict[str, str], runtime: Runtime
) -> None:
    from datetime import UTC, datetime

    answers = [client.get("/v1/feed", headers=as_u1) for _ in range(3)]
    slates = [open_slate(runtime.keys, answer.json()["slate"], now=datetime.now(UTC), days=1) for answer in answers]
    assert len({slate.slate_id for slate in slates if isinstance(slate, Slate)}) == 3
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3
    named = client.get("/v1/feed", headers=as_u1 | {"X-Request-Id": "mine"})
    assert named.headers["x-request-id"] == "mine"


def test_a_request_is_counted_once_whoever_answers_it(
    world: Database, client: TestClient, token_of: Any, hot: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    take = Limits.take

    async def noted(self: Limits, kind: Kind, key: str) -> Allowance | None:
        taken.append(kind)
        return await take(self, kind, key)

    monkeypatch.setattr(Limits, "take", noted)
    own = {"Authorization": f"Bearer {token_of('read', reader='u2')}"}
    queries = ("", "", "?category=cs.T0", "?cursor=nothing")
    answers = [client.get(f"/v1/feed{query}", headers=own) for query in queries]
    assert hot == [False, True, False, False]
    assert taken == ["reader"] * len(queries)
    assert all("ratelimit" in answer.headers for answer in answers)


def test_a_request_from_a_page_of_another_host_is_left_to_what_judges_those(
    world: Database, client: TestClient, as_u1: dict[str, str], hot: list[bool]
) -> None:
    client.get("/v1/feed", headers=as_u1)
    hot.clear()
    assert client.get("/v1/feed", headers=as_u1 | {"Origin": "https://elsewhere.example"}).status_code == 200
    assert hot == [False]


def test_a_second_credential_is_left_to_the_router(
    world: Database, client: TestClient, as_u1: dict[str, str], hot: list[bool]
) -> None:
    client.get("/v1/feed", headers=as_u1)
    hot.clear()
    twice = [*as_u1.items(), ("X-User", "u2")]
    client.get("/v1/feed", headers=twice)
    client.get("/v1/feed", headers=[*as_u1.items(), ("Authorization", "Bearer nothing")])
    assert hot == [False, False]


def test_a_failure_ahead_of_the_router_is_logged_and_answered_by_it(
    world: Database,
    client: TestClient,
    as_u1: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object, **__: object) -> bytes:
        raise ZeroDivisionError

    client.get("/v1/feed", headers=as_u1)
    monkeypatch.setattr(hot_feed, "read_hit", fail)
    assert client.get("/v1/feed", headers=as_u1).status_code == 200
    assert "feed hit failed" in caplog.messages


def _answers() -> float:
    """How many feeds were answered with 200."""
    samples = [sample for metric in REQUEST_SECONDS.collect() for sample in metric.samples]
    wanted = {"method": "GET", "route": "/v1/feed", "status": "200"}
    return sum(s.value for s in samples if s.name.endswith("_count") and s.labels == wanted)
