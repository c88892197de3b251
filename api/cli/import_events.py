"""`paperfeed import-events`: readers' history from a file or standard input."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Final

import click
import orjson
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from api.cli.loading import Meter, Pace, Rejects, open_database, open_input, rejects_path, size_of
from api.services.history_import import HistoryCounts, KnownIds, record_history
from api.settings import read_settings
from api.sources.history import HistoryRow, NoHistory, parse_history
from api.sources.records import RejectedLine
from api.store.tables import EPOCH, ONE_MICROSECOND

EXIT_UNREADABLE: Final = 1
EXIT_SOME_REJECTED: Final = 3
FIRST_CHUNK: Final = 500  # rows, before anything is known about the machine
SMALLEST_CHUNK: Final = 50
LARGEST_CHUNK: Final = 20_000  # rows
SORTED_ROWS: Final = 50_000  # in memory, twice: about 60 MB
CHUNK_SECONDS: Final = 0.07  # of one write transaction: well under the 200 ms after which event intake would feel it

_READER: Final = attrgetter("external_user")


class HistoryImport:
    """One run over one stream: chunks of rows go to the database, bad lines to the rejects."""

    def __init__(self, pace: Pace, rejects: Rejects, meter: Meter) -> None:
        self.inserted = self.duplicates = self.readers_created = 0
        self._pace = pace
        self._rejects = rejects
        self._meter = meter
        self._known = KnownIds()

    def run(self, found: Iterable[HistoryRow | RejectedLine]) -> None:
        """Write all of a stream."""
        size = FIRST_CHUNK
        chunk: list[HistoryRow] = []
        for row in reader_by_reader(self._accepted(found)):
            chunk.append(row)
            if len(chunk) >= size:
                self._write(chunk)
                size = _next_size(size, seconds=self._pace.seconds)
                chunk = []
        if chunk:
            self._write(chunk)

    @property
    def landed(self) -> int:
        """Rows that are in the database now."""
        return self.inserted + self.duplicates

    def _accepted(self, found: Iterable[HistoryRow | RejectedLine]) -> Iterator[HistoryRow]:
        for item in found:
            if isinstance(item, RejectedLine):
                self._reject(item)
                self._meter.add(1)
            else:
                yield item

    def _write(self, chunk: list[HistoryRow]) -> None:
        try:
            counts = self._commit(chunk)
        except DBAPIError:  # a paper was removed, or another writer was first: a second look with fresh eyes
            self._known.clear()
            counts = self._commit(chunk)
        self.inserted += counts.inserted
        self.duplicates += counts.duplicates
        self.readers_created += counts.readers_created
        for rejected in counts.rejected:
            self._reject(rejected)
        self._meter.add(len(chunk))

    def _commit(self, chunk: list[HistoryRow]) -> HistoryCounts:
        with self._pace.write() as session:
            return record_history(session, chunk, now=datetime.now(UTC), known=self._known)

    def _reject(self, rejected: RejectedLine) -> None:
        self._rejects.write(line=rejected.line, reason=rejected.reason, text=rejected.text)


def reader_by_reader(rows: Iterator[HistoryRow]) -> Iterator[HistoryRow]:
    """Give the rows sorted by reader within a window, in their order for each reader.

    A chunk with few readers touches few pages of the log's indexes, which lie by reader: several times fewer than rows
    in the order of time. For each row given one is taken in, so the work of parsing stays between the transactions.
    """
    arriving = list(islice(rows, SORTED_ROWS))
    while arriving:
        waiting, arriving = sorted(arriving, key=_READER), []
        for row in waiting:
            arriving += islice(rows, 1)
            yield row


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
            Pace(database) as pace,
            rejects,
            Meter(total_bytes=size_of(file)) as meter,
        ):
            loaded = HistoryImport(pace, rejects, meter)
            loaded.run(parse_history(meter.chunks(stream), latest=(latest - EPOCH) // ONE_MICROSECOND))
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
