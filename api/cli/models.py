"""`paperfeed models`: which versions there are and which one answers."""

import click
from rich.console import Console
from rich.table import Table

from api.schemas.admin import ModelOut
from api.services import reports
from api.settings import read_settings
from api.store.engine import Database
from api.store.migrate import upgrade


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
        Console().print(_table(models))
    else:
        click.echo("There is no model yet: start a retrain with `paperfeed train`.", err=True)


def _table(models: list[ModelOut]) -> Table:
    table = Table("version", "state", "made", "readers", "papers", "note")
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
        return "removed from disk"
    return "previous" if model.is_previous else ""
