"""The feed over HTTP: hits without SQL, misses, filters, cursors, and what happens when the cache is gone."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.services.slates import Slate, open_slate
from api.settings import Settings
from api.store.engine import Database
from tests.api.feed_world import VERSION, planted


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings without chance, so that two first pages of one list are the same."""
    return settings.model_copy(update={"swap_probability": 0.0, "exploration_share": 0.0})


def read(client: TestClient, headers: dict[str, str], **params: Any) -> dict[str, Any]:
    """Read a page that must be there."""
    answer = client.get("/v1/feed", headers=headers, params=params)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def ids_of(page: dict[str, Any]) -> list[str]:
    """Return the papers of a page."""
    return [item["paper"]["id"] for item in page["items"]]


def topics_of(page: dict[str, Any]) -> set[str]:
    """Return the categories of a page."""
    return {item["paper"]["categories"][0] for item in page["items"]}


def post(client: TestClient, headers: dict[str, str], kind: str, *paper_ids: str) -> None:
    """Send events that must be accepted."""
    now = datetime.now(UTC).isoformat()
    events = [{"id": str(uuid.uuid4()), "kind": kind, "paper_id": paper, "occurred_at": now} for paper in paper_ids]
    results = client.post("/v1/events", headers=headers, json={"events": events}).json()["results"]
    assert {result["status"] for result in results} == {"accepted"}


