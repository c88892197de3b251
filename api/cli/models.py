"""`paperfeed models`: which versions there are and which one answers."""

from typing import Final

import click
from rich.console import Console
from rich.table import Column, Table

from api.schemas.admin import ModelOut
from api.services import reports
from api.settings import read_settings
from api.store.engine import Database
from api.store.migrate import upgrade

UNBOUNDED: Final = 10_000  # columns


@click.command(short_help="List model versions.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per version instead of a table.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Newest versions to show.")
def command(as_json: bool, limit: int) -> None:
    """List model versions, newest first."""
    db = Database(read_settings().resolved_database_url)
    upgrade(db)
    with db.read() as session:
        models = reports.read_models_page(session, limit=limit, place=None).items
    if as_json:
        for model in models:
            click.echo(model.model_dump_json())
    elif models:
        _print(_table(models))
    else:
        click.echo("There is no model yet: start a retrain with `paperfeed train`.", err=True)


def _print(table: Table) -> None:
    """Print in full: where the output is too narrow, lines run over rather than lose part of a version."""
    console = Console()
    unbounded = console.options.update(width=UNBOUNDED)
    console.width = max(console.width, console.measure(table, options=unbounded).minimum)
    console.print(table)


def _table(models: list[ModelOut]) -> Table:
    longest = max(len(model.version) for model in models)  # to be copied after `paperfeed promote`
    table = Table(
        Column("version", no_wrap=True, min_width=longest),
        "state",
        Column("made", no_wrap=True, min_width=16),
        "readers",
        "papers",
        "note",
    )
    for model in models:
        figures = model.figures or {}
        made = f"{model.created_at:%Y-%m-%d %H:%M}"
        sizes = (str(figures.get("readers", "")), str(figures.get("papers", "")))
        table.add_row(model.version, _state(model), made, *sizes, model.note or "")
    return table


def _state(model: ModelOut) -> str:
    if model.is_serving:
        return "serving"
    if model.deleted_at is not None:
        return "removed"
    return "previous" if model.is_previous else ""
