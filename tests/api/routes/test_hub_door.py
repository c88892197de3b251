"""The papers API ahead of the router: from memory as from the route, for any origin, with limits clients can read."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from starlette.types import Scope, Send

from api.app import create_app
from api.routes import hub_door
from api.runtime.metrics import REQUEST_SECONDS
from api.runtime.state import Runtime
from api.settings import Settings
from api.store import rates
from api.store.engine import Database
from api.store.tables_sources import Source
from recommender.domain import EventKind
from tests.api.hub_world import MONDAY, daily_row, insert_papers, insert_readers, vote
from tests.api.routes.hub_fixtures import error_of, let_changes_be_seen
from tests.api.routes.test_sources import read_all

LIST = "/api/daily_papers?limit=1"
RECORD = "/api/papers/2512.00001"
MARKDOWN = "/papers/2512.00001.md"
DAILY = "/api/daily_papers?"
SPANS = (f"{DAILY}date=2025-12-08", f"{DAILY}week=2025-W50", f"{DAILY}month=2025-12", f"{DAILY}sort=trending")
SHARED = (*SPANS, LIST, RECORD, MARKDOWN, "/api/papers", "/api/papers/search?q=ladders", "/api/arxiv/2512.00001/repos")
HEADERS = (
    *("content-type", "cache-control", "vary", "etag", "x-content-type-options", "x-frame-options", "referrer-policy"),
    *("cross-origin-opener-policy", "content-security-policy", "content-length"),
    *("access-control-allow-origin", "access-control-expose-headers", "link"),
)


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about HTTP."""
    return sqlite_database


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "TIMEOUT_SECONDS", 10.0)


@pytest.fixture(autouse=True)
def _world(database: Database) -> None:
    insert_papers(database, daily_row(1, MONDAY), daily_row(2, MONDAY))
    insert_readers(database, 1)


