"""A run of a source: stored answer by answer, gone on with after whatever ends it, put off after failures."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from api.services import sources
from api.services.sources import SourceLost
from api.settings import Settings
from api.store import sources as rows
from api.store.engine import Database
from api.store.tables import Paper
from api.store.tables_sources import Source
from tests.local_server import Asked
from tests.workers.hosts import ATOM, Host, Reply, always, by_day, daily_list, host
from workers import polite
from workers.harvest import Harvest, read_source

Read = Callable[..., Harvest | None]


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody of a test wait for long."""
    monkeypatch.setattr(polite, "PACE_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(polite, "RETRY_SECONDS", 0.02)


@pytest.fixture
def there() -> Iterator[Host]:
    """Return a host that is every source."""
    with host(by_day) as found:
        yield found


@pytest.fixture
def settings(there: Host, tmp_path: Path) -> Settings:
    """Return settings whose sources are all at that host."""
    return Settings(
        data_dir=tmp_path,
        huggingface_url=there.url,
        arxiv_url=there.url,
        arxiv_rss_url=there.url,
        arxiv_oai_url=f"{there.url}/oai",
        semanticscholar_url=there.url,
        semanticscholar_key=SecretStr("a key of the tests"),
        huggingface_pause_seconds=0,
        arxiv_pause_seconds=0,
        semanticscholar_pause_seconds=0,
        upvote_days=4,
        arxiv_categories="cs.AI",
    )


@pytest.fixture
def read(settings: Settings, database: Database) -> Read:
    """Return a function that reads a source of the test database now."""

    def run(name: str = "huggingface", *, seconds: float = 60.0, chosen: Settings = settings) -> Harvest | None:
        with database.write() as session:
            sources.ensure_sources(session, chosen, now=datetime.now(UTC))
            sources.request_run(session, name, now=datetime.now(UTC))
        return read_source(chosen, database, name, seconds=seconds, tries=2)

    return run


def source_of(database: Database, name: str = "huggingface") -> Source:
    with database.read() as session:
        found = rows.load_source(session, name)
    assert found is not None
    return found


def titles(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(sa.select(Paper.title).order_by(Paper.title)))


def test_a_run_stores_what_it_reads_and_says_so(read: Read, database: Database, there: Host) -> None:
    harvest = read()
    assert harvest is not None
    assert (harvest.outcome, harvest.counts["inserted"], harvest.counts["requests"]) == ("done", 12, 5)
    source = source_of(database)
    assert (source.failures, source.failure, source.papers, source.lease_owner) == (0, None, 12, None)
    assert source.success_at is not None
    minutes = (source.due_at - source.success_at) / timedelta(minutes=1)
    assert 25 < minutes < 35
    assert there.most_at_once == 1


def test_reading_again_changes_nothing(read: Read, database: Database) -> None:
    read()
    before = titles(database)
    harvest = read()
    assert harvest is not None
    assert (harvest.counts["inserted"], harvest.counts["updated"], harvest.counts["unchanged"]) == (0, 0, 12)
    assert (titles(database), source_of(database).papers) == (before, 12)


def test_a_source_that_is_not_due_is_left_alone(settings: Settings, read: Read, database: Database) -> None:
    read()
    assert read_source(settings, database, "huggingface", seconds=60) is None


def test_a_run_that_is_out_of_time_goes_on_where_it_was(
    read: Read, database: Database, there: Host, settings: Settings
) -> None:
    there.answer = lambda asked: Reply(by_day(asked).body, pause=0.3)
    first = read(seconds=0.45)
    assert first is not None
    assert first.outcome == "unfinished"
    assert source_of(database).due_at <= datetime.now(UTC)
    so_far = len(there.asked)
    assert 0 < so_far < 5
    there.answer = by_day
    second = read_source(settings, database, "huggingface", seconds=60)
    assert second is not None
    assert (second.outcome, len(there.asked), len(titles(database))) == ("done", 5, 12)


def test_a_host_that_fails_in_the_middle_loses_nothing_that_was_stored(
    read: Read, database: Database, there: Host
) -> None:
    there.answer = lambda asked: by_day(asked) if len(there.asked) < 4 else Reply(b"[{", status=200)
    harvest = read()
    assert harvest is not None
    assert harvest.outcome == "failed"
    assert (len(titles(database)), source_of(database).failures) == (6, 1)
    there.answer = by_day
    again = read()
    assert again is not None
    assert (again.outcome, again.counts["requests"], len(titles(database))) == ("done", 2, 12)
    assert (source_of(database).failures, source_of(database).failing_since) == (0, None)


def test_failures_are_told_once_and_put_the_source_off_further_each_time(
    read: Read, database: Database, there: Host, caplog: pytest.LogCaptureFixture
) -> None:
    there.answer = always(Reply(status=500))
    waits = []
    for failures in (1, 2, 3):
        read()
        source = source_of(database)
        assert source.failures == failures
        waits.append((source.due_at - datetime.now(UTC)).total_seconds())
    assert 250 < waits[0] < 340
    assert 500 < waits[1] < 670
    assert 1000 < waits[2] < 1330
    assert [record.message for record in caplog.records].count("source did not answer") == 1
    assert "500" in (source_of(database).failure or "")


def test_a_source_is_not_asked_before_it_wants_to_be(read: Read, database: Database, there: Host) -> None:
    there.answer = always(Reply(status=503, headers={"Retry-After": "7200"}))
    read()
    assert source_of(database).due_at > datetime.now(UTC) + timedelta(seconds=7100)
    read()  # asked for by hand: its host is left alone all the same
    assert len(there.asked) == 1


def test_two_readers_at_once_are_one(read: Read, database: Database, there: Host, settings: Settings) -> None:
    there.answer = lambda asked: Reply(by_day(asked).body, pause=0.1)
    with database.write() as session:
        sources.ensure_sources(session, settings, now=datetime.now(UTC) - timedelta(hours=1))
    found: list[Harvest | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(read_source(settings, database, "huggingface", seconds=60)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [harvest.outcome for harvest in found if harvest] == ["done"]
    assert len(there.asked) == 5


def test_whoever_lost_the_source_stores_nothing_more(read: Read, database: Database, there: Host) -> None:
    def answer(asked: Asked) -> Reply:
        if len(there.asked) == 2:
            with database.write() as session:
                sources.take_back(session, names=["huggingface"])
        return by_day(asked)

    there.answer = answer
    harvest = read()
    assert harvest is not None
    assert harvest.outcome == "lost"
    assert titles(database) == []


def test_a_lost_lease_is_found_out_in_the_transaction_of_the_papers(
    settings: Settings, sqlite_database: Database
) -> None:
    now = datetime.now(UTC)
    with sqlite_database.write() as session:
        sources.ensure_sources(session, settings, now=now)
        claim = sources.claim_source(
            session, "huggingface", scope="", owner="somebody", now=now + timedelta(hours=1), lease_seconds=5
        )
        assert claim is not None
        sources.take_back(session, names=["huggingface"])
    with pytest.raises(SourceLost), sqlite_database.write() as session:
        sources.move_cursor(session, claim.lease, {"seen": "x"}, seen={})
    assert source_of(sqlite_database).cursor is None


def test_other_categories_begin_anew(read: Read, database: Database, settings: Settings, there: Host) -> None:
    there.answer = always(Reply(ATOM))
    read("arxiv")
    assert source_of(database, "arxiv").cursor
    other = settings.model_copy(update={"arxiv_categories": "cs.AI cs.CL"})
    there.answer = always(Reply(status=500))
    read("arxiv", chosen=other)
    assert source_of(database, "arxiv").cursor is None


def test_answers_that_did_not_change_are_not_sent_again(read: Read, database: Database, there: Host) -> None:
    def answer(asked: Asked) -> Reply:
        tag = f'"{asked.query.get("date")}"'
        if asked.headers.get("if-none-match") == tag:
            return Reply(status=304, headers={"ETag": tag})
        return Reply(by_day(asked).body, headers={"ETag": tag})

    there.answer = answer
    read()
    harvest = read()
    assert harvest is not None
    assert (harvest.outcome, harvest.counts["requests"], harvest.landed) == ("done", 5, 0)
    assert len(source_of(database).seen) == 5


def test_a_parser_that_breaks_leaves_the_source_free(
    read: Read, database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from api.sources import huggingface_daily

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("in a parser")

    monkeypatch.setattr(huggingface_daily, "read", broken)
    harvest = read()
    assert harvest is not None
    assert harvest.problem == "ZeroDivisionError: in a parser"
    assert source_of(database).lease_owner is None
    assert any("could not be understood" in record.message for record in caplog.records)


def test_metadata_is_asked_for_each_paper_once(read: Read, database: Database, there: Host) -> None:
    read()

    def answer(asked: Asked) -> Reply:
        assert asked.headers["x-api-key"] == "a key of the tests"
        ids = orjson.loads(asked.body)["ids"]
        found = [
            {"title": f"Daily paper {int(name[-5:])}", "citationCount": 5, "externalIds": {"ArXiv": name[6:]}}
            for name in ids
        ]
        return Reply(orjson.dumps(found))

    there.answer = answer
    harvest = read("semanticscholar")
    assert harvest is not None
    assert (harvest.outcome, harvest.counts["updated"], harvest.counts["requests"]) == ("done", 12, 1)
    with database.read() as session:
        assert set(session.scalars(sa.select(Paper.citations))) == {5}
    again = read("semanticscholar")
    assert again is not None
    assert (again.outcome, again.counts["requests"]) == ("done", 0)


def test_a_run_ends_when_the_database_goes_away(
    settings: Settings, sqlite_database: Database, there: Host, caplog: pytest.LogCaptureFixture
) -> None:
    with sqlite_database.write() as session:
        sources.ensure_sources(session, settings, now=datetime.now(UTC) - timedelta(hours=1))

    def answer(asked: Asked) -> Reply:
        with sqlite_database.write() as session:
            session.execute(sa.text("ALTER TABLE papers RENAME TO gone"))
        return Reply(by_day(asked).body if "date" in asked.query else daily_list(1))

    there.answer = answer
    started = time.monotonic()
    harvest = read_source(settings, sqlite_database, "huggingface", seconds=60)
    assert harvest is not None
    assert harvest.outcome == "database away"
    assert time.monotonic() - started < 30
    assert source_of(sqlite_database).cursor is None
