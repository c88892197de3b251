"""The first start: real papers where a network answers, the demonstration where it does not, never twice."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa

from api.services.catalog import record_papers
from api.settings import Settings, read_settings
from api.sources.demo import build_demonstration
from api.sources.records import PaperRecord
from api.store.engine import Database
from api.store.papers import count_papers
from api.store.state import read_state, write_state
from api.store.tables import Event, Paper, TrainingRun, User
from api.store.tables_sources import Source
from tests.local_server import Asked
from tests.workers.hosts import ATOM, Reply, always, host
from workers import first_start
from workers.first_start import DEMONSTRATION, FETCHING, FINISHED, STATE_KEY, start_first

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
TODAY = datetime.now(UTC)


def answer_well(asked: Asked) -> Reply:
    if asked.path != "/api/daily_papers":
        return Reply(ATOM)
    day = asked.query.get("date", f"{TODAY:%Y-%m-%d}")
    paper = {"id": f"{day[2:4]}{day[5:7]}.1{day[8:]}00", "title": f"Daily {day}", "submittedOnDailyAt": f"{day}T01:00Z"}
    return Reply(orjson.dumps([{"paper": paper, "numComments": 1}]))


@pytest.fixture
def network(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of a server that answers as the test's parameter says."""
    with host(request.param) as found:
        yield found.url


def settings_for(tmp_path: Path, address: str = "http://127.0.0.1:9", *, seconds: float = 60.0) -> Settings:
    return Settings(
        data_dir=tmp_path,
        huggingface_url=address,
        arxiv_url=address,
        huggingface_pause_seconds=0,
        arxiv_pause_seconds=0,
        first_start_seconds=seconds,
    )


