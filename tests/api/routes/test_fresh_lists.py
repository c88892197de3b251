"""Papers that came after a list was built: who asks for the list gets one with them, and pays no SQL before that."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes import feed_lists, hot_feed
from api.runtime import serving
from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import Paper
from tests.api.feed_world import LONG_AGO, VERSION, paper_row, planted

NEW = 5000


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; what is shown here does not depend on its kind."""
    return sqlite_database


def add_paper(database: Database, runtime: Runtime, *, ago: timedelta, paper_id: int = NEW) -> None:
    """Store a paper of the first reader's topic that came a while ago, and let the model learn of it."""
    topic = int(planted().topic_of_reader[0])
    row = paper_row(paper_id, title=f"topic{topic}word1 topic{topic}word2", category="cs.T0", listed_at=LONG_AGO)
    with database.write() as session:
        session.execute(sa.insert(Paper), [row | {"created_at": datetime.now(UTC) - ago}])
    runtime.serving._rests_until = 0.0  # it looks whenever it is told to here
    runtime.serving.poll()


def listed(runtime: Runtime) -> set[int]:
    """Return the papers of the first reader's prepared list."""
    found = runtime.feeds.read_list(1, version=VERSION)
    return set() if found is None else {*found.paper_ids, *found.pool}


def test_a_list_from_before_settled_papers_is_built_anew_when_asked_for(
    world: Database, runtime: Runtime, client: TestClient, as_u1: dict[str, str]
) -> None:
    first = client.get("/v1/feed", headers=as_u1).json()
    add_paper(world, runtime, ago=timedelta(seconds=0))
    assert client.get("/v1/feed", headers=as_u1).json()["built_at"] == first["built_at"]  # others are at it
    runtime.serving._news_settle_at = datetime.now(UTC)
    runtime.serving.poll()
    assert client.get("/v1/feed", headers=as_u1).json()["built_at"] > first["built_at"]
    assert NEW in listed(runtime)


def test_a_list_that_was_built_anew_is_a_hit_again(
    world: Database, runtime: Runtime, client: TestClient, as_u1: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead: list[bool] = []
    answer = hot_feed._answer

    async def noted(scope: Any) -> Any:
        found = await answer(scope)
        ahead.append(found is not None)
        return found

    monkeypatch.setattr(hot_feed, "_answer", noted)
    with world.read() as session:
        runtime.papers.load(list(session.scalars(sa.select(Paper.paper_id))))
    client.get("/v1/feed", headers=as_u1)
    add_paper(world, runtime, ago=timedelta(hours=1))
    runtime.serving._settled_at = datetime.now(UTC)  # the list above was built a moment ago
    runtime.papers.load([NEW])
    for _ in range(3):
        client.get("/v1/feed", headers=as_u1)
    assert ahead == [False, False, True, True]


def test_papers_that_came_before_a_list_was_built_leave_it_alone(
    world: Database, runtime: Runtime, client: TestClient, as_u1: dict[str, str]
) -> None:
    first = client.get("/v1/feed", headers=as_u1).json()
    add_paper(world, runtime, ago=timedelta(hours=1))  # and the process learns of it only now
    assert client.get("/v1/feed", headers=as_u1).json()["built_at"] == first["built_at"]


def test_without_a_free_slot_the_list_is_shown_once_more_and_a_worker_is_told(
    world: Database, runtime: Runtime, client: TestClient, as_u1: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get("/v1/feed", headers=as_u1).json()
    runtime.serving._settled_at = datetime.now(UTC)
    slots = feed_lists._build_slots(runtime.settings.feed_build_slots)
    taken = [slots.acquire() for _ in range(runtime.settings.feed_build_slots)]
    told: list[int] = []
    monkeypatch.setattr(type(runtime.hints), "refresh", lambda _, user_id, *, is_active: told.append(user_id))
    try:
        assert client.get("/v1/feed", headers=as_u1).json()["built_at"] == first["built_at"]
    finally:
        for _ in taken:
            slots.release()
    assert told == [1]


def test_papers_that_come_one_after_another_settle_all_the_same(world: Database, runtime: Runtime) -> None:
    add_paper(world, runtime, ago=serving.NEWS_SETTLES - timedelta(seconds=5))
    due = runtime.serving._news_settle_at
    add_paper(world, runtime, ago=timedelta(0), paper_id=NEW + 1)
    assert due is not None
    assert runtime.serving._news_settle_at == due
