"""`paperfeed secret`: the keys that sign slates, cursors and cookies."""

import sys
from datetime import UTC, datetime

import click

from api.runtime.secrets import StartError, rotate_key_file
from api.settings import read_settings


@click.group()
def command() -> None:
    """Look after the signing keys."""


@command.command()
def rotate() -> None:
    """Sign with a new key from now on; what the former one signed is accepted for PAPERFEED_SLATE_DAYS more."""
    settings = read_settings()
    try:
        path = rotate_key_file(settings, now=datetime.now(UTC))
    except StartError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{error.filename or settings.data_dir}: {error.strerror}"
    else:
        click.echo(f"a new key signs from now on ({path}); running processes follow within five seconds")
        return
    click.echo(f"paperfeed: {problem}", err=True)
    sys.exit(1)
