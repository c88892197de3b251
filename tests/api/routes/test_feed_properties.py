"""Pages of a slate over the running service: no paper twice, none left out, whatever happens between them."""

import itertools
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import redis
import sqlalchemy as sa
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from api.runtime.state import Runtime
from api.services.feed import build_list
from api.services.feed_cursors import read_cursor
from api.services.feed_places import cut
from api.services.slates import Slate, open_slate
from api.services.trending import forget_boards
from api.settings import Settings, read_settings
from api.store.engine import Database
from api.store.registry import insert_model_version, load_model_version, write_serving
from api.store.tables import Paper, PaperCategory
from tests.api.feed_world import NOW, VERSION, load_installation, paper_row, register_model

LIST_SIZE: Final = 40
FRESH: Final = range(5000, 5030)
HAPPENINGS: Final = ("rebuild", "switch", "flush", "hide", "save next", "read")
_readers = itertools.cycle(range(1, 61))


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Return settings with a short list, so that pages go past its end, and much chance."""
    changes = {"list_size": LIST_SIZE, "swap_probability": 0.4, "exploration_share": 0.1}
    for name, value in changes.items():
        monkeypatch.setenv(f"PAPERFEED_{name.upper()}", str(value))
    read_settings.cache_clear()
    yield settings.model_copy(update=changes)
    monkeypatch.undo()
    read_settings.cache_clear()


@pytest.fixture
def world(database: Database, settings: Settings, runtime: Runtime) -> Database:
    """Return the database of the running application: readers, new papers, two models of which one answers."""
    load_installation(database)
    listed = datetime.now(UTC) - timedelta(hours=3)
    with database.write() as session:
        rows = [paper_row(at, title=f"common{at % 40}", category="cs.NEW", listed_at=listed) for at in FRESH]
        session.execute(sa.insert(Paper), rows)
        places = [{"category": "cs.NEW", "paper_id": at, "listed_at": listed} for at in FRESH]
        session.execute(sa.insert(PaperCategory), places)
    forget_boards()
    register_model(database, settings.models_dir)
    shutil.copytree(settings.models_dir / VERSION, settings.models_dir / "v2")
    with database.write() as session:
        first = load_model_version(session, VERSION)
        assert first is not None
        assert first.run_id is not None
        facts: Any = {"created_at": NOW, "config": {}, "figures": {}, "note": None, "fingerprint": ""}
        insert_model_version(session, version="v2", run_id=first.run_id, **facts)
    assert runtime.serving.poll() is not None
    return database


@dataclass(slots=True)
class Visit:
    """One reader who reads on while things happen."""

    world: Database
    runtime: Runtime
    client: TestClient
    redis_url: str
    token: str
    number: int
    seen: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "X-User": f"u{self.number}"}

    def read(self, **params: Any) -> dict[str, Any]:
        answer = self.client.get("/v1/feed", headers=self.headers, params=params)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        self.seen += [item["paper"]["id"] for item in page["items"]]
        return page

    def act(self, paper: str, kind: str) -> None:
        event = {"id": str(uuid.uuid4()), "kind": kind, "paper_id": paper, "occurred_at": datetime.now(UTC).isoformat()}
        results = self.client.post("/v1/events", headers=self.headers, json={"events": [event]}).json()["results"]
        assert results[0]["status"] == "accepted"
        self.hidden.add(paper)

    def happen(self, what: str, cursor: str) -> None:
        match what:
            case "rebuild":
                with self.world.read() as session:
                    feed = build_list(
                        session, self.runtime.serving.current, self.number, now=datetime.now(UTC), size=LIST_SIZE
                    )
                self.runtime.feeds.write_list(feed)
            case "switch":
                served = self.runtime.serving.current
                assert served is not None
                with self.world.write() as session:
                    write_serving(session, version="v2" if served.version == VERSION else VERSION, now=NOW)
                assert self.runtime.serving.poll() is not served
            case "flush":
                with redis.Redis.from_url(self.redis_url) as cache:
                    cache.flushdb()
            case "hide":
                self.act(f"p{1000 + len(self.seen) * 7 % 160}", "dismiss")
            case "save next":
                upcoming = self.upcoming(cursor)
                if upcoming:
                    self.act(upcoming[0], "save")
            case _:
                self.client.get("/v1/feed", headers=self.headers)  # a slate of its own, which changes nothing here

    def upcoming(self, cursor: str) -> list[str]:
        """Return what is left of the frozen list."""
        place = read_cursor(self.runtime.keys, cursor, scope=f"feed\0u{self.number}")
        return [f"p{paper_id}" for paper_id in cut(place, hidden=(), limit=1000)[0].paper_ids]


@pytest.fixture
def visit(
    world: Database, runtime: Runtime, client: TestClient, redis_url: str, token_of: Callable[..., str]
) -> Callable[[], Visit]:
    """Return what begins a visit of a reader who has not read yet."""
    token = token_of("read", "write")
    return lambda: Visit(world, runtime, client, redis_url, token, next(_readers))


def catalogue(world: Database) -> set[str]:
    """Return all papers."""
    with world.read() as session:
        return set(session.execute(sa.select(Paper.external_id)).scalars())


def hidden_before(world: Database, number: int) -> set[str]:
    """Return what the reader had saved before the visit."""
    query = sa.text("SELECT paper_id FROM library WHERE user_id = :reader")
    with world.read() as session:
        return {f"p{paper_id}" for paper_id in session.execute(query, {"reader": number}).scalars()}


@given(st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(3, 50)), max_size=12), st.integers(1, 30))
@hypothesis_settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_paper_comes_twice_and_none_is_left_out(
    visit: Callable[[], Visit], steps: list[tuple[str, int]], first: int
) -> None:
    reader = visit()
    before = hidden_before(reader.world, reader.number)
    page = reader.read(limit=first)
    plan = iter(steps)
    slates = [page["slate"]]
    frozen = reader.upcoming(page["next"])
    while page["next"] is not None:
        what, limit = next(plan, ("nothing", 50))
        reader.happen(what, page["next"])
        page = reader.read(limit=limit, cursor=page["next"])
        assert [item["rank"] for item in page["items"]] == list(
            range(len(reader.seen) - len(page["items"]) + 1, len(reader.seen) + 1)
        )
        slates.append(page["slate"])

    assert len(reader.seen) == len(set(reader.seen))
    assert set(reader.seen) >= catalogue(reader.world) - before - reader.hidden
    assert set(reader.seen).isdisjoint(before)
    rest = reader.seen[first:]
    assert [paper for paper in frozen if paper in rest] == rest[: len(set(frozen) & set(rest))]
    opened = [open_slate(reader.runtime.keys, text, now=datetime.now(UTC), days=1) for text in slates]
    assert all(isinstance(slate, Slate) for slate in opened)
    assert len({slate.slate_id for slate in opened if isinstance(slate, Slate)}) == 1
    told = [paper_id for slate in opened if isinstance(slate, Slate) for paper_id in slate.papers]
    assert [f"p{paper_id}" for paper_id in told] == reader.seen


def test_two_visits_are_two_slates_of_the_same_list(visit: Callable[[], Visit]) -> None:
    reader = visit()
    slates = set()
    orders = set()
    for _ in range(8):
        page = reader.read(limit=20)
        opened = open_slate(reader.runtime.keys, page["slate"], now=datetime.now(UTC), days=1)
        assert isinstance(opened, Slate)
        slates.add(opened.slate_id)
        orders.add(tuple(opened.papers))
        drawn = [shown for shown in opened.papers.values() if shown.source.name == "FRESH"]
        assert [shown.position for shown in drawn] == [5, 15]
        assert all(shown.propensity == 1 / 20 for shown in drawn)
    assert len(slates) == 8
    assert len(orders) > 1


def test_a_common_list_of_nobody_is_certain(
    world: Database, client: TestClient, runtime: Runtime, token_of: Callable[..., str]
) -> None:
    page = client.get("/v1/feed", headers={"Authorization": f"Bearer {token_of('read')}"}).json()
    slate = open_slate(runtime.keys, page["slate"], now=datetime.now(UTC), days=1)
    assert isinstance(slate, Slate)
    assert slate.user_id == 0
    assert {shown.propensity for shown in slate.papers.values()} == {1.0}


def test_a_filtered_list_swaps_but_draws_nothing(visit: Callable[[], Visit]) -> None:
    reader = visit()
    page = reader.read(limit=30, exclude="p1000")
    slate = open_slate(reader.runtime.keys, page["slate"], now=datetime.now(UTC), days=1)
    assert isinstance(slate, Slate)
    assert {shown.source.name for shown in slate.papers.values()} == {"PERSONAL"}
    assert {shown.propensity for shown in slate.papers.values()} <= {1.0 - 0.4, 1.0 - 0.4 / 2, 0.4 / 2}
