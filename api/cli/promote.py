"""`paperfeed promote`: let a version answer."""

from datetime import UTC, datetime

import click

from api import queue
from api.errors import ServiceError
from api.services import reports, versions
from api.settings import read_settings
from api.store.engine import Database
from api.store.migrate import upgrade


@click.command(short_help="Let a model version answer.")
@click.argument("version")
def command(version: str) -> None:
    """Let VERSION answer, in every process within seconds, and print what answers now as one JSON line."""
    settings = read_settings()
    db = Database(settings.resolved_database_url)
    upgrade(db)
    try:
        with db.write() as session:
            serving = versions.promote(session, version, models_dir=settings.models_dir, now=datetime.now(UTC))
    except ServiceError as error:
        raise click.ClickException(f"{error.detail} `paperfeed models` lists what there is.") from error
    queue.send(queue.SWEEP_FEEDS)
    click.echo(reports.describe_serving(serving).model_dump_json())
