"""Rate limits over HTTP, and what pages of other origins may see."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.store import rates
from api.store.engine import Database

BLOG = "https://blog.example"


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about HTTP."""
    return sqlite_database


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "TIMEOUT_SECONDS", 10.0)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings with limits that a test reaches; 0.01/s refills nothing meanwhile."""
    limits = {
        f"rate_{kind}{part}": value for kind in ("reader", "anonymous") for part, value in (("", 0.01), ("_burst", 3))
    }
    return settings.model_copy(update={**limits, "cors_origins": f"{BLOG} https://other.example"})


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Return a client of a limited application."""
    with TestClient(create_app(settings)) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_readers_token_is_limited_and_told_so(client: TestClient, token_of: Callable[..., str]) -> None:
    headers = bearer(token_of(reader="ada"))
    answers = [client.get("/v1/feed", headers=headers) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["ratelimit"].partition(";t")[0] for answer in answers[:4]] == [
        f'"reader";r={left}' for left in (2, 1, 0, 0)
    ]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"reader";q=3;w=300'}


def test_a_refusal_is_a_problem_that_says_when_to_come_again(client: TestClient, token_of: Callable[..., str]) -> None:
    headers = bearer(token_of(reader="ada"))
    refused = [client.get("/v1/feed", headers=headers) for _ in range(4)][-1]
    problem = refused.json()
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) == problem["retry_after_seconds"] == 100
    assert (problem["type"], problem["violated-policies"]) == ("/problems/too-many-requests", ["reader"])
    assert problem["request_id"] == refused.headers["x-request-id"]


def test_two_tokens_of_one_reader_have_a_limit_each(client: TestClient, token_of: Callable[..., str]) -> None:
    first, second = bearer(token_of(reader="ada")), bearer(token_of(reader="ada"))
    assert [client.get("/v1/feed", headers=first).status_code for _ in range(4)][-1] == 429
    assert client.get("/v1/feed", headers=second).status_code == 200


def test_a_service_token_has_no_limit_unless_one_is_set(client: TestClient, as_ada: dict[str, str]) -> None:
    answers = [client.get("/v1/feed", headers=as_ada) for _ in range(10)]
    assert {answer.status_code for answer in answers} == {200}
    assert not [answer for answer in answers if "ratelimit" in answer.headers]


def test_requests_without_a_token_count_by_address(client: TestClient) -> None:
    assert [client.get("/v1/latest").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_wrong_tokens_count_by_address(client: TestClient) -> None:
    wrong = [f"pf_{number:016x}_{'x' * 43}" for number in range(4)]
    assert [client.get("/v1/feed", headers=bearer(token)).status_code for token in wrong] == [401, 401, 401, 429]


def test_an_address_in_a_header_lifts_no_limit(client: TestClient) -> None:
    spoofed = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(4)]
    assert [client.get("/v1/latest", headers=headers).status_code for headers in spoofed][-1] == 429


def test_a_refused_token_does_not_use_up_its_address(client: TestClient, token_of: Callable[..., str]) -> None:
    headers = bearer(token_of(reader="ada"))
    assert [client.get("/v1/feed", headers=headers).status_code for _ in range(6)][-1] == 429
    assert client.get("/v1/latest").status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/static/paperfeed.css"])
def test_probes_and_files_are_never_limited(client: TestClient, path: str) -> None:
    assert 429 not in [client.get(path).status_code for _ in range(6)]


def test_a_database_that_is_away_is_told_by_the_route(
    client: TestClient, token_of: Callable[..., str], database: Database
) -> None:
    headers = bearer(token_of(reader="ada"))
    with database.write() as session:
        session.execute(sa.text("ALTER TABLE tokens RENAME TO gone"))
    answer = client.get("/v1/feed", headers=headers)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


def test_two_processes_share_the_limit_of_a_token(
    client: TestClient, settings: Settings, token_of: Callable[..., str]
) -> None:
    headers = bearer(token_of(reader="ada"))
    with TestClient(create_app(settings)) as other:
        answers = [(client, other)[turn % 2].get("/v1/feed", headers=headers).status_code for turn in range(6)]
    assert sorted(answers) == [200, 200, 200, 429, 429, 429]


def test_without_a_cache_the_limit_holds_in_each_process(settings: Settings, token_of: Callable[..., str]) -> None:
    away = settings.model_copy(update={"cache_url": "redis://127.0.0.1:1/0"})
    headers = bearer(token_of(reader="ada"))
    with TestClient(create_app(away)) as client:
        assert [client.get("/v1/feed", headers=headers).status_code for _ in range(5)] == [200, 200, 200, 429, 429]


def test_a_page_of_a_configured_origin_may_call_and_see_the_limits(client: TestClient, as_ada: dict[str, str]) -> None:
    answer = client.get("/v1/feed", headers=as_ada | {"Origin": BLOG})
    assert answer.headers["access-control-allow-origin"] == BLOG
    assert "Origin" in answer.headers["vary"]
    assert "Authorization" in answer.headers["vary"]
    assert {"RateLimit", "Retry-After"} <= set(answer.headers["access-control-expose-headers"].split(", "))


@pytest.mark.parametrize("origin", ["https://evil.example", f"{BLOG}.evil.example", "null", "http://blog.example"])
def test_a_page_of_another_origin_sees_nothing(client: TestClient, as_ada: dict[str, str], origin: str) -> None:
    answer = client.get("/v1/feed", headers=as_ada | {"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    assert client.options("/v1/events", headers=asked).status_code == 400


def test_a_question_before_a_request_is_answered_and_never_limited(client: TestClient) -> None:
    asked = {
        "Origin": BLOG,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-user",
    }
    answers = [client.options("/v1/events", headers=asked) for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    assert "access-control-allow-credentials" not in answers[0].headers


def test_a_refusal_can_be_read_by_a_page_of_a_configured_origin(client: TestClient) -> None:
    answers = [client.get("/v1/latest", headers={"Origin": BLOG}) for _ in range(4)]
    assert (answers[-1].status_code, answers[-1].headers["access-control-allow-origin"]) == (429, BLOG)
