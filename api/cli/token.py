"""`paperfeed token`: create, list and revoke access tokens."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import click
from sqlalchemy.exc import SQLAlchemyError

from api.cli.loading import open_database
from api.errors import ServiceError
from api.services import accounts
from api.settings import read_settings
from api.store.engine import Database
from api.store.tables import LONGEST_EXTERNAL_ID

PAGE: Final = 500


@click.group()
def command() -> None:
    """Create, list and revoke access tokens."""


@command.command()
@click.option("--reader", "--user", "reader", help="The reader it acts for; without: a service that acts for any.")
@click.option(
    "--scope", "--scopes", "scopes", multiple=True, help="read, write, admin; repeated or separated by commas."
)
@click.option("--label", default="", help="What it is for.")
def create(reader: str | None, scopes: tuple[str, ...], label: str) -> None:
    """Print a new token; it is shown this once. Scopes are read and write unless told otherwise."""
    if reader is not None and not (1 <= len(reader) <= LONGEST_EXTERNAL_ID and reader.isprintable()):
        raise click.BadParameter(f"1 to {LONGEST_EXTERNAL_ID} printable characters", param_hint="--reader")
    wanted = [scope.strip() for text in scopes for scope in text.split(",") if scope.strip()]
    with _database() as database, database.write() as session:
        facts, text = accounts.create_token(
            session,
            external_user=reader,
            scopes=wanted or accounts.READER_SCOPES,
            label=label[:LONGEST_EXTERNAL_ID],
            now=datetime.now(UTC),
        )
    whose = "any reader (name one in the X-User header)" if reader is None else f"reader {reader}"
    click.echo(
        f"token {facts.token_id} for {whose}, scopes {', '.join(facts.scopes)}; keep it, it is not shown again:",
        err=True,
    )
    click.echo(text)


@command.command("list")
def list_command() -> None:
    """Print all tokens, without their secrets."""
    with _database() as database, database.read() as session:
        place = None
        while True:
            page, place = accounts.list_tokens(session, after=place, limit=PAGE)
            for facts in page:
                click.echo(_line(facts))
            if place is None:
                return


@command.command()
@click.argument("token_id")
def revoke(token_id: str) -> None:
    """Revoke a token; running services refuse it within five seconds."""
    with _database() as database, database.write() as session:
        facts = accounts.revoke_token(session, token_id, now=datetime.now(UTC))
    click.echo(_line(facts))


@contextmanager
def _database() -> Iterator[Database]:
    """The database; what goes wrong with it is one line."""
    try:
        with open_database(read_settings()) as database:
            yield database
    except ServiceError as error:
        problem = error.detail
    except OSError as error:
        problem = f"{error.filename or 'output'}: {error.strerror}"
    except SQLAlchemyError as error:
        problem = f"the database cannot be used: {str(error).splitlines()[0]}"
    else:
        return
    click.echo(f"paperfeed: {problem}", err=True)
    sys.exit(1)


def _line(facts: accounts.TokenFacts) -> str:
    state = "valid" if facts.revoked_at is None else f"revoked {facts.revoked_at:%Y-%m-%d %H:%M}"
    parts = (facts.token_id, facts.external_user or "(service)", ",".join(facts.scopes))
    return "\t".join((*parts, f"{facts.created_at:%Y-%m-%d %H:%M}", state, facts.label))
