"""`paperfeed dead-letters`: rejected events, listed and taken in after all."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import click
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from api.cli.loading import open_database
from api.errors import ServiceError
from api.routes.events import follow_commit
from api.routes.letters import show_letter
from api.routes.replaying import replay_letters
from api.runtime.secrets import StartError
from api.runtime.state import Runtime, build_runtime
from api.schemas.letters import ReplayIn, ReplayOut, ReplayResult
from api.services import dead_letters
from api.services.feedback import make_recorder
from api.settings import Settings, read_settings

PAGE: Final = 500
NOTHING: Final = "there are no rejected events to {}"  # on standard error: standard output is for programs


@click.group()
def command() -> None:
    """List rejected events and take them in after all."""


@command.command("list")
@click.option("--code", help="Only those rejected for this, such as unknown_paper.")
@click.option("--reader", help="Only this reader's.")
@click.option("--all", "is_all", is_flag=True, help="Those that a replay brought in, too.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
def list_command(code: str | None, reader: str | None, is_all: bool, limit: int) -> None:
    """Print rejected events, newest first, one JSON object a line."""
    with _one_line_problems(), open_database(read_settings()) as database:
        before: int | None = None
        is_empty = True
        while limit > 0:
            with database.read() as session:
                page, before = dead_letters.list_letters(
                    session,
                    before=before,
                    limit=min(limit, PAGE),
                    code=code,
                    external_user=reader,
                    is_open=not is_all,
                )
            for letter in page:
                click.echo(show_letter(letter).model_dump_json())
            is_empty = is_empty and not page
            limit = 0 if before is None else limit - len(page)
    if is_empty:
        click.echo(NOTHING.format("show"), err=True)


@command.command()
@click.argument("ids", nargs=-1, type=click.IntRange(1))
@click.option("--code", help="All that were rejected for this, instead of some by number.")
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Correct a field of all of these events.")
def replay(ids: tuple[int, ...], code: str | None, changes: tuple[str, ...]) -> None:
    """Give rejected events to the intake again and print what became of each; an event counts once however often."""
    if bool(ids) == bool(code):
        raise click.UsageError("name either numbers (`paperfeed dead-letters list` shows them) or --code")
    if changes and not ids:
        raise click.UsageError("--set corrects letters that are named by number")
    corrections = dict(map(_read_change, changes))
    is_whole = is_empty = True
    with _one_line_problems():
        for result in _replay_all(read_settings(), ids, code=code, corrections=corrections):
            click.echo(result.model_dump_json(exclude_none=True))
            is_whole, is_empty = is_whole and result.status != "rejected", False
    if is_empty:
        click.echo(NOTHING.format("replay"), err=True)
    sys.exit(0 if is_whole else 1)


def _replay_all(
    settings: Settings, ids: tuple[int, ...], *, code: str | None, corrections: dict[str, Any]
) -> Iterator[ReplayResult]:
    for start in range(0, len(ids), PAGE):
        part = ids[start : start + PAGE]
        changes = dict.fromkeys(part, corrections) if corrections else {}
        yield from _replay(settings, ReplayIn.model_validate({"ids": part, "corrections": changes})).results
    after: int | None = 0 if code else None
    while after is not None:
        done = _replay(settings, ReplayIn.model_validate({"code": code, "after": after}))
        yield from done.results
        after = done.next_after


def _replay(settings: Settings, wanted: ReplayIn) -> ReplayOut:
    with open_database(settings):  # says what is wrong with it, in one line
        pass
    runtime = build_runtime(settings, record=make_recorder(most_letters=settings.dead_letters_most))
    return asyncio.run(_replay_with(runtime, wanted))


async def _replay_with(runtime: Runtime, wanted: ReplayIn) -> ReplayOut:
    runtime.intake.start(partial(follow_commit, runtime))
    runtime.hints.start()
    try:
        return await replay_letters(runtime, wanted)
    finally:
        await runtime.async_feeds.aclose()
        await runtime.limits.aclose()
        await asyncio.to_thread(runtime.close)


def _read_change(text: str) -> tuple[str, Any]:
    name, is_set, value = text.partition("=")
    if not is_set or not name:
        raise click.BadParameter("FIELD=VALUE, such as paper_id=2401.01234", param_hint="--set")
    if name not in {"position", "value"}:
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        raise click.BadParameter(f"{name} is a number, or null to leave it out", param_hint="--set") from None


@contextmanager
def _one_line_problems() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        if error.title == "Settings":
            raise
        problem = "; ".join(detail["msg"] for detail in error.errors())
    except (ServiceError, StartError) as error:
        problem = getattr(error, "detail", str(error))
    except SQLAlchemyError as error:
        problem = f"the database cannot be used: {str(error).splitlines()[0]}"
    else:
        return
    click.echo(f"paperfeed: {problem}", err=True)
    sys.exit(1)
