"""Searches of somebody: who may keep the answer, and what a token must allow."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient


def test_anonymous_answers_may_be_kept_for_a_moment(found: TestClient) -> None:
    answer = found.get("/v1/search", params={"q": "attention"})
    assert answer.headers["cache-control"] == "public, max-age=15"
    assert answer.headers["vary"] == "Authorization, X-User"
    again = found.get("/v1/search", params={"q": "attention"}, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert found.get("/v1/search", params={"q": "graph"}).headers["etag"] != answer.headers["etag"]


def test_answers_to_somebody_are_kept_by_nobody(found: TestClient, as_ada: dict[str, str]) -> None:
    for personal in ("false", "true"):
        answer = found.get("/v1/search", params={"q": "attention", "personal": personal}, headers=as_ada)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-store"
        assert "etag" not in answer.headers


def test_a_personal_search_needs_a_reader(found: TestClient, as_ada: dict[str, str]) -> None:
    assert found.get("/v1/search", params={"personal": "true"}).status_code == 401
    service = {"Authorization": as_ada["Authorization"]}
    assert found.get("/v1/search", params={"personal": "true"}, headers=service).status_code == 400
    assert found.get("/v1/search", headers={"Authorization": "Bearer pf_wrong"}).status_code == 401


@pytest.mark.parametrize("reader", ["ada", None])
def test_a_personal_search_needs_a_token_that_may_read(
    found: TestClient, token_of: Callable[..., str], reader: str | None
) -> None:
    headers = {"Authorization": f"Bearer {token_of('write', reader=reader)}", "X-User": "ada"}
    answer = found.get("/v1/search", params={"q": "attention", "personal": "true"}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["scope"] == "read"
    assert found.get("/v1/search", params={"q": "attention"}, headers=headers).status_code == 200
