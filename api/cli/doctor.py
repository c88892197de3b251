"""`paperfeed doctor`: what is wrong and what to do."""

import json
import sys
from datetime import UTC, datetime
from typing import Final

import click

from api.services.diagnosis import diagnose
from api.settings import read_settings
from api.store.engine import Database

_WORDS: Final = {"ok": "ok", "degraded": "look", "failed": "FAIL"}
_COLOURS: Final = {"ok": "green", "degraded": "yellow", "failed": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """Say what is wrong and what to do; exit 1 when something does not work."""
    settings = read_settings()
    db = Database(settings.resolved_database_url)
    found = {}
    for name, check in diagnose(settings, db, now=datetime.now(UTC)):
        found[name] = check
        if not as_json:
            click.echo(
                f"{click.style(f'{_WORDS[check.state]:<4}', fg=_COLOURS[check.state])}  {name:<13}  {check.detail}"
            )
    db.engine.dispose()
    if as_json:
        checks = {name: {"state": check.state, "detail": check.detail} for name, check in found.items()}
        click.echo(json.dumps({"checks": checks}, ensure_ascii=False))
    if any(check.state == "failed" for check in found.values()):
        sys.exit(1)
