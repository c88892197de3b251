"""`paperfeed migrate`: bring the database to this version."""

import sys

import click
from sqlalchemy.exc import SQLAlchemyError

from api.errors import ServiceError
from api.settings import read_settings
from api.store.engine import Database
from api.store.migrate import HEAD, upgrade


@click.command()
def command() -> None:
    """Bring the database to the tables of this version; several at once are safe."""
    settings = read_settings()
    if settings.database_url is None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    db = Database(settings.resolved_database_url)
    try:
        changed = upgrade(db)
    except (SQLAlchemyError, ServiceError) as error:
        click.echo(f"paperfeed: the database cannot be used ({str(error).splitlines()[0]})", err=True)
        sys.exit(1)
    finally:
        db.engine.dispose()
    click.echo(f"upgraded to revision {HEAD}" if changed else f"already at revision {HEAD}")
