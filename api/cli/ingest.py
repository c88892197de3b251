"""`paperfeed ingest`: papers from a file or standard input."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import orjson
from sqlalchemy.exc import SQLAlchemyError

from api.cli.loading import (
    FIRST_CHUNK,
    Meter,
    Pace,
    Rejects,
    next_chunk_size,
    open_database,
    open_input,
    rejects_path,
    size_of,
)
from api.services.catalog import IngestCounts, record_papers
from api.settings import read_settings
from api.sources.detect import FORMATS, parse_stream
from api.sources.records import PaperRecord, RejectedLine

EXIT_UNREADABLE: Final = 1
EXIT_SOME_REJECTED: Final = 3
ANY_FORMAT: Final = "auto"


class Ingest:
    """One run over one stream: chunks of papers go to the database, bad lines to the rejects."""

    def __init__(self, pace: Pace, rejects: Rejects, meter: Meter) -> None:
        self.counts = IngestCounts()
        self._pace = pace
        self._rejects = rejects
        self._meter = meter

    def run(self, found: Iterable[PaperRecord | RejectedLine]) -> None:
        """Write all of a stream, each chunk in a transaction of its own."""
        size = FIRST_CHUNK
        chunk: list[PaperRecord] = []
        for record in self._accepted(found):
            chunk.append(record)
            if len(chunk) >= size:
                self._write(chunk)
                size = next_chunk_size(size, seconds=self._pace.seconds)
                chunk = []
        if chunk:
            self._write(chunk)

    def _accepted(self, found: Iterable[PaperRecord | RejectedLine]) -> Iterator[PaperRecord]:
        for item in found:
            if isinstance(item, PaperRecord):
                yield item
            else:
                self._rejects.write(line=item.line, reason=item.reason, text=item.text)
                self._meter.add(1)

    def _write(self, chunk: list[PaperRecord]) -> None:
        with self._pace.write() as session:
            counts = record_papers(session, chunk, now=datetime.now(UTC))
        self.counts += counts
        self._meter.add(len(chunk))


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--format",
    "format_name",
    type=click.Choice([ANY_FORMAT, *FORMATS]),
    default=ANY_FORMAT,
    show_default=True,
    help="What the file holds; `auto` recognises it.",
)
@click.option(
    "--rejects",
    "rejects_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where lines go that are no papers [default: FILE.rejects.jsonl].",
)
def command(file: Path, format_name: str, rejects_file: Path | None) -> None:
    """Load papers from FILE, or from standard input for `-`.

    Ends with one JSON line of counts; exit code 0: all landed, 3: some were rejected, 1: nothing could be read.
    """
    counts, rejected, problem = IngestCounts(), 0, None
    try:
        with (
            open_input(file) as stream,
            open_database(read_settings()) as database,
            Pace(database) as pace,
            Rejects(rejects_file or rejects_path(file, command="ingest")) as rejects,
            Meter(total_bytes=size_of(file)) as meter,
        ):
            ingest = Ingest(pace, rejects, meter)
            try:
                name = None if format_name == ANY_FORMAT else format_name
                ingest.run(parse_stream(meter.chunks(stream), name=name))
            finally:
                counts, rejected = ingest.counts, rejects.count
    except OSError as error:
        problem = f"{error.filename or file}: {error.strerror or error}"
    except SQLAlchemyError as error:
        problem = f"the database cannot be written: {str(error).splitlines()[0]}"
    if rejected:
        click.echo(f"{rejected} rejected: see {rejects.path}", err=True)
    if counts.inserted or counts.updated:
        _hint_at_vectors()
    if problem is None and not counts.landed and not rejected:
        problem = f"{file}: no papers in it"
    sys.exit(_report(counts, rejected, problem=problem))


def _hint_at_vectors() -> None:
    """Let a worker encode the new papers now; without this it finds them within a minute."""
    if read_settings().sentence_encoder:
        from api import queue

        queue.send(queue.EMBED_PAPERS)


def _report(counts: IngestCounts, rejected: int, *, problem: str | None) -> int:
    """Print the counts and return the exit code."""
    if problem is not None:
        click.echo(f"paperfeed: {problem}", err=True)
    line = {
        "inserted": counts.inserted,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "rejected": rejected,
    }
    click.echo(orjson.dumps(line).decode())
    if problem is not None or not counts.landed:
        return EXIT_UNREADABLE
    return EXIT_SOME_REJECTED if rejected else 0
