"""`sort=for_you`, the personal feed for stock clients, and who they are told to be."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.services.slates import Slate, open_slate
from api.store.engine import Database
from recommender.domain import EventKind
from tests.api.feed_world import NOW, add_event
from tests.api.routes.hub_fixtures import error_of

FEED = "/api/daily_papers?sort=for_you"


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; what is shown here does not depend on its kind."""
    return sqlite_database


@pytest.fixture
def as_u1(world: Database, token_of: Callable[..., str]) -> dict[str, str]:
    """Return the headers of the reader u1's own token."""
    return {"Authorization": f"Bearer {token_of(reader='u1')}"}


def items_of(client: TestClient, query: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    answer = client.get(FEED + query, headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()
    return items


def names(items: list[dict[str, Any]]) -> list[str]:
    return [item["paper"]["id"] for item in items]


def test_the_feed_is_the_readers_own_with_rank_score_and_reason(client: TestClient, as_u1: dict[str, str]) -> None:
    items = items_of(client, "&limit=10", as_u1)
    own = client.get("/v1/feed?limit=100", headers=as_u1).json()["items"]
    assert len(set(names(items)) & {item["paper"]["id"] for item in own}) == 10
    assert [item["rank"] for item in items] == list(range(1, 11))
    assert all(item["reason"] and isinstance(item["score"], float) for item in items)
    assert {"title", "publishedAt", "numComments", "upvotes"} <= set(items[0])


def test_two_readers_get_feeds_of_their_own(
    client: TestClient, as_u1: dict[str, str], token_of: Callable[..., str]
) -> None:
    other = {"Authorization": f"Bearer {token_of(reader='u2')}"}
    assert names(items_of(client, "", as_u1)) != names(items_of(client, "", other))


def test_a_service_names_the_reader_in_a_header(
    client: TestClient, as_u1: dict[str, str], token_of: Callable[..., str]
) -> None:
    service = {"Authorization": f"Bearer {token_of('read')}", "X-User": "u1"}
    assert names(items_of(client, "", service)) == names(items_of(client, "", as_u1))


def test_a_service_that_names_nobody_gets_what_everybody_gets(
    client: TestClient, world: Database, token_of: Callable[..., str]
) -> None:
    assert len(items_of(client, "&limit=5", {"Authorization": f"Bearer {token_of('read')}"})) == 5


def test_pages_neither_repeat_nor_leave_out_and_end(client: TestClient, as_u1: dict[str, str]) -> None:
    seen: list[str] = []
    ranks: list[int] = []
    following: str | None = f"{FEED}&limit=30"
    while following is not None:
        answer = client.get(following, headers=as_u1)
        seen += names(answer.json())
        ranks += [item["rank"] for item in answer.json()]
        following = answer.links.get("next", {}).get("url")
    assert len(seen) == len(set(seen)) > 60
    assert ranks == list(range(1, len(ranks) + 1))
    assert items_of(client, "&p=1000000", as_u1) == []
    assert names(items_of(client, "&limit=100", as_u1)) == seen[:100]


def test_an_opened_paper_is_gone_from_the_next_page(
    client: TestClient, as_u1: dict[str, str], world: Database, runtime: Runtime
) -> None:
    first = names(items_of(client, "", as_u1))[0]
    add_event(world, 1, int(first[1:]), EventKind.CLICK, at=NOW)
    runtime.feeds.drop_list(1)
    assert first not in names(items_of(client, "&limit=100", as_u1))


def test_the_slate_says_what_was_shown(client: TestClient, as_u1: dict[str, str], runtime: Runtime) -> None:
    answer = client.get(f"{FEED}&limit=10&p=1", headers=as_u1)
    slate = open_slate(runtime.keys, answer.headers["x-slate"], now=NOW, days=30)
    assert isinstance(slate, Slate)
    assert [f"p{paper_id}" for paper_id in slate.papers] == names(answer.json())
    assert [shown.position for shown in slate.papers.values()] == list(range(11, 21))


def test_what_is_personal_is_never_kept_by_anybody(client: TestClient, as_u1: dict[str, str]) -> None:
    for path in (FEED, f"{FEED}&p=1000", "/api/whoami-v2"):
        answer = client.get(path, headers=as_u1)
        assert answer.headers["cache-control"] == "private, no-store"
        assert "Authorization" in answer.headers["vary"]
        assert "etag" not in answer.headers


def test_without_a_token_there_is_no_own_feed(client: TestClient) -> None:
    assert error_of(client.get(FEED))[0] == 401
    assert error_of(client.get(FEED, headers={"Authorization": "Bearer hf_wrong"}))[0] == 401


def test_an_own_feed_of_a_day_is_400(client: TestClient, as_u1: dict[str, str]) -> None:
    for name, text in (("date", "2025-12-08"), ("week", "2025-W50"), ("month", "2025-12")):
        assert error_of(client.get(f"{FEED}&{name}={text}", headers=as_u1))[0] == 400
    assert error_of(client.get(f"{FEED}&limit=101", headers=as_u1))[0] == 400


def test_a_token_that_may_not_read_is_403(client: TestClient, token_of: Callable[..., str]) -> None:
    headers = {"Authorization": f"Bearer {token_of('write', reader='ada')}"}
    answer = client.get(FEED, headers=headers)
    assert error_of(answer) == (403, answer.headers["x-error-message"])


def test_who_asks_who_they_are_is_told(client: TestClient, token_of: Callable[..., str]) -> None:
    own = {"Authorization": f"Bearer {token_of(reader='Ada L.')}"}
    me = client.get("/api/whoami-v2", headers=own).json()
    assert (me["name"], me["fullname"], me["type"], me["orgs"]) == ("Ada~20L.", "Ada L.", "user", [])
    assert me["auth"]["accessToken"] == {"displayName": "test", "role": "write"}
    reading = {"Authorization": f"Bearer {token_of('read')}"}
    service = client.get("/api/whoami-v2", headers=reading).json()
    assert service["name"].startswith("service-")
    assert service["auth"]["accessToken"]["role"] == "read"
    assert client.get("/api/whoami-v2", headers=reading | {"X-User": "ada"}).json()["name"] == "ada"


def test_nobody_is_401(client: TestClient) -> None:
    for headers in ({}, {"Authorization": "Bearer hf_wrong"}, {"Authorization": "Basic YTpi"}):
        assert error_of(client.get("/api/whoami-v2", headers=headers))[0] == 401
