"""`paperfeed train`: retrain now, watch, and print the verdict."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from api import queue
from api.runtime.owner import is_dead_owner
from api.schemas.admin import RunOut
from api.services import reports, training
from api.settings import read_settings
from api.store.engine import Database
from api.store.migrate import upgrade

LOOK_SECONDS: Final = 0.3
EXIT_CODES: Final = {"succeeded": 0, "rejected": 3}
IN_PROGRESS: Final = 1


@click.command(short_help="Retrain the model now.")
@click.option("--wait/--no-wait", default=True, help="Run it here and wait (default), or leave it to the workers.")
def command(wait: bool) -> None:
    """Retrain the model and print the finished run as one JSON line.

    Exits with 0 when the model answers now, 3 when the judge refused it, 1 when it failed or another run is in
    progress. Ctrl-C cancels the run.
    """
    db = Database(read_settings().resolved_database_url)
    upgrade(db)
    run, is_new = _request(db)
    if not is_new and (run.state == "running" or not wait):
        click.echo(f"training run {run.id} is in progress ({run.state}): wait for it or cancel it", err=True)
        click.echo(_as_line(run))
        sys.exit(IN_PROGRESS)
    if not wait:
        if not queue.send(queue.RUN_TRAINING, run.id):
            click.echo("the broker is away: a worker takes the run once both are back", err=True)
        click.echo(_as_line(run))
        return
    final = _run_here(db, run)
    click.echo(_as_line(final))
    if final.reason:
        click.echo(final.reason, err=True)
    sys.exit(EXIT_CODES.get(final.state, 1))


def _request(db: Database) -> tuple[RunOut, bool]:
    """Queue a run, after looking whether the one in progress has lost its worker."""
    settings = read_settings()
    with db.write() as session:
        training.reap_run(session, now=datetime.now(UTC), attempts=settings.train_attempts, is_dead=is_dead_owner)
        run, is_new = training.request_run(session, trigger="command", now=datetime.now(UTC))
        return reports.describe_run(run), is_new


def _run_here(db: Database, run: RunOut) -> RunOut:
    """Run it in a process beside this one until the row says how it ended, whoever brings it there."""
    with _interrupts() as interrupted, _progress() as bar:
        shown = bar.add_task("queued", total=1.0)
        while True:
            code = _follow_runner(db, run.id, interrupted=interrupted, show=lambda now: _show(bar, shown, now))
            seen = _read(db, run.id)
            if seen.state in training.FINAL_STATES:
                return seen
            if code != 0:
                raise click.ClickException(
                    f"the runner was lost (code {code}); `paperfeed train` or a worker goes on with run {run.id}"
                )
            # Else the runner gave the run back, as when its fit was killed, and the attempts are not spent.


def _follow_runner(
    db: Database, run_id: int, *, interrupted: threading.Event, show: Callable[[RunOut], None]
) -> int | None:
    """Start a runner and return its exit code once the run has ended or waits again."""
    command_line = [sys.executable, "-m", "workers.foreground", str(run_id), str(os.getpid())]
    with subprocess.Popen(command_line, stdout=sys.stderr.fileno(), start_new_session=True) as runner:
        while True:
            code = runner.poll()
            run = _read(db, run_id)
            show(run)
            if run.state in training.FINAL_STATES or (code is not None and (code != 0 or run.state == "queued")):
                return runner.wait()
            if interrupted.is_set() and not run.cancel_requested:
                with db.write() as session:
                    training.cancel_run(session, run_id, now=datetime.now(UTC))
            time.sleep(LOOK_SECONDS)


def _read(db: Database, run_id: int) -> RunOut:
    with db.read() as session:
        return reports.describe_run(training.read_run(session, run_id))


def _progress() -> Progress:
    columns = (TextColumn("{task.description:<10}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


def _show(bar: Progress, shown: TaskID, run: RunOut) -> None:
    bar.update(shown, description=run.stage or run.state, completed=run.progress)


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Yield what Ctrl-C and SIGTERM set while the block runs."""
    interrupted = threading.Event()

    def note(_signal: int, _frame: FrameType | None) -> None:
        interrupted.set()

    former = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _as_line(run: RunOut) -> str:
    return json.dumps(run.model_dump(mode="json"))
