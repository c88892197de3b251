"""Errors, request ids, body limits and the OpenAPI document."""

import asyncio
import errno
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from api.app import create_app
from api.errors import Conflict, TooSlow
from api.routes import middleware
from api.routes.bodies import read_body
from api.routes.hub_errors import is_hub_path
from api.routes.middleware import MOST_BODY_BYTES, BodyLimit, RequestContext
from api.routes.problems import MEDIA_TYPE, operations
from api.settings import Settings


class _DriverError(Exception):
    """What a driver raises."""


FAILURES: dict[str, tuple[Exception, int]] = {
    "conflict": (Conflict("a run is in progress", run_id=7), 409),
    "locked": (sa.exc.OperationalError("SELECT", {}, _DriverError("database is locked")), 503),
    "full": (sa.exc.OperationalError("INSERT", {}, _DriverError("database or disk is full")), 503),
    "pool": (sa.exc.TimeoutError("no connection is free"), 503),
    "disk": (OSError(errno.ENOSPC, "No space left on device"), 503),
    "data": (sa.exc.DataError("INSERT", {}, _DriverError("cannot contain NUL")), 422),
    "bug": (ZeroDivisionError("secret detail"), 500),
    "surrogate": (Conflict("odd \ud800 text", field="\ud800"), 409),
}


@pytest.fixture
def failing(tmp_path: Any, redis_url: str) -> Iterator[TestClient]:
    """Return a client of an application with routes that fail."""
    settings = Settings(
        data_dir=tmp_path,
        cache_url=redis_url,
        database_url=f"sqlite:///{tmp_path}/a.db",
        secret_key=SecretStr("x" * 40),
    )
    app = create_app(settings)
    router = APIRouter()

    @router.api_route("/fail/{name}", methods=["GET", "POST"])
    def fail(name: str) -> None:
        raise FAILURES[name][0]

    app.include_router(router)
    with TestClient(app) as client:
        yield client


def test_every_failure_is_a_problem(failing: TestClient) -> None:
    for name, (_error, status) in FAILURES.items():
        response = failing.get(f"/fail/{name}")
        problem = response.json()
        assert (name, response.status_code, problem["status"]) == (name, status, status)
        assert response.headers["content-type"] == MEDIA_TYPE
        assert {"type", "title", "detail"} <= problem.keys()
        assert problem["request_id"] == response.headers["x-request-id"]
        assert "secret detail" not in response.text
        assert (response.headers.get("retry-after") is not None) == (response.status_code == 503)


