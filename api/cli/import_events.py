"""`paperfeed import-events`: readers' history from a file or standard input."""

import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
import orjson
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from api.cli.loading import Meter, Rejects, open_database, open_input, rejects_path, size_of
from api.services.history_import import HistoryCounts, KnownIds, record_history
from api.settings import read_settings
from api.sources.history import HistoryRow, NoHistory, parse_history
from api.sources.records import RejectedLine
from api.store.engine import Database
from api.store.event_import import begin_bulk, end_bulk
from api.store.tables import EPOCH, ONE_MICROSECOND

EXIT_UNREADABLE: Final = 1
EXIT_SOME_REJECTED: Final = 3
FIRST_CHUNK: Final = 500  # rows, before anything is known about the machine
SMALLEST_CHUNK: Final = 50
LARGEST_CHUNK: Final = 20_000  # rows in memory
CHUNK_SECONDS: Final = 0.1  # of one write transaction: under the 200 ms after which event intake would feel it


class HistoryImport:
    """One run over one stream: chunks of rows go to the database, bad lines to the rejects."""

    def __init__(self, database: Database, rejects: Rejects, meter: Meter) -> None:
        self.inserted = self.duplicates = self.readers_created = 0
        self._database = database
        self._rejects = rejects
        self._meter = meter
        self._known = KnownIds()

    def run(self, found: Iterable[HistoryRow | RejectedLine]) -> None:
        """Write all of a stream; parsing the next chunk leaves the database to other writers."""
        size = FIRST_CHUNK
        chunk: list[HistoryRow] = []
        for item in found:
            if isinstance(item, RejectedLine):
                self._reject(item)
                self._meter.add(1)
                continue
            chunk.append(item)
            if len(chunk) >= size:
                size = _next_size(size, seconds=self._write(chunk))
                chunk = []
        if chunk:
            self._write(chunk)

    @property
    def landed(self) -> int:
        """Rows that are in the database now."""
        return self.inserted + self.duplicates

    def _write(self, chunk: list[HistoryRow]) -> float:
        try:
            seconds, counts = self._commit(chunk)
        except DBAPIError:  # a paper was removed, or another writer was first: a second look with fresh eyes
            self._known.clear()
            seconds, counts = self._commit(chunk)
        self.inserted += counts.inserted
        self.duplicates += counts.duplicates
        self.readers_created += counts.readers_created
        for rejected in counts.rejected:
            self._reject(rejected)
        self._meter.add(len(chunk))
        return seconds

    def _commit(self, chunk: list[HistoryRow]) -> tuple[float, HistoryCounts]:
        with self._database.write() as session:
            started = time.perf_counter()
            counts = record_history(session, chunk, now=datetime.now(UTC), known=self._known)
        return time.perf_counter() - started, counts

    def _reject(self, rejected: RejectedLine) -> None:
        self._rejects.write(line=rejected.line, reason=rejected.reason, text=rejected.text)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--rejects",
    "rejects_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where lines go that cannot be taken [default: FILE.rejects.jsonl].",
)
def command(file: Path, rejects_file: Path | None) -> None:
    """Load history from FILE, or from standard input for `-`: CSV with a header, or JSON lines.

    Columns: user_id, paper_id, and if known kind (else save), occurred_at (ISO 8601 or seconds since 1970), value, id.
    Ends with one JSON line of counts; exit code 0: all landed, 3: some were rejected, 1: nothing could be read.
    """
    settings = read_settings()
    latest = datetime.now(UTC) + timedelta(hours=settings.future_tolerance_hours)
    loaded, rejects, problem = None, Rejects(rejects_file or rejects_path(file, command="import-events")), None
    try:
        with (
            open_database(settings) as database,
            open_input(file) as stream,
            rejects,
            Meter(total_bytes=size_of(file)) as meter,
        ):
            loaded = HistoryImport(database, rejects, meter)
            begin_bulk(database)
            loaded.run(parse_history(meter.chunks(stream), latest=(latest - EPOCH) // ONE_MICROSECOND))
            end_bulk(database)
    except NoHistory as error:
        problem = f"{file}: {error}"
    except OSError as error:
        problem = f"{error.filename or file}: {error.strerror or error}"
    except SQLAlchemyError as error:
        problem = f"the database cannot be written: {str(error).splitlines()[0]}"
    if problem is None and loaded is not None and not loaded.landed and not rejects.count:
        problem = f"{file}: no events in it"
    sys.exit(_report(loaded, rejects, problem=problem))


def _next_size(size: int, *, seconds: float) -> int:
    fitting = round(size * CHUNK_SECONDS / max(seconds, 1e-6))
    return max(SMALLEST_CHUNK, min(fitting, size * 2, LARGEST_CHUNK))


def _report(loaded: HistoryImport | None, rejects: Rejects, *, problem: str | None) -> int:
    """Print the counts and return the exit code."""
    if rejects.count:
        click.echo(f"{rejects.count} rejected: see {rejects.path}", err=True)
    if problem is not None:
        click.echo(f"paperfeed: {problem}", err=True)
    line = {
        "inserted": loaded.inserted if loaded else 0,
        "duplicates": loaded.duplicates if loaded else 0,
        "rejected": rejects.count,
        "readers_created": loaded.readers_created if loaded else 0,
    }
    click.echo(orjson.dumps(line).decode())
    if problem is not None or loaded is None or not loaded.landed:
        return EXIT_UNREADABLE
    return EXIT_SOME_REJECTED if rejects.count else 0
