"""Over HTTP, on planted data: a dismissal moves papers like it, and what is taken back leaves no trace in the feed."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.settings import Settings
from api.store.engine import Database
from tests.api.feed_world import load_installation, planted, register_model

SHOWS = 5  # the default of PAPERFEED_FATIGUE_SHOWS
Post = Callable[..., None]
Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show lists as they are built: two pages of one list would else differ."""
    monkeypatch.setenv("PAPERFEED_SWAP_PROBABILITY", "0")
    monkeypatch.setenv("PAPERFEED_EXPLORATION_SHARE", "0")


@pytest.fixture
def world(sqlite_database: Database) -> Database:
    """Return a database with planted papers and readers."""
    load_installation(sqlite_database)
    return sqlite_database


@pytest.fixture
def database(world: Database) -> Database:
    """Return the same: what this is about is not the database's."""
    return world


@pytest.fixture
def post(client: TestClient, as_ada: dict[str, str]) -> Post:
    """Return a function that sends ada's events of one kind."""

    def send(kind: str, *papers: int) -> None:
        events = [
            {"id": str(uuid.uuid4()), "kind": kind, "paper_id": f"p{paper}", "occurred_at": _now()} for paper in papers
        ]
        answer = client.post("/v1/events", json={"events": events}, headers=as_ada)
        assert {result["status"] for result in answer.json()["results"]} == {"accepted"}

    return send


@pytest.fixture
def read(client: TestClient, as_ada: dict[str, str], runtime: Runtime, settings: Settings, post: Post) -> Read:
    """Return a function that reads ada's feed as of her last event; she saved papers of two topics."""
    register_model(runtime.db, settings.models_dir)
    assert runtime.serving.poll() is not None
    post("save", *_papers(0)[:6], *_papers(1)[:6])

    def look() -> list[dict[str, Any]]:
        user_id = runtime.access.find_user_id("ada")
        assert user_id is not None
        runtime.feeds.drop_list(user_id)  # no worker is running: the next page builds the list
        answer = client.get("/v1/feed", params={"limit": "100"}, headers=as_ada)
        items: list[dict[str, Any]] = answer.json()["items"]
        return [
            {key: item[key] for key in ("rank", "score", "source", "reason")} | {"id": item["paper"]["id"]}
            for item in items
        ]

    return look


def test_a_dismissal_lowers_papers_like_it_until_it_is_taken_back(post: Post, read: Read) -> None:
    before = read()
    first = next(_number(item) for item in before if _topic(item) == 0)
    post("dismiss", first)
    dismissed = read()
    post("undismiss", first)

    assert f"p{first}" not in {item["id"] for item in dismissed}
    assert _mean_place(dismissed, 0) > _mean_place(before, 0) + 3
    assert read() == before


def test_an_unsave_takes_the_effect_of_the_save_back(post: Post, read: Read) -> None:
    before = read()
    others = _papers(2)[:3]
    post("save", *others)
    saved = read()
    post("unsave", *others)

    assert _best_place(saved, 2) < _best_place(before, 2) - 10
    assert read() == before


def test_what_sank_comes_back_in_its_place(client: TestClient, as_ada: dict[str, str], post: Post, read: Read) -> None:
    before = read()
    first = _number(before[0])
    for _ in range(SHOWS):
        post("impression", first)
    assert f"p{first}" not in {item["id"] for item in read()[:50]}
    assert client.delete(f"/v1/me/hidden/p{first}", headers=as_ada).status_code == 200
    assert read() == before


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _papers(topic: int) -> list[int]:
    touched = (planted().topic_of_paper == topic) & ~planted().untouched
    papers: list[int] = planted().texts.paper_ids[touched].tolist()
    return papers


def _number(item: dict[str, Any]) -> int:
    return int(item["id"].removeprefix("p"))


def _topic(item: dict[str, Any]) -> int:
    return int(planted().topics(np.array([_number(item)]))[0])


def _mean_place(items: list[dict[str, Any]], topic: int) -> float:
    return float(np.mean([item["rank"] for item in items if _topic(item) == topic]))


def _best_place(items: list[dict[str, Any]], topic: int) -> int:
    return min(int(item["rank"]) for item in items if _topic(item) == topic)
