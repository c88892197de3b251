"""Training runs and model versions over HTTP."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.services import training
from tests.api.services.test_versions import register

RUNS = "/v1/admin/training-runs"
MODELS = "/v1/admin/models"
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def admin(client: TestClient, token_of: Callable[..., str]) -> TestClient:
    """Return a client with an admin token."""
    client.headers["Authorization"] = f"Bearer {token_of('admin')}"
    return client


def end_run(runtime: Runtime, run_id: int, **outcome: Any) -> None:
    """Claim a run and end it, as a worker does."""
    with runtime.db.write() as session:
        lease = training.claim_run(session, run_id, owner="one", now=NOW, lease_seconds=30)
        assert lease is not None
        training.finish_run(session, lease, now=NOW, **outcome)


def test_a_retrain_is_queued_and_answered_at_once(admin: TestClient) -> None:
    answer = admin.post(RUNS)
    assert answer.status_code == 202
    run = answer.json()
    assert (run["state"], run["stage"], run["trigger"], run["progress"]) == ("queued", None, "admin", 0.0)
    assert admin.get(f"{RUNS}/{run['id']}").json() == run


def test_a_second_trigger_names_the_run_in_progress(admin: TestClient) -> None:
    run_id = admin.post(RUNS).json()["id"]
    answer = admin.post(RUNS)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["run_id"] == run_id


def test_triggers_that_arrive_together_start_one_run(admin: TestClient) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: admin.post(RUNS), range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    assert len(admin.get(RUNS).json()["items"]) == 1


def test_a_rejection_is_visible_with_its_figures(admin: TestClient, runtime: Runtime) -> None:
    run_id = admin.post(RUNS).json()["id"]
    figures = {"judgement": {"verdict": "reject", "readers": 40}}
    end_run(runtime, run_id, outcome="rejected", reason="it does not beat popularity", figures=figures)
    run = admin.get(f"{RUNS}/{run_id}").json()
    assert (run["state"], run["reason"], run["figures"]) == ("rejected", "it does not beat popularity", figures)


def test_runs_are_listed_newest_first_in_pages(admin: TestClient, runtime: Runtime) -> None:
    made = []
    for _ in range(3):
        made.append(admin.post(RUNS).json()["id"])
        end_run(runtime, made[-1], outcome="succeeded")
    page = admin.get(RUNS, params={"limit": 2}).json()
    assert [run["id"] for run in page["items"]] == made[:0:-1]
    rest = admin.get(RUNS, params={"limit": 2, "cursor": page["next"]}).json()
    assert ([run["id"] for run in rest["items"]], rest["next"]) == ([made[0]], None)


def test_a_foreign_cursor_is_refused(admin: TestClient, runtime: Runtime) -> None:
    for _ in range(2):
        end_run(runtime, admin.post(RUNS).json()["id"], outcome="succeeded")
    cursor = admin.get(RUNS, params={"limit": 1}).json()["next"]
    for wrong in (cursor + "x", "invented"):
        assert admin.get(RUNS, params={"cursor": wrong}).status_code == 422
    assert admin.get(MODELS, params={"cursor": cursor}).status_code == 422


def test_a_limit_outside_1_to_100_is_refused(admin: TestClient) -> None:
    for path, limit in itertools.product((RUNS, MODELS), ("0", "101", "many")):
        assert (path, limit, admin.get(path, params={"limit": limit}).status_code) == (path, limit, 422)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_queued_run_is_cancelled(admin: TestClient, method: str) -> None:
    run_id = admin.post(RUNS).json()["id"]
    path = f"{RUNS}/{run_id}/cancel" if method == "POST" else f"{RUNS}/{run_id}"
    answer = admin.request(method, path)
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    again = admin.request(method, path)
    assert (again.status_code, again.json()["state"]) == (409, "cancelled")


def test_what_does_not_exist_is_not_found(admin: TestClient) -> None:
    for path in (f"{RUNS}/404", f"{MODELS}/none"):
        assert (path, admin.get(path).status_code) == (path, 404)


def test_a_number_that_no_run_can_have_is_refused(admin: TestClient) -> None:
    for run_id in ("0", "x", str(2**63)):
        assert (run_id, admin.get(f"{RUNS}/{run_id}").status_code) == (run_id, 422)


def test_versions_are_promoted_and_rolled_back(admin: TestClient, runtime: Runtime) -> None:
    for number, version in enumerate(("a", "b")):
        created_at = NOW + timedelta(hours=number)
        register(runtime.db, runtime.settings.models_dir, version, created_at=created_at)
        answer = admin.post(f"{MODELS}/{version}/promote")
        assert (answer.status_code, answer.json()["version"]) == (200, version)
    back = admin.post("/v1/admin/rollback")
    assert (back.status_code, back.json()["version"], back.json()["previous"]) == (200, "a", "b")
    models = admin.get(MODELS).json()["items"]
    assert [(model["version"], model["is_serving"], model["is_previous"]) for model in models] == [
        ("b", False, True),
        ("a", True, False),
    ]
    assert admin.get(f"{MODELS}/a").json()["is_serving"]


def test_a_rollback_without_a_previous_version_is_a_conflict(admin: TestClient) -> None:
    assert admin.post("/v1/admin/rollback").status_code == 409


def test_an_unknown_version_is_not_promoted(admin: TestClient) -> None:
    assert admin.post(f"{MODELS}/none/promote").status_code == 404


CALLS = [
    ("GET", RUNS),
    ("POST", RUNS),
    ("GET", f"{RUNS}/1"),
    ("DELETE", f"{RUNS}/1"),
    ("POST", f"{RUNS}/1/cancel"),
    ("GET", MODELS),
    ("GET", f"{MODELS}/a"),
    ("POST", f"{MODELS}/a/promote"),
    ("POST", "/v1/admin/rollback"),
]


def test_every_call_needs_an_admin_token(client: TestClient, token_of: Callable[..., str]) -> None:
    weak = {"Authorization": f"Bearer {token_of('read', 'write')}"}
    for method, path in CALLS:
        assert client.request(method, path).status_code == 401, path
        assert client.request(method, path, headers=weak).status_code == 403, path
