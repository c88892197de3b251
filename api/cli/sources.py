"""`paperfeed sources`: where papers come from, paused, resumed, read now."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import click
from rich.console import Console
from rich.table import Column, Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.cli.loading import open_database
from api.errors import ServiceError
from api.runtime.owner import is_dead_owner
from api.schemas.sources import SourceOut
from api.services import sources
from api.services.source_reports import read_source, read_sources
from api.settings import Settings, read_settings
from api.store.engine import Database

UNBOUNDED: Final = 10_000  # columns
SECONDS_A_MINUTE: Final = 60
UNITS: Final = ((86_400, "d"), (3_600, "h"), (SECONDS_A_MINUTE, "min"))
COLOURS: Final = {"failing": "red", "paused": "yellow", "running": "green"}
FAILED: Final = 1


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List where papers come from, pause them, read one now."""
    if context.invoked_subcommand is None:
        context.invoke(list_command, as_json=False)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per source instead of a table.")
def list_command(as_json: bool) -> None:
    """Show each source: its last success and the age of that, its next run, its failures in a row."""
    with _installation() as (settings, database):
        now = datetime.now(UTC)
        with database.write() as session:
            sources.ensure_sources(session, settings, now=now)
            found = read_sources(session, settings, now=now)
    if as_json:
        for source in found:
            click.echo(source.model_dump_json())
    else:
        _print(_table(found, now=now))


@command.command()
@click.argument("name")
def pause(name: str) -> None:
    """Read the source NAME no more until it is resumed."""
    with _installation() as (settings, database), database.write() as session:
        _ensure(session, settings, name)
        sources.pause_source(session, name)
    click.echo(f"{name} is paused", err=True)


@command.command()
@click.argument("name")
def resume(name: str) -> None:
    """Read the source NAME again, the first time within a minute."""
    with _installation() as (settings, database), database.write() as session:
        _ensure(session, settings, name)
        sources.resume_source(session, name, now=datetime.now(UTC))
    click.echo(f"{name} is read again", err=True)


@command.command()
@click.argument("name")
def run(name: str) -> None:
    """Read the source NAME here and now, also when it is paused, and print how it ended as one JSON line.

    Exits with 0 when it was read, 1 when it failed or another process is reading it. A host that asked to be left alone
    for a while is left alone.
    """
    with _installation() as (settings, database):
        with database.write() as session:
            _ensure(session, settings, name)
            sources.release_dead(session, now=datetime.now(UTC), is_dead=is_dead_owner)
            sources.request_run(session, name, now=datetime.now(UTC))
        code = _read_here(name)
        with database.read() as session:
            report = read_source(session, settings, name, now=datetime.now(UTC))
    click.echo(report.model_dump_json())
    if report.state in {"running", "due"}:
        click.echo(f"{name} is being read by another process, which reads it again after that", err=True)
    elif report.failure:
        click.echo(f"{name}: {report.failure}", err=True)
    elif code and report.due_at is not None:
        click.echo(f"{name}: its host is to be left alone until {report.due_at:%Y-%m-%d %H:%M} UTC", err=True)
    sys.exit(FAILED if code else 0)


def _read_here(name: str) -> int:
    """Read it in a process beside this one, which ends with it."""
    command_line = [sys.executable, "-P", "-m", "workers.reading", name, str(os.getpid())]
    return subprocess.run(command_line, stdout=sys.stderr.fileno(), check=False).returncode


@contextmanager
def _installation() -> Iterator[tuple[Settings, Database]]:
    """Open this installation's database; what is wrong is one line."""
    settings = read_settings()
    try:
        with open_database(settings) as database:
            yield settings, database
    except ServiceError as error:
        problem = error.detail
    except SQLAlchemyError as error:
        problem = f"the database cannot be used: {str(error).splitlines()[0]}"
    else:
        return
    click.echo(f"paperfeed: {problem}", err=True)
    sys.exit(FAILED)


def _ensure(session: Session, settings: Settings, name: str) -> None:
    sources.ensure_sources(session, settings, now=datetime.now(UTC))
    if name not in settings.active_sources:
        raise click.UsageError(
            f"{name!r} is not read here: {', '.join(settings.active_sources) or 'no source is'}"
            " (PAPERFEED_SOURCES names them, some need a key)"
        )


def _print(table: Table) -> None:
    """Print in full: where the output is too narrow, lines run over rather than lose part of a reason."""
    console = Console()
    unbounded = console.options.update(width=UNBOUNDED)
    console.width = max(console.width, console.measure(table, options=unbounded).minimum)
    console.print(table)


def _table(found: list[SourceOut], *, now: datetime) -> Table:
    table = Table(
        Column("source", no_wrap=True),
        "state",
        Column("last success", no_wrap=True, min_width=16),
        Column("age", no_wrap=True, justify="right"),
        Column("next run", no_wrap=True),
        Column("failures", justify="right"),
        Column("papers", justify="right"),
        Column("what is wrong", overflow="fold"),
    )
    for source in found:
        success = "never" if source.success_at is None else f"{source.success_at:%Y-%m-%d %H:%M}"
        age = "" if source.age_seconds is None else _length(source.age_seconds)
        colour = "red" if source.is_overdue else COLOURS.get(source.state, "")
        table.add_row(
            source.name,
            f"[{colour}]{source.state}[/]" if colour else source.state,
            success,
            f"[red]{age}[/]" if source.is_overdue and age else age,
            _next_run(source, now=now),
            str(source.failures or ""),
            str(source.papers),
            _escaped(source.failure or source.problem or ""),
        )
    return table


def _next_run(source: SourceOut, *, now: datetime) -> str:
    if source.due_at is None:
        return "paused"
    seconds = (source.due_at - now).total_seconds()
    return "now" if seconds <= 0 else f"in {_length(seconds)}"


def _length(seconds: float) -> str:
    for size, unit in UNITS:
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _escaped(text: str) -> str:
    """What a stranger answered is no markup."""
    return text.replace("[", r"\[")