def read_on(client: TestClient, headers: dict[str, str], page: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    """Return all the pages after one."""
    pages = []
    while page["next"] is not None:
        page = read(client, headers, cursor=page["next"], **params)
        pages.append(page)
    return pages


def test_a_reader_gets_a_personal_page(world: Database, client: TestClient, as_u1: dict[str, str]) -> None:
    page = read(client, as_u1)

    assert topics_of(page) == {"cs.T0"}
    assert page["source"] == "personal"
    assert page["version"] == VERSION
    assert [item["rank"] for item in page["items"]] == list(range(1, 21))
    assert all(item["reason"].startswith("because you saved “") for item in page["items"])
    scores = [item["score"] for item in page["items"]]
    assert scores == sorted(scores, reverse=True)


def test_a_hit_touches_no_sql(
    world: Database, client: TestClient, as_u1: dict[str, str], statements: list[str]
) -> None:
    first = read(client, as_u1)
    assert statements
    statements.clear()

    second = read(client, as_u1)
    read(client, as_u1, cursor=second["next"], limit=5)  # warms the papers of the second page
    statements.clear()
    read(client, as_u1, cursor=second["next"], limit=5)

    assert ids_of(second) == ids_of(first)
    assert second["built_at"] == first["built_at"]
    assert statements == []


def test_a_get_writes_no_sql(world: Database, client: TestClient, token_of: Any, statements: list[str]) -> None:
    headers = {"Authorization": f"Bearer {token_of('read')}", "X-User": "somebody new"}
    page = read(client, headers)
    assert page["source"] in {"trending", "latest"}
    for path in ("/v1/me/history", "/v1/me/library", "/v1/me/interests"):
        assert client.get(path, headers=headers).status_code == 200
    assert statements
    assert not [sql for sql in statements if sql.split()[0] in {"INSERT", "UPDATE", "DELETE"}]


def test_what_a_reader_acted_on_is_gone_from_the_very_next_page(
    world: Database, client: TestClient, as_u1: dict[str, str]
) -> None:
    for reader, kind in (("u1", "save"), ("u2", "click"), ("u3", "dismiss")):
        headers = as_u1 | {"X-User": reader}
        first, second = ids_of(read(client, headers))[:2]
        post(client, headers, kind, first)
        after = read(client, headers)

        assert first not in ids_of(after)
        assert ids_of(after)[0] == second
        assert len(after["items"]) == 20


def test_pages_follow_each_other_to_the_last_paper_without_repeats(
    world: Database, client: TestClient, as_u1: dict[str, str]
) -> None:
    page = read(client, as_u1, limit=30)
    pages = [page, *read_on(client, as_u1, page, limit=30)]
    shown = [paper for each in pages for paper in ids_of(each)]
    ranks = [item["rank"] for each in pages for item in each["items"]]
    saved = planted().interactions.paper_ids[planted().interactions.user_ids == 1]

    assert len(shown) == len(set(shown)) == 160 - len(set(saved.tolist()))
    assert ranks == list(range(1, len(shown) + 1))
    assert all(len(each["items"]) == 30 for each in pages[:-1])
    assert pages[-1]["items"]


def test_a_frozen_list_goes_on_while_the_cache_is_flushed_and_the_list_rebuilt(
    world: Database, client: TestClient, as_u1: dict[str, str], redis_url: str
) -> None:
    page = read(client, as_u1, limit=20)
    expected = [paper for each in read_on(client, as_u1, page, limit=20) for paper in ids_of(each)]
    post(client, as_u1, "save", expected[25])
    with redis.Redis.from_url(redis_url) as cache:
        cache.flushall()
    read(client, as_u1)
    shown = [paper for each in read_on(client, as_u1, page, limit=20) for paper in ids_of(each)]

    assert shown == [paper for paper in expected if paper != expected[25]]


def test_a_cursor_belongs_to_its_reader(world: Database, client: TestClient, as_u1: dict[str, str]) -> None:
    cursor = read(client, as_u1)["next"]
    answers = [
        client.get("/v1/feed", headers=as_u1 | {"X-User": "u2"}, params={"cursor": cursor}),
        client.get("/v1/feed", headers=as_u1, params={"cursor": cursor[:40] + cursor[50:]}),
        client.get("/v1/feed", headers=as_u1, params={"cursor": "ü"}),
        client.get("/v1/feed", headers=as_u1, params={"cursor": ""}),
    ]
    assert [answer.status_code for answer in answers] == [422] * 4
    assert answers[0].json()["type"].endswith("invalid-cursor")


def test_a_category_filter_fills_its_page_from_what_is_new(
    world: Database, client: TestClient, as_u1: dict[str, str]
) -> None:
    page = read(client, as_u1, category="cs.T1", limit=30)
    pages = [page, *read_on(client, as_u1, page, limit=30)]
    shown = [paper for each in pages for paper in ids_of(each)]

    assert len(page["items"]) == 30
    assert {topic for each in pages for topic in topics_of(each)} == {"cs.T1"}
    assert len(shown) == len(set(shown)) == 40


def test_excluded_papers_stay_out_of_all_pages(world: Database, client: TestClient, as_u1: dict[str, str]) -> None:
    unwanted = ids_of(read(client, as_u1, limit=10))
    page = read(client, as_u1, exclude=[",".join(unwanted[:5]), *unwanted[5:]], limit=50)
    shown = [paper for each in [page, *read_on(client, as_u1, page, limit=50)] for paper in ids_of(each)]
    assert set(unwanted).isdisjoint(shown)
    assert len(shown) == len(set(shown))


def test_since_leaves_out_what_was_listed_before(world: Database, client: TestClient, as_u1: dict[str, str]) -> None:
    everything = client.get("/v1/latest", params={"limit": 100}).json()["items"]
    since = everything[9]["paper"]["published_at"]
    page = read(client, as_u1, since=since, limit=100)
    assert set(ids_of(page)) <= {item["paper"]["id"] for item in everything[:10]}
    assert page["items"]
    assert page["next"] is None


IMPOSSIBLE: list[dict[str, Any]] = [
    {"limit": 0},
    {"limit": 101},
    {"limit": "many"},
    {"since": "yesterday"},
    {"since": "99999-01-01"},
    {"category": "x" * 61},
    {"category": "a\x00b"},
    {"exclude": ",".join(f"p{n}" for n in range(501))},
    {"exclude": "x" * 300},
]


def test_impossible_parameters_are_refused(world: Database, client: TestClient, as_u1: dict[str, str]) -> None:
    answers = [client.get("/v1/feed", headers=as_u1, params=params) for params in IMPOSSIBLE]
    assert [answer.status_code for answer in answers] == [422] * len(IMPOSSIBLE)
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}


