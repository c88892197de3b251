"""`paperfeed reindex`: the search index made anew."""

import sys
import time
from collections.abc import Callable

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sqlalchemy.exc import SQLAlchemyError

from api.cli.loading import REPORT_SECONDS, open_database
from api.runtime.search_rebuild import rebuild
from api.settings import read_settings
from api.store.search_errors import IndexUnusable


@click.command()
def command() -> None:
    """Make the search index anew from the database, beside the running service or before it.

    Searches are answered by the index there is until the new one is whole. Ends with one JSON line of counts.
    """
    settings = read_settings()
    started = time.monotonic()
    try:
        with open_database(settings) as database, _progress() as bar:
            papers = rebuild(database, settings.search_dir, _reporter(bar))
    except (IndexUnusable, SQLAlchemyError) as error:
        click.echo(f"paperfeed: {str(error).splitlines()[0]}; the index there was goes on answering", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("paperfeed: stopped; the index there was goes on answering", err=True)
        sys.exit(130)
    click.echo(orjson.dumps({"papers": papers, "seconds": round(time.monotonic() - started, 1)}).decode())


def _reporter(bar: Progress) -> Callable[[int, int], None]:
    """Return what shows progress: a bar in a terminal, a line now and then elsewhere."""
    shown = bar.add_task("papers")
    said = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal said
        bar.update(shown, completed=done, total=total)
        if bar.disable and time.monotonic() - said >= REPORT_SECONDS:
            said = time.monotonic()
            click.echo(f"{done:,} of {total:,} papers", err=True)

    return report


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    return Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal
    )
