"""The first start: real papers where a network answers, the demonstration where it does not, never twice."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from api.services.catalog import record_papers
from api.settings import Settings
from api.sources.demo import build_demonstration
from api.sources.records import PaperRecord
from api.store.engine import Database
from api.store.papers import count_papers
from api.store.state import read_state, write_state
from api.store.tables import Event, Paper, TrainingRun, User
from workers import first_start
from workers.fetching import fetch_recent
from workers.first_start import DEMONSTRATION, FETCHING, FINISHED, STATE_KEY, start_first

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
TODAY = date(2026, 3, 14)
ATOM = (
    b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>http://arxiv.org/abs/2603.00001v1</id>"
    b"<title>From arXiv</title><published>2026-03-13T00:00:00Z</published><category term='cs.AI'/></entry></feed>"
)
IS_OVER = threading.Event()  # the test whose network hangs
Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


def answer_well(request: http.server.BaseHTTPRequestHandler) -> None:
    address = urlsplit(request.path)
    if address.path == "/api/daily_papers":
        day = parse_qs(address.query).get("date", ["2026-03-14"])[0]
        paper = {
            "id": f"{day[2:4]}{day[5:7]}.1{day[8:]}00",
            "title": f"Daily {day}",
            "submittedOnDailyAt": f"{day}T01:00:00Z",
        }
        body = json.dumps([{"paper": paper, "numComments": 1}]).encode()
    else:
        body = ATOM
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def answer_badly(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(503)
    request.send_header("Content-Length", "0")
    request.end_headers()


def answer_never(request: http.server.BaseHTTPRequestHandler) -> None:
    IS_OVER.wait(120)


@pytest.fixture
def network(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of a server that answers as the test's parameter says."""
    answer: Answer = request.param

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        IS_OVER.clear()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        IS_OVER.set()
        server.shutdown()


def settings_for(tmp_path: Path, address: str = "http://127.0.0.1:9", *, seconds: float = 60.0) -> Settings:
    return Settings(data_dir=tmp_path, huggingface_url=address, arxiv_url=address, first_start_seconds=seconds)


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
    assert len([title for title in found if title.startswith("Daily")]) == 7
    assert runs(sqlite_database) == ["first_start"]
    assert stage(sqlite_database) == {"stage": FINISHED, "empty": False}


@pytest.mark.parametrize("network", [answer_badly], indirect=True)
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


@pytest.mark.parametrize("network", [answer_never], indirect=True)
def test_a_network_that_hangs_is_left_at_the_deadline(network: str, tmp_path: Path) -> None:
    started = time.monotonic()
    settings = settings_for(tmp_path, network)
    answers = list(fetch_recent(settings, today=TODAY, seconds=0.3))
    assert time.monotonic() - started < 60
    assert [answer.papers for answer in answers] == [()]
    assert "no further answer" in (answers[0].problem or "")


def test_a_network_that_is_away_says_so_at_once(tmp_path: Path) -> None:
    answers = list(fetch_recent(settings_for(tmp_path), today=TODAY, seconds=10))
    assert {answer.source for answer in answers} == {"Hugging Face daily papers", "arXiv"}
    assert all(answer.problem and not answer.papers for answer in answers)


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