def test_fields_of_an_error_reach_the_client(failing: TestClient) -> None:
    assert failing.get("/fail/conflict").json()["run_id"] == 7
    assert "disk is full" in failing.get("/fail/full").json()["detail"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/v1/events", 405)])
def test_unknown_paths_and_methods_are_problems(failing: TestClient, method: str, path: str, status: int) -> None:
    response = failing.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == MEDIA_TYPE
    assert len(response.json()["detail"]) > len(response.json()["title"])
    assert ("allow" in response.headers) == (status == 405)


def test_a_request_id_is_kept_when_it_is_harmless(failing: TestClient) -> None:
    assert failing.get("/livez", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert failing.get("/livez", headers={"X-Request-ID": "a b"}).headers["x-request-id"] != "a b"


def test_the_access_log_never_holds_a_token(failing: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        failing.get("/v1/me/history", headers={"Authorization": "Bearer pf_very_secret"})
    (record,) = [record for record in caplog.records if record.name == "api.access"]
    assert vars(record)["status"] == 401
    assert "very_secret" not in str(vars(record))


def test_a_body_over_the_limit_is_413(failing: TestClient) -> None:
    response = failing.post("/fail/conflict", content=b"x" * (MOST_BODY_BYTES + 1))
    assert response.status_code == 413
    assert response.json()["limit_bytes"] == MOST_BODY_BYTES


def test_a_body_of_unknown_length_is_limited_too(failing: TestClient) -> None:
    def chunks(count: int) -> Iterator[bytes]:
        yield from [b"x" * 1024] * count

    assert failing.post("/fail/conflict", content=chunks(1025)).status_code == 413
    assert failing.post("/fail/conflict", content=chunks(1024)).status_code == 409


def test_answers_carry_security_headers(failing: TestClient) -> None:
    headers = failing.get("/fail/bug").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_every_operation_is_documented_with_an_example_and_its_problems() -> None:
    document = create_app(Settings(secret_key=SecretStr("x" * 40))).openapi()
    assert not {"HTTPValidationError", "ValidationError"} & document["components"]["schemas"].keys()
    lacking: list[str] = []
    paths = [path for path, methods in document["paths"].items() for _ in methods]
    for path, operation in zip(paths, operations(document), strict=True):
        name, media_type = operation["operationId"], "application/json" if is_hub_path(path) else MEDIA_TYPE
        if not operation.get("summary"):
            lacking.append(f"{name}: summary")
        for status, response in operation["responses"].items():
            content = response.get("content", {})
            if status.startswith("2") and status != "204" and not any("example" in part for part in content.values()):
                lacking.append(f"{name}: example of {status}")
            if not status.startswith("2") and status != "503" and media_type not in content:
                lacking.append(f"{name}: problem {status}")
        body = operation.get("requestBody", {"content": {"": {"example": None}}})
        if not any("example" in part for part in body["content"].values()):
            lacking.append(f"{name}: example of the body")
    assert not lacking


def test_references_of_the_document_resolve() -> None:
    document = create_app(Settings(secret_key=SecretStr("x" * 40))).openapi()
    wanted = {part.split('"')[0] for part in str(document).replace("'", '"').split("#/components/schemas/")[1:]}
    assert wanted <= document["components"]["schemas"].keys()


def test_every_operation_of_one_reader_names_the_header() -> None:
    document = create_app(Settings(secret_key=SecretStr("x" * 40))).openapi()
    named = {
        path
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if any(parameter["name"] == "X-User" for parameter in operation.get("parameters", ()))
    }
    of_history = {"library", "history", "merge", "hidden", "hidden/{paper_id}"}
    of_taste = {"interests", "muted", "taste", "personalisation", "question"}
    assert named == {"/v1/feed", "/v1/events"} | {f"/v1/me/{name}" for name in of_history | of_taste}


def test_a_client_that_goes_away_is_no_fault_of_the_service(caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ClientDisconnect

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/events", "headers": []}
    with caplog.at_level(logging.INFO):
        asyncio.run(RequestContext(app)(scope, receive, send))
    assert {record.levelname for record in caplog.records} == {"INFO"}


@pytest.mark.parametrize("is_asking", [False, True])
def test_a_refused_body_is_read_to_its_end_so_that_the_client_sees_the_answer(is_asking: bool) -> None:
    chunks = [b"x" * 65_536] * 40
    sent: list[Message] = []

    async def receive() -> Message:
        chunks.pop()
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": bool(chunks)}

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError

    headers = [(b"content-length", b"2621440"), *([(b"expect", b"100-continue")] if is_asking else [])]
    scope = {"type": "http", "method": "POST", "path": "/v1/events", "headers": headers}
    asyncio.run(BodyLimit(app)(scope, receive, send))
    assert sent[0]["status"] == 413
    assert len(chunks) == (40 if is_asking else 0)


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_body_that_never_ends_is_given_up(is_chunked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "BODY_SECONDS", 0.2)
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Scope, receive: Receive, _send: Send) -> None:
        with pytest.raises(TooSlow):
            await read_body(scope, receive, most_bytes=1000)

    headers = [] if is_chunked else [(b"content-length", b"900")]
    scope = {"type": "http", "method": "POST", "path": "/v1/events", "headers": headers}
    asyncio.run(asyncio.wait_for(BodyLimit(app)(scope, receive, send), timeout=5))
    assert [message["status"] for message in sent if "status" in message] == ([408] if is_chunked else [])
