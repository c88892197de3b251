"""`paperfeed demo`: load or remove the demonstration."""

from datetime import UTC, datetime

import click
import orjson

from api.cli.loading import Pace, open_database
from api.services.demonstration import Removed, begin_demo, load_steps, remove_steps
from api.settings import read_settings
from api.sources.demo import build_demonstration
from api.store.demonstration import load_demo_rows


@click.group()
def command() -> None:
    """Load or remove the demonstration: made-up papers, and readers with made-up histories."""


@command.command()
def load() -> None:
    """Load the demonstration; running it again changes nothing."""
    now = datetime.now(UTC)
    with open_database(read_settings()) as database:
        with database.write() as session:
            at = begin_demo(session, now=now)
        if at is None:
            click.echo("the demonstration is there already: `paperfeed demo remove` ends it", err=True)
            return
        demo = build_demonstration(at)
        with Pace(database) as pace:
            for step in load_steps(demo, at=at, now=now):
                with pace.write() as session:
                    step(session)
    counts = {"papers": len(demo.papers), "readers": len(demo.readers), "events": len(demo.events)}
    click.echo(orjson.dumps(counts).decode())
    click.echo("`paperfeed train` fits a model on it", err=True)


@command.command()
def remove() -> None:
    """Remove the demonstration, and what real readers did with its papers."""
    removed = Removed()
    with open_database(read_settings()) as database:
        with database.read() as session:
            found = load_demo_rows(session)
        with Pace(database) as pace:
            for step in remove_steps(found, now=datetime.now(UTC)):
                with pace.write() as session:
                    removed += step(session)
    counts = {"papers": removed.papers, "readers": removed.readers, "events": removed.events}
    click.echo(orjson.dumps(counts).decode())
    if removed.others_events:
        click.echo(f"{removed.others_events} of the events were of real readers, on demonstration papers", err=True)
    if removed.papers:
        click.echo("the model still knows these papers: `paperfeed train` fits one without them", err=True)
