"""`paperfeed slate`: what a slate says, and whether its list gives the same page again."""

import sys
from datetime import UTC, datetime

import click
from sqlalchemy.exc import SQLAlchemyError

from api.runtime.keys import open_key_ring
from api.services.arranging import randomisation_of
from api.services.slate_checking import Named, check_slate, name_slate
from api.services.slates import Slate, open_slate, read_slate
from api.settings import Settings, read_settings
from api.store.engine import Database
from api.store.feeds import FeedStore


@click.command(short_help="Say what a slate says, and check it.")
@click.argument("token")
def command(token: str) -> None:
    """Print what the slate TOKEN of a feed page says, and work its page out again from the cached list."""
    settings = read_settings()
    keys = open_key_ring(settings)
    slate = read_slate(keys, token)
    if slate is None:
        click.echo("paperfeed: forged_slate: this service did not sign that text, or its key is too old", err=True)
        sys.exit(1)
    found = open_slate(keys, token, now=datetime.now(UTC), days=settings.slate_days)
    _print(slate, _named(settings, slate))
    click.echo("accepted with events" if isinstance(found, Slate) else f"not accepted with events: {found}")
    click.echo(_check(settings, slate))


def _named(settings: Settings, slate: Slate) -> Named:
    database = Database(settings.resolved_database_url)
    try:
        with database.read() as session:
            return name_slate(session, slate)
    except SQLAlchemyError as error:
        click.echo(f"paperfeed: the database cannot be used: {str(error).splitlines()[0]}", err=True)
        sys.exit(1)
    finally:
        database.engine.dispose()


def _print(slate: Slate, named: Named) -> None:
    click.echo(f"slate {slate.slate_id}, shown {slate.shown_at:%Y-%m-%d %H:%M:%S} UTC")
    reader = named.external_user or ("nobody in particular" if slate.user_id == 0 else f"(gone, {slate.user_id})")
    click.echo(f"reader {reader}, model {slate.version or '(none)'}, variant {slate.variant}")
    for paper, shown in named.papers:
        said = f"{shown.position}\t{paper or '(gone)'}\t{shown.source.name.lower()}\t{shown.propensity:.6g}"
        click.echo(said)


def _check(settings: Settings, slate: Slate) -> str:
    if slate.user_id == 0:
        return "nobody's list is not cached, so the page cannot be worked out again"
    feeds = FeedStore(settings.resolved_cache_url, ttl_days=settings.list_ttl_days)
    try:
        feed = feeds.read_list(slate.user_id, version=slate.version)
    finally:
        feeds.close()
    return str(check_slate(slate, feed, randomisation_of(settings)))