def test_the_answer_is_private(world: Database, client: TestClient, as_u1: dict[str, str]) -> None:
    headers = client.get("/v1/feed", headers=as_u1).headers
    assert headers["cache-control"] == "private, no-store"
    assert headers["vary"] == "Authorization, X-User"


def test_without_a_token_there_is_no_feed(client: TestClient) -> None:
    assert client.get("/v1/feed").status_code == 401


def test_a_service_without_a_reader_gets_what_everybody_gets(
    world: Database, client: TestClient, token_of: Any
) -> None:
    page = read(client, {"Authorization": f"Bearer {token_of('read')}"})
    assert page["source"] in {"trending", "latest"}
    assert len(page["items"]) == 20


def test_the_slate_says_what_was_shown(
    world: Database, client: TestClient, as_u1: dict[str, str], runtime: Runtime
) -> None:
    page = read(client, as_u1, limit=7)
    second = read(client, as_u1, limit=7, cursor=page["next"])
    slate = open_slate(runtime.keys, second["slate"], now=datetime.now(UTC), days=30)

    assert isinstance(slate, Slate)
    assert [f"p{paper_id}" for paper_id in slate.papers] == ids_of(second)
    assert [shown.position for shown in slate.papers.values()] == list(range(8, 15))
    assert (slate.user_id, slate.version) == (1, VERSION)


def test_with_the_cache_flushed_the_feed_is_still_personal(
    world: Database, client: TestClient, as_u1: dict[str, str], redis_url: str
) -> None:
    before = read(client, as_u1)
    with redis.Redis.from_url(redis_url) as cache:
        cache.flushall()
    after = read(client, as_u1)
    assert ids_of(after) == ids_of(before)
    assert after["source"] == "personal"


def test_a_saved_paper_stays_gone_after_a_flush(
    world: Database, client: TestClient, as_u1: dict[str, str], redis_url: str
) -> None:
    first = ids_of(read(client, as_u1))[0]
    post(client, as_u1, "save", first)
    with redis.Redis.from_url(redis_url) as cache:
        cache.flushall()
    assert first not in ids_of(read(client, as_u1))
    assert first not in ids_of(read(client, as_u1))


def test_interests_make_the_next_page_personal(world: Database, client: TestClient, as_u1: dict[str, str]) -> None:
    headers = as_u1 | {"X-User": "newcomer"}
    assert read(client, headers)["source"] != "personal"
    interests = {"categories": [], "terms": ["topic3word1 topic3word2"], "papers": []}
    assert client.put("/v1/me/interests", headers=headers, json=interests).status_code == 200
    page = read(client, headers)

    assert page["source"] == "personal"
    assert page["items"][0]["reason"] == "matches your term “topic3word1 topic3word2”"
    assert topics_of({"items": page["items"][:5]}) == {"cs.T3"}


def test_a_corrupt_list_is_a_miss(world: Database, client: TestClient, as_u1: dict[str, str], redis_url: str) -> None:
    expected = ids_of(read(client, as_u1))
    with redis.Redis.from_url(redis_url) as cache:
        cache.set(f"feed:{VERSION}:1", b"PF\x01\x04 not a list")
    assert ids_of(read(client, as_u1)) == expected


def test_another_readers_list_under_my_key_is_never_shown(
    world: Database, client: TestClient, as_u1: dict[str, str], redis_url: str
) -> None:
    read(client, as_u1)
    read(client, as_u1 | {"X-User": "u2"})
    with redis.Redis.from_url(redis_url) as cache:
        foreign = cache.get(f"feed:{VERSION}:2")
        assert isinstance(foreign, bytes)
        cache.set(f"feed:{VERSION}:1", foreign)
    assert topics_of(read(client, as_u1)) == {"cs.T0"}
