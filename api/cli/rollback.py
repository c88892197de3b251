"""`paperfeed rollback`: go back to the version that answered before."""

from datetime import UTC, datetime

import click

from api import queue
from api.errors import ServiceError
from api.services import reports, versions
from api.settings import read_settings
from api.store.engine import Database
from api.store.migrate import upgrade


@click.command(short_help="Go back to the previous model version.")
def command() -> None:
    """Let the previous version answer and print what answers now as one JSON line; twice undoes it."""
    settings = read_settings()
    db = Database(settings.resolved_database_url)
    upgrade(db)
    try:
        with db.write() as session:
            serving = versions.rollback(session, models_dir=settings.models_dir, now=datetime.now(UTC))
    except ServiceError as error:
        raise click.ClickException(error.detail) from error
    queue.send(queue.SWEEP_FEEDS)
    click.echo(reports.describe_serving(serving).model_dump_json())
