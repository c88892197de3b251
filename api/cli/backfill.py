"""`paperfeed backfill`: whole archives of papers, beside the running service, resumable at any moment."""

import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

import click
import orjson
from sqlalchemy.exc import SQLAlchemyError

from api.cli.loading import FIRST_CHUNK, Meter, Pace, Rejects, next_chunk_size, open_database, rejects_path
from api.errors import Conflict
from api.services import backfill
from api.services.backfill import Part, Position
from api.settings import read_settings
from api.sources.archive import Archive, CutOff, Line, fingerprint_of
from api.sources.records import PaperRecord, RejectedLine
from api.sources.snapshot import parse_line
from api.store.engine import Database

EXIT_BROKEN_OFF: Final = 1
EXIT_SOME_REJECTED: Final = 3


@dataclass(slots=True)
class Backfill:
    """One run over an archive: each part of it goes to the database together with the place behind it."""

    pace: Pace
    rejects: Rejects
    meter: Meter
    position: Position

    def run(self, archive: Archive) -> None:
        """Load the rest of the archive."""
        size = FIRST_CHUNK
        lines = archive.lines(offset=self.position.offset, number=self.position.line)
        if self.position.line:
            self.meter.begin_at(archive.bytes_read, lines=self.position.line)
        while part := list(islice(lines, size)):
            self._load(part)
            self.meter.reach(archive.bytes_read)
            self.meter.add(len(part))
            size = next_chunk_size(size, seconds=self.pace.seconds)
        with self.pace.write() as session:
            self.position = backfill.finish(session, self.position, now=datetime.now(UTC))

    def _load(self, lines: list[Line]) -> None:
        before = self.rejects.count
        records = list(self._accepted(lines))
        self.rejects.flush()  # rather twice than not at all
        rejected = self.rejects.count - before
        part = Part(records, rejected=rejected, offset=lines[-1].end, line=lines[-1].number)
        with self.pace.write() as session:
            self.position = backfill.record_part(session, self.position, part, now=datetime.now(UTC))

    def _accepted(self, lines: list[Line]) -> Iterator[PaperRecord]:
        for line in lines:
            if line.data.isspace():
                continue
            found = parse_line(line.number, line.data)
            if line.problem is not None:
                found = RejectedLine(line.number, line.problem, line.data.decode(errors="replace"))
            if isinstance(found, PaperRecord):
                yield found
            else:
                self.rejects.write(line=found.line, reason=found.reason, text=found.text)


@click.group()
def command() -> None:
    """Load a whole archive of papers beside the running service."""


@command.command()
@click.option(
    "--snapshot",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="arXiv's metadata snapshot: JSON lines, plain or gzipped.",
)
@click.option("--restart", is_flag=True, help="Begin at the first line whatever was loaded before.")
@click.option(
    "--rejects",
    "rejects_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where lines go that are no papers [default: FILE.rejects.jsonl].",
)
def arxiv(snapshot: Path, restart: bool, rejects_file: Path | None) -> None:
    """Load arXiv's metadata snapshot; the same command goes on where it was broken off, also by kill -9.

    Ends with one JSON line of counts since the beginning of the file; exit code 0: all landed, 3: some were rejected,
    1: broken off.
    """
    position, problem = None, None
    rejects_file = rejects_file or rejects_path(snapshot, command="backfill")
    try:
        with open_database(read_settings()) as database:
            position = _begin(database, snapshot, is_anew=restart)
            if position.is_complete:
                click.echo("paperfeed: all of this file was loaded before; --restart loads it again", err=True)
            else:
                position, problem = _run(database, snapshot, position, rejects_file)
    except OSError as error:
        problem = f"{error.filename or snapshot}: {error.strerror or error}"
    except Conflict as error:
        problem = f"{snapshot}: {error.detail}"
    except SQLAlchemyError as error:
        problem = f"the database cannot be written: {str(error).splitlines()[0]}"
    sys.exit(_report(position, rejects_file, problem=problem))


def _begin(database: Database, snapshot: Path, *, is_anew: bool) -> Position:
    fingerprint = fingerprint_of(snapshot)
    with database.write() as session:
        run, now = uuid.uuid4().hex, datetime.now(UTC)
        return backfill.begin(session, fingerprint=fingerprint, run=run, now=now, is_anew=is_anew)


def _run(database: Database, snapshot: Path, position: Position, rejects_file: Path) -> tuple[Position, str | None]:
    """Load the rest of the file; return the place that was reached and what broke it off, if anything did."""
    problem = None
    with (
        Archive(snapshot) as archive,
        Pace(database) as pace,
        Rejects(rejects_file, after_line=position.line) as rejects,
        Meter(total_bytes=archive.total_bytes) as meter,
    ):
        if position.line:
            click.echo(f"paperfeed: goes on after line {position.line:,}", err=True)
        loading = Backfill(pace, rejects, meter, position)
        try:
            loading.run(archive)
        except CutOff as error:
            problem = f"{snapshot}: {error}"
        except Conflict as error:
            problem = f"{snapshot}: {error.detail}"
        except KeyboardInterrupt:
            problem = f"stopped after line {loading.position.line:,}: the same command goes on from there"
    return loading.position, problem


def _report(position: Position | None, rejects_file: Path, *, problem: str | None) -> int:
    """Print the counts and return the exit code."""
    if position is not None and position.rejected:
        click.echo(f"{position.rejected} rejected: see {rejects_file}", err=True)
    if problem is not None:
        click.echo(f"paperfeed: {problem}", err=True)
    if position is None:
        return EXIT_BROKEN_OFF
    line = {
        "lines": position.line,
        "inserted": position.counts.inserted,
        "updated": position.counts.updated,
        "unchanged": position.counts.unchanged,
        "rejected": position.rejected,
        "complete": position.is_complete,
    }
    click.echo(orjson.dumps(line).decode())
    if problem is not None:
        return EXIT_BROKEN_OFF
    return EXIT_SOME_REJECTED if position.rejected else 0
