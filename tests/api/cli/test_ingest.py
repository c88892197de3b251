"""The command that loads papers: counts, rejects, exit codes, and manners towards other writers."""

import io
import json
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from api.cli.ingest import Ingest, command
from api.cli.loading import (
    CHUNK_SECONDS,
    FIRST_CHUNK,
    LARGEST_CHUNK,
    SMALLEST_CHUNK,
    Meter,
    Pace,
    Rejects,
    next_chunk_size,
    open_database,
)
from api.settings import read_settings
from api.sources.detect import parse_stream
from api.store.engine import Database
from api.store.papers import count_papers, paper_ids_of
from api.store.state import write_state
from tests.benchmarks.ingest import snapshot_lines
from tests.shared import shared_data

GOOD = [{"id": f"p{n}", "title": f"Paper {n}"} for n in range(3)]


class Outcome(NamedTuple):
    exit_code: int
    counts: dict[str, int]
    stderr: str


def ingest(*arguments: str, stdin: bytes | None = None) -> Outcome:
    result = CliRunner().invoke(command, arguments, input=stdin, catch_exceptions=False)
    return Outcome(result.exit_code, json.loads(result.stdout.splitlines()[-1]), result.stderr)


def write_lines(path: Path, *values: object) -> str:
    path.write_bytes(b"".join((value if isinstance(value, bytes) else orjson.dumps(value)) + b"\n" for value in values))
    return str(path)


def counts(inserted: int = 0, updated: int = 0, unchanged: int = 0, rejected: int = 0) -> dict[str, int]:
    return {"inserted": inserted, "updated": updated, "unchanged": unchanged, "rejected": rejected}


def test_everything_lands_on_a_fresh_folder_and_again_changes_nothing(installation: Path) -> None:
    file = write_lines(installation / "papers.jsonl", *GOOD)
    assert ingest(file)[:2] == (0, counts(inserted=3))
    assert ingest(file)[:2] == (0, counts(unchanged=3))
    write_lines(installation / "papers.jsonl", *GOOD[:2], {"id": "p2", "title": "Paper two"})
    assert ingest(file)[:2] == (0, counts(updated=1, unchanged=2))
    with open_database(read_settings()) as database, database.read() as session:
        assert paper_ids_of(session, ["p0", "p1", "p2"]).keys() == {"p0", "p1", "p2"}


def test_a_bad_line_goes_to_the_rejects_beside_the_input(installation: Path) -> None:
    file = write_lines(installation / "papers.jsonl", GOOD[0], b"oops", GOOD[1], {"id": "x"})
    outcome = ingest(file)
    assert outcome[:2] == (3, counts(inserted=2, rejected=2))
    rejects = installation / "papers.jsonl.rejects.jsonl"
    assert str(rejects) in outcome.stderr
    first, second = map(json.loads, rejects.read_text().splitlines())
    assert (first["line"], first["text"]) == (2, "oops")
    assert "not JSON" in first["reason"]
    assert second == {"line": 4, "reason": "the title is missing", "text": '{"id":"x"}'}


def test_standard_input_works_and_its_rejects_lie_here(installation: Path) -> None:
    lines = orjson.dumps(GOOD[0]) + b"\n" + b"oops"
    assert ingest("-", stdin=lines)[:2] == (3, counts(inserted=1, rejected=1))
    assert (installation / "ingest.rejects.jsonl").exists()


def test_rejects_go_where_they_are_told(installation: Path) -> None:
    ingest("-", "--rejects", "elsewhere.jsonl", stdin=b"oops")
    assert (installation / "elsewhere.jsonl").exists()


@pytest.mark.parametrize("arguments", [("missing.jsonl",), ("data",), ("-",)])
def test_where_nothing_can_be_read_one_line_says_so(installation: Path, arguments: tuple[str, ...]) -> None:
    (installation / "data").mkdir()
    outcome = ingest(*arguments, stdin=b"")
    assert outcome[:2] == (1, counts())
    (line,) = [line for line in outcome.stderr.splitlines() if not line.startswith("made a new database in ")]
    assert line.startswith("paperfeed: ")


def test_only_bad_lines_are_nothing_that_could_be_read(installation: Path) -> None:
    assert ingest("-", stdin=b"oops\nagain")[:2] == (1, counts(rejected=2))