@pytest.fixture
def small_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the demonstration small, which changes its size alone."""
    monkeypatch.setattr(first_start, "build_demonstration", lambda now: build_demonstration(now, papers=120, readers=5))


def titles(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.scalars(sa.select(Paper.title)))


def stage(database: Database) -> dict[str, object]:
    with database.read() as session:
        return read_state(session, STATE_KEY) or {}


def runs(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(sa.select(TrainingRun.trigger)))


@pytest.mark.parametrize("network", [answer_well], indirect=True)
def test_papers_come_from_both_sources_and_a_model_is_requested(
    network: str, sqlite_database: Database, tmp_path: Path
) -> None:
    start_first(settings_for(tmp_path, network), sqlite_database, is_empty=False)
    found = titles(sqlite_database)
    assert "From arXiv" in found
    assert len([title for title in found if title.startswith("Daily")]) == 8  # today and a week before
    assert runs(sqlite_database) == ["first_start"]
    assert stage(sqlite_database) == {"stage": FINISHED, "empty": False}


@pytest.mark.parametrize("network", [always(Reply(status=503))], indirect=True)
def test_without_papers_from_the_network_there_is_a_demonstration(
    network: str, sqlite_database: Database, tmp_path: Path, small_demo: None, caplog: pytest.LogCaptureFixture
) -> None:
    start_first(settings_for(tmp_path, network), sqlite_database, is_empty=False)
    with sqlite_database.read() as session:
        assert count_papers(session) == 120
        assert session.scalars(sa.select(Paper.is_demo).distinct()).all() == [True]
    assert runs(sqlite_database) == ["first_start"]
    assert [record.message for record in caplog.records].count("source did not answer") == 2
    assert any("demonstration" in record.message for record in caplog.records)


@pytest.mark.parametrize("network", [always(Reply(hang=True))], indirect=True)
def test_a_network_that_hangs_is_left_at_the_deadline_and_brings_nothing_later(
    network: str, sqlite_database: Database, tmp_path: Path, small_demo: None
) -> None:
    started = time.monotonic()
    start_first(settings_for(tmp_path, network, seconds=0.3), sqlite_database, is_empty=False)
    assert time.monotonic() - started < 60
    with sqlite_database.read() as session:
        assert session.scalars(sa.select(Paper.is_demo).distinct()).all() == [True]
        assert session.scalars(sa.select(Source.lease_owner)).all() == [None] * 4


def test_a_network_that_is_away_is_asked_again_later_and_told_once_a_source(
    sqlite_database: Database, tmp_path: Path, small_demo: None, caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    start_first(settings_for(tmp_path), sqlite_database, is_empty=False)
    assert time.monotonic() - started < 60
    assert [record.message for record in caplog.records].count("source did not answer") == 2
    with sqlite_database.read() as session:
        rows = session.scalars(sa.select(Source).where(Source.name.in_(["huggingface", "arxiv"]))).all()
    assert [row.failures for row in rows] == [1, 1]
    assert all(row.due_at > datetime.now(UTC) + timedelta(minutes=3) for row in rows)


def test_a_paused_start_lets_no_source_be_read_until_the_wish_ends(
    sqlite_database: Database, tmp_path: Path, small_demo: None
) -> None:
    settings = settings_for(tmp_path)
    start_first(settings, sqlite_database, is_empty=True, is_paused=True)
    with sqlite_database.read() as session:
        assert session.scalars(sa.select(Source.is_paused)).all() == [True] * 4
    start_first(settings, sqlite_database, is_empty=False)
    with sqlite_database.read() as session:
        assert session.scalars(sa.select(Source.is_paused)).all() == [False] * 4


def test_an_empty_start_stays_empty_until_the_wish_ends(
    sqlite_database: Database, tmp_path: Path, small_demo: None
) -> None:
    settings = settings_for(tmp_path)
    for _ in range(2):
        start_first(settings, sqlite_database, is_empty=True)
        assert (titles(sqlite_database), runs(sqlite_database)) == (set(), [])
        assert stage(sqlite_database) == {"stage": FINISHED, "empty": True}
    start_first(settings, sqlite_database, is_empty=False)
    assert len(titles(sqlite_database)) > 0
    assert stage(sqlite_database) == {"stage": FINISHED, "empty": False}


def test_a_finished_first_start_is_never_repeated(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        write_state(session, STATE_KEY, {"stage": FINISHED, "empty": False}, now=NOW)
    start_first(settings_for(tmp_path), sqlite_database, is_empty=False)
    assert (titles(sqlite_database), runs(sqlite_database)) == (set(), [])


def test_papers_that_are_there_already_are_left_alone(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        record_papers(session, [PaperRecord("Mine", "file", external_id="mine")], now=NOW)
    start_first(settings_for(tmp_path), sqlite_database, is_empty=False)
    assert titles(sqlite_database) == {"Mine"}
    assert runs(sqlite_database) == ["first_start"]


@pytest.mark.parametrize("killed_at", [FETCHING, DEMONSTRATION])
def test_a_first_start_that_was_killed_goes_on(
    sqlite_database: Database, tmp_path: Path, small_demo: None, killed_at: str
) -> None:
    with sqlite_database.write() as session:
        write_state(session, STATE_KEY, {"stage": killed_at, "empty": False}, now=NOW)
    start_first(settings_for(tmp_path), sqlite_database, is_empty=False)
    with sqlite_database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(User)) == 5
        assert (session.scalar(sa.select(sa.func.count()).select_from(Event)) or 0) > 100
    assert stage(sqlite_database)["stage"] == FINISHED


@pytest.mark.parametrize(("arguments", "paused"), [(["--empty"], 0), (["--paused", "--empty"], 4)])
def test_an_empty_start_leaves_the_schedule_alone_unless_it_is_told_to_pause_it(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], paused: int
) -> None:
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PAPERFEED_DATABASE_URL", sqlite_database.url)
    monkeypatch.setattr(first_start, "configure_logging", lambda *_: None)  # pytest's own stays
    read_settings.cache_clear()
    assert first_start.main(arguments) == 0
    with sqlite_database.read() as session:
        assert session.scalars(sa.select(Source.is_paused)).all() == [True] * paused
    read_settings.cache_clear()
