"""`paperfeed erase`: remove everything about a reader."""

import sys
from datetime import UTC, datetime

import click
from sqlalchemy.exc import SQLAlchemyError

from api.cli.loading import open_database
from api.errors import ServiceError
from api.services import erasure
from api.services.erasure import Erased
from api.settings import Settings, read_settings
from api.store.feeds import FeedStore


@click.command()
@click.argument("reader")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(reader: str, *, yes: bool) -> None:
    """Remove everything about READER: events, library, settings, comments, tokens, sessions, prepared lists.

    Running services forget the reader within five seconds. A line of the audit log without a name stays.
    """
    if not yes:
        click.confirm(f"Erase reader {reader} for good?", abort=True, err=True)
    settings = read_settings()
    try:
        erased = _erase(settings, reader)
    except (ServiceError, OSError) as error:
        problem = error.detail if isinstance(error, ServiceError) else str(error)
    except SQLAlchemyError as error:
        problem = f"the database cannot be used: {str(error).splitlines()[0]}"
    else:
        for table, count in sorted(erased.rows.items()):
            click.echo(f"{table}\t{count}")
        return
    click.echo(f"paperfeed: {problem}", err=True)
    sys.exit(1)


def _erase(settings: Settings, reader: str) -> Erased:
    with open_database(settings) as database, database.write() as session:
        user_id = erasure.find_reader(session, reader)
        erased = erasure.erase_reader(session, user_id, by="command", now=datetime.now(UTC))
    feeds = FeedStore(settings.resolved_cache_url, ttl_days=settings.list_ttl_days)
    if not erasure.drop_keys(feeds, erased):
        click.echo("the cache is away: prepared lists go within ten minutes of its return", err=True)
    feeds.close()
    if not erasure.drop_files(settings.mails_dir, erased):
        click.echo(f"remove these from {settings.mails_dir}: {' '.join(erased.mail_files)}", err=True)
    return erased