def test_a_named_format_is_used(installation: Path) -> None:
    atom = b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>http://arxiv.org/abs/2401.00001v1</id><title>T</title></entry></feed>"
    assert ingest("-", "--format", "arxiv-atom", stdin=atom)[:2] == (0, counts(inserted=1))
    assert ingest("-", "--format", "huggingface", stdin=b'[{"id": "2401.00001v3", "title": "T"}]')[:2] == (
        0,
        counts(unchanged=1),
    )


@pytest.mark.quality
def test_the_papers_of_a_real_page_load_without_ids(installation: Path) -> None:
    page = shared_data("daily_papers_page") / "papers.jsonl"
    assert ingest(str(page))[:2] == (0, counts(inserted=63))
    assert ingest(str(page))[:2] == (0, counts(unchanged=63))


def test_chunks_grow_and_shrink_with_the_time_they_take() -> None:
    assert next_chunk_size(FIRST_CHUNK, seconds=CHUNK_SECONDS) == FIRST_CHUNK
    assert next_chunk_size(FIRST_CHUNK, seconds=0.0) == 2 * FIRST_CHUNK
    assert next_chunk_size(FIRST_CHUNK, seconds=CHUNK_SECONDS * 4) == FIRST_CHUNK // 4
    assert next_chunk_size(SMALLEST_CHUNK, seconds=60) == SMALLEST_CHUNK
    assert next_chunk_size(LARGEST_CHUNK, seconds=0.0) == LARGEST_CHUNK


def test_another_writer_gets_its_turns_while_papers_are_loaded(sqlite_database: Database, tmp_path: Path) -> None:
    lines = list(snapshot_lines(4_000))
    is_done = threading.Event()

    def load() -> None:
        with Rejects(tmp_path / "rejects") as rejects, Meter(total_bytes=None) as meter:
            Ingest(Pace(sqlite_database), rejects, meter).run(parse_stream(lines))
        is_done.set()

    loader = threading.Thread(target=load)
    began = time.perf_counter()
    loader.start()
    waits: list[float] = []
    while not is_done.is_set():
        started = time.perf_counter()
        with sqlite_database.write() as session:
            write_state(session, "turn", {"n": len(waits)}, now=datetime.now(UTC))
        waits.append(time.perf_counter() - started)
        time.sleep(0.02)
    loader.join()
    took = time.perf_counter() - began
    with sqlite_database.read() as session:
        assert count_papers(session) == 4_000
    assert len(waits) >= 3
    assert sorted(waits)[len(waits) // 2] < took / 3  # without turns, one writer waits for all of it


def test_after_a_bulk_load_everything_is_in_the_database_itself(sqlite_database: Database, tmp_path: Path) -> None:
    began = time.perf_counter()
    with Pace(sqlite_database) as pace, Rejects(tmp_path / "rejects") as rejects, Meter(total_bytes=None) as meter:
        Ingest(pace, rejects, meter).run(parse_stream(snapshot_lines(300)))
    assert 0 < pace.seconds < time.perf_counter() - began
    copy = tmp_path / "copy.db"
    shutil.copy(sqlite_database.engine.url.database or "", copy)  # without its log
    with Database(f"sqlite:///{copy}").read() as session:
        assert count_papers(session) == 300


def test_a_long_stream_is_never_held_in_memory(sqlite_database: Database, tmp_path: Path) -> None:
    """What has been read runs ahead of what has been written by less than a chunk and a buffer."""
    ahead: list[int] = []

    def lines() -> Iterator[bytes]:
        for number, line in enumerate(snapshot_lines(1_500), 1):
            ahead.append(number - ingest_run.counts.landed)
            yield line

    with Rejects(tmp_path / "rejects") as rejects, Meter(total_bytes=None) as meter:
        ingest_run = Ingest(Pace(sqlite_database), rejects, meter)
        ingest_run.run(parse_stream(lines()))
    assert ingest_run.counts.inserted == 1_500
    assert max(ahead) < 1_500


def test_a_database_that_cannot_be_written_ends_in_one_line(
    installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_lines(installation / "papers.jsonl", *GOOD)
    ingest(file)
    with open_database(read_settings()) as database, database.write() as session:
        session.execute(sa.text("ALTER TABLE papers RENAME TO elsewhere"))
    outcome = ingest(file)
    assert outcome[:2] == (1, counts())
    assert "the database cannot be written" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_progress_is_told_now_and_then_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.cli.loading.REPORT_SECONDS", 0.0)
    with Meter(total_bytes=None) as meter:
        assert b"".join(meter.chunks(io.BytesIO(b"abc"))) == b"abc"
        meter.add(1_200)
    assert "1,200 lines" in capsys.readouterr().err