@pytest.fixture
def hot(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a record of which requests were answered ahead of the router."""
    record: list[bool] = []
    answer = hub_door._answer_from_memory

    async def noted(scope: Scope, send: Send) -> bool:
        record.append(await answer(scope, send))
        return record[-1]

    monkeypatch.setattr(hub_door, "_answer_from_memory", noted)
    return record


@pytest.mark.parametrize("path", SHARED)
def test_an_answer_from_memory_is_the_routes_own(client: TestClient, hot: list[bool], path: str) -> None:
    by_route, by_memory = client.get(path), client.get(path)
    assert hot == [False, True]
    assert by_memory.content == by_route.content
    assert {name: by_memory.headers.get(name) for name in HEADERS} == {
        name: by_route.headers.get(name) for name in HEADERS
    }
    assert by_memory.headers["x-request-id"] != by_route.headers["x-request-id"]


def test_every_answer_says_how_old_its_papers_are(client: TestClient, runtime: Runtime) -> None:
    as_of = runtime.freshness.look()
    assert as_of is not None
    for path in (LIST, LIST, RECORD):
        assert client.get(path).headers["x-papers-as-of"] == as_of.isoformat()


def test_daily_lists_are_as_old_as_the_one_source_that_fills_them(
    client: TestClient, runtime: Runtime, settings: Settings
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=10)
    read_all(runtime.db, settings, at=datetime.now(UTC))
    with runtime.db.write() as session:
        session.execute(sa.update(Source).where(Source.name == "huggingface").values(success_at=long_ago))
    runtime.freshness.look()
    ages = [datetime.fromisoformat(client.get(path).headers["x-papers-as-of"]) for path in (LIST, RECORD)]
    assert ages[0] == long_ago
    assert datetime.now(UTC) - ages[1] < timedelta(hours=1)


def test_who_has_an_answer_is_told_so_without_it(client: TestClient, hot: list[bool]) -> None:
    tag = client.get(LIST).headers["etag"]
    for given in (tag, f'"other", W/{tag}', "*"):
        answer = client.get(LIST, headers={"If-None-Match": given})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert "Authorization" in answer.headers["vary"]
        assert answer.headers["cache-control"].startswith("public")
    assert client.get(LIST, headers={"If-None-Match": '"other"'}).status_code == 200
    fresh = client.get("/api/daily_papers?limit=1&x=1", headers={"If-None-Match": tag})
    assert (fresh.status_code, fresh.content) == (304, b"")  # by the route itself
    assert hot == [False, True, True, True, True, False]


def test_a_vote_changes_the_tag(client: TestClient, database: Database, runtime: Runtime) -> None:
    tag = client.get(RECORD).headers["etag"]
    vote(database, 1, 1, EventKind.UPVOTE, at=MONDAY)
    let_changes_be_seen(runtime)
    answer = client.get(RECORD, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json()["upvotes"]) == (200, 2)


def test_the_head_of_an_answer_is_that_of_the_whole(client: TestClient, hot: list[bool]) -> None:
    heads = [client.head(LIST), client.head(LIST)]
    whole = client.get(LIST)
    assert hot == [False, True, True]
    for head in heads:
        assert head.content == b""
        assert head.headers["content-length"] == str(len(whole.content))
        assert head.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize("slashes", ["//", "///"])
def test_an_endpoint_may_end_in_a_slash(client: TestClient, slashes: str) -> None:
    for path in SHARED:
        assert client.get(f"http://testserver{slashes}{path[1:]}").content == client.get(path).content
    assert client.get(f"http://testserver{slashes}v1/latest").status_code == 404  # this is for clients of the hub alone
    link = client.get(f"http://testserver{slashes}{LIST[1:]}").headers["link"]
    assert link.startswith("<http://testserver/api/")


@pytest.mark.parametrize("path", [LIST, RECORD, "/api/whoami-v2", "/api/nothing", "/api/papers/2512.99999"])
def test_pages_of_any_origin_may_read_without_cookies(client: TestClient, path: str) -> None:
    for _ in range(2):
        answer = client.get(path, headers={"Origin": "https://blog.example"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        assert "ETag" in answer.headers["access-control-expose-headers"]


def test_a_question_before_a_request_is_answered_for_any_origin(settings: Settings) -> None:
    configured = settings.model_copy(update={"cors_origins": "https://other.example"})
    asked = {
        "Origin": "https://blog.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    with TestClient(create_app(configured)) as client:
        answer = client.options("/api/collections", headers=asked)
        listed = client.get(LIST, headers={"Origin": "https://other.example"})
        own = client.options("/v1/events", headers=asked)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*")
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert listed.headers.get_list("access-control-allow-origin") == ["*"]
    assert own.status_code == 400  # our own API is for configured origins


def test_only_the_papers_api_is_open(client: TestClient) -> None:
    for path in ("/v1/latest", MARKDOWN, "/livez"):
        answer = client.get(path, headers={"Origin": "https://blog.example"})
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/nothing", 404), ("POST", "/api/daily_papers", 405), ("DELETE", RECORD, 405), ("GET", "/api/", 404)],
)
def test_the_routers_own_errors_have_the_same_form(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, headers={"Accept": "text/html,*/*"})
    assert error_of(answer)[0] == status


def test_a_database_that_is_away_is_an_error_of_the_same_form(client: TestClient, runtime: Runtime) -> None:
    with runtime.db.write() as session:
        session.execute(sa.text("ALTER TABLE papers RENAME TO gone"))
    answer = client.get(RECORD)
    assert error_of(answer)[0] == 503
    assert "retry-after" in answer.headers


def test_answers_from_memory_are_counted_under_their_route(client: TestClient) -> None:
    def count(route: str) -> float:
        return float(REQUEST_SECONDS.labels("GET", route, "200")._sum.get())

    before = count("/api/papers/{paper_id}"), count("/api/daily_papers")
    for _ in range(2):
        client.get(RECORD)
        client.get(LIST)
    after = count("/api/papers/{paper_id}"), count("/api/daily_papers")
    assert after[0] > before[0]
    assert after[1] > before[1]


class TestLimits:
    """Limits in the form that clients of the hub wait by."""

    @pytest.fixture
    def client(self, settings: Settings) -> Iterator[TestClient]:
        """Return a client of an application that takes three requests of an address; 0.01/s refills nothing."""
        limits = {
            f"rate_{kind}{part}": value
            for kind in ("reader", "anonymous")
            for part, value in (("", 0.01), ("_burst", 3))
        }
        with TestClient(create_app(settings.model_copy(update=limits))) as client:
            yield client

    def test_what_is_left_and_a_refusal_are_said_as_clients_read_them(self, client: TestClient) -> None:
        answers = [client.get(LIST) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["ratelimit"].partition(";t")[0] for answer in answers] == [
            f'"api";r={left}' for left in (2, 1, 0, 0)
        ]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"api";q=3;w=300'}
        assert error_of(answers[-1])[0] == 429
        assert answers[-1].headers["ratelimit"] == f'"api";r=0;t={answers[-1].headers["retry-after"]}'

    def test_a_readers_token_has_a_limit_of_its_own(self, client: TestClient, token_of: Callable[..., str]) -> None:
        headers = {"Authorization": f"Bearer {token_of(reader='ada')}"}
        assert [client.get(LIST, headers=headers).status_code for _ in range(4)] == [200, 200, 200, 429]
        assert client.get(LIST).status_code == 200

    def test_a_token_of_another_service_counts_by_address(self, client: TestClient) -> None:
        headers = [{"Authorization": f"Bearer hf_{number}"} for number in range(4)]
        assert [client.get(LIST, headers=one).status_code for one in headers] == [200, 200, 200, 429]
