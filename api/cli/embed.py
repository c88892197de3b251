"""`paperfeed embed`: sentence vectors for papers that lack them."""

import os
import queue
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Final

import click
import httpx2
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from api.cli.loading import open_database
from api.runtime.embedding import embed_missing
from api.runtime.encoders import EncoderError, open_encoder
from api.sentences import encoder_key
from api.services import embedding
from api.settings import Settings, read_settings
from api.store import vectors
from api.store.engine import Database

EXIT_NO_ENCODER: Final = 2
PROBE_SECONDS: Final = 8.0
HUB: Final = "https://huggingface.co"
ROWS_PER_DELETE: Final = 1_000  # in one short transaction
REPORT_SECONDS: Final = 5.0  # between progress lines where there is no terminal


@click.command()
@click.option("--encoder", metavar="NAME", help="A model or folder other than PAPERFEED_TEXT_ENCODER's.")
@click.option("--download", is_flag=True, help="Fetch the model from the network where it is not on this machine.")
@click.option("--forget", metavar="NAME", help="Remove the vectors of this encoder instead.")
def command(encoder: str | None, download: bool, forget: str | None) -> None:
    """Make the sentence vectors that papers lack, beside the running service or before it.

    Stop it when you like: the next run, or a worker, goes on where it stopped. Ends with one JSON line of counts.
    """
    settings = read_settings()
    if forget is not None:
        _forget(settings, encoder_key(forget))
        return
    name = encoder_key(encoder if encoder is not None else settings.text_encoder)
    if not name:
        click.echo("paperfeed: no sentence encoder is set: name one in PAPERFEED_TEXT_ENCODER or --encoder", err=True)
        sys.exit(EXIT_NO_ENCODER)
    try:
        with open_database(settings) as database:
            _embed(settings, database, name, may_download=download)
    except EncoderError as error:
        click.echo(f"paperfeed: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("paperfeed: stopped, what is made is kept: run it again to go on", err=True)
        sys.exit(130)


def _embed(settings: Settings, database: Database, name: str, *, may_download: bool) -> None:
    with database.read() as session:
        before = vectors.read_coverage(session, name)
    made = 0
    if before.with_vector < before.papers or may_download:
        if may_download:
            _look_for_network(name)
        batch, threads = settings.encoder_batch, settings.encoder_threads
        with (
            open_encoder(name, batch=batch, threads=threads, may_download=may_download) as opened,
            _progress() as bar,
        ):
            shown = bar.add_task(name, total=before.papers, completed=before.with_vector)
            said = _Lines(bar)

            def report(papers: int) -> None:
                bar.advance(shown, papers)
                said.report(papers)

            made = embed_missing(database, opened, report=report).papers
        with database.write() as session:
            embedding.note_problem(session, name, None, now=datetime.now(UTC))
    with database.read() as session:
        now = vectors.read_coverage(session, name)
    line = {"encoder": name, "made": made, "papers": now.papers, "with_vector": now.with_vector}
    click.echo(orjson.dumps(line).decode())


def _forget(settings: Settings, name: str) -> None:
    forgotten, part = 0, 1
    with open_database(settings) as database:
        while part:
            with database.write() as session:
                part = vectors.forget_vectors(session, name, limit=ROWS_PER_DELETE)
            forgotten += part
    click.echo(orjson.dumps({"encoder": name, "forgotten": forgotten}).decode())


def _look_for_network(name: str) -> None:
    """Raise EncoderError at once where no network is: the library would try for more than a minute."""
    hub = os.environ.get("HF_ENDPOINT", HUB)
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            httpx2.head(hub, timeout=PROBE_SECONDS, follow_redirects=True)
            answers.put(None)
        except (httpx2.HTTPError, OSError) as error:
            answers.put(f"{type(error).__name__}: {error}")

    # In a thread of its own, left behind when time is up: a hanging name look-up cannot be interrupted.
    threading.Thread(target=ask, name="probe", daemon=True).start()
    try:
        problem = answers.get(timeout=PROBE_SECONDS)
    except queue.Empty:
        problem = f"no answer within {PROBE_SECONDS:g} s"
    if problem is not None:
        remedy = "copy its folder here from a machine with a network and name the folder"
        raise EncoderError(name, f"{hub} cannot be reached ({problem})", remedy=remedy)


class _Lines:
    """Progress lines on standard error where no bar is shown."""

    def __init__(self, bar: Progress) -> None:
        self._is_wanted = bar.disable
        self._papers = 0
        self._reported = time.monotonic()

    def report(self, papers: int) -> None:
        """Count papers and say so now and then."""
        self._papers += papers
        if self._is_wanted and time.monotonic() - self._reported >= REPORT_SECONDS:
            self._reported = time.monotonic()
            click.echo(f"{self._papers:,} papers", err=True)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    return Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal
    )
