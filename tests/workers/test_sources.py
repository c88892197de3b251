"""The tasks that read sources: what is due is queued once, read once, gone on with."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from api import queue
from api.runtime.owner import name_this_process
from api.runtime.state import build_runtime
from api.services import sources
from api.settings import Settings
from api.store.engine import Database
from api.store.servers import read_queue_lengths
from api.store.tables import Paper
from api.store.tables_sources import Source
from tests.local_server import Asked
from tests.workers.hosts import Host, Reply, daily_list, host
from tests.workers.in_process import asking_worker
from workers import processes, source_plans
from workers.source_plans import oai_set, plan_of
from workers.sources import read_one_source, sweep_sources


def by_day(asked: Asked) -> Reply:
    day = asked.query.get("date")
    return Reply(daily_list(int(day[-2:])) if day else b"[]", pause=0.05)


@pytest.fixture
def there() -> Iterator[Host]:
    """Return a host of daily papers."""
    with host(by_day) as found:
        yield found


@pytest.fixture
def settings(
    there: Host, sqlite_database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Return the settings of a worker process whose only source is that host."""
    own = {"sources": "huggingface", "huggingface_url": there.url, "huggingface_pause_seconds": 0, "upvote_days": 3}
    with asking_worker(sqlite_database, redis_url, tmp_path, monkeypatch, **own) as runtime:
        yield runtime.settings


def waiting(settings: Settings) -> int:
    found = read_queue_lengths(settings.resolved_broker_url, (queue.SOURCES_QUEUE,))
    assert found is not None
    return found[queue.SOURCES_QUEUE]


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Paper)) or 0


def read_at(database: Database) -> datetime | None:
    """Return when the source was last read to its end."""
    with database.read() as session:
        return session.scalar(sa.select(Source.success_at))


def test_what_is_due_is_queued_once_while_no_worker_takes_it(settings: Settings) -> None:
    assert sweep_sources() == ["huggingface"]
    assert sweep_sources() == []
    assert waiting(settings) == 1


def test_a_run_that_was_queued_twice_happens_once(settings: Settings, sqlite_database: Database, there: Host) -> None:
    sweep_sources()
    threads = [threading.Thread(target=read_one_source, args=("huggingface",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    read_one_source("huggingface")
    assert (len(there.asked), count(sqlite_database)) == (4, 3)
    assert sweep_sources() == []


def test_what_is_left_of_a_run_is_queued(settings: Settings, sqlite_database: Database, there: Host) -> None:
    processes.runtime().db.dispose()
    short = build_runtime(settings.model_copy(update={"source_run_seconds": 0.08}))
    processes._runtime = short
    sweep_sources()
    before = waiting(settings)
    read_one_source("huggingface")
    assert waiting(settings) == before + 1
    until = time.monotonic() + 30
    while read_at(sqlite_database) is None and time.monotonic() < until:
        read_one_source("huggingface")
    assert (len(there.asked), count(sqlite_database)) == (4, 3)
    short.close()


def test_a_source_of_others_is_not_read(settings: Settings, there: Host, caplog: pytest.LogCaptureFixture) -> None:
    read_one_source("arxiv")
    assert there.asked == []
    assert any("not one of this installation" in record.message for record in caplog.records)


def test_a_source_whose_reader_died_is_read_again_by_the_next_look(
    settings: Settings, sqlite_database: Database
) -> None:
    now = datetime.now(UTC)
    with sqlite_database.write() as session:
        sources.ensure_sources(session, settings, now=now - timedelta(hours=1))
        owner = "/".join([name_this_process().rsplit("/", 2)[0], "999999", "1.00"])
        sources.claim_source(session, "huggingface", scope="", owner=owner, now=now, lease_seconds=3600)
    assert sweep_sources() == ["huggingface"]
    with sqlite_database.read() as session:
        until = session.scalar(sa.select(Source.lease_until))
    assert until is not None
    assert until < now


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("cs.AI", "cs:cs:AI"),
        ("hep-th", "physics:hep-th"),
        ("astro-ph.GA", "physics:astro-ph:GA"),
        ("q-bio.NC", "q-bio:q-bio:NC"),
    ],
)
def test_categories_are_sets_of_the_harvest(category: str, name: str) -> None:
    assert oai_set(category) == name


def test_every_source_has_a_plan_and_those_of_arxiv_share_their_pace() -> None:
    settings = Settings(semanticscholar_key=SecretStr("a"), openalex_key=SecretStr("b"))
    plans = {name: plan_of(settings, name) for name in settings.active_sources}
    assert set(plans) == set(source_plans._PLANNERS) == set(sources.intervals(settings))
    paces = {name: plan.manners.pace for name, plan in plans.items()}
    assert [name for name, pace in paces.items() if pace == "arxiv"] == ["arxiv", "arxiv-rss", "arxiv-oai"]
    assert len(set(paces.values())) == 4
    assert plans["arxiv"].manners.pause_seconds == 3.0
    started = time.perf_counter()
    asks = [plan.about(("2605.00001",)).first(None, now=datetime.now(UTC)) for plan in plans.values()]
    assert all(ask is not None and ask.url.startswith("https://") for ask in asks)
    assert time.perf_counter() - started < 5
