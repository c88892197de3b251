"""`paperfeed up`: everything in one terminal."""

import asyncio
import logging
import os
import shutil
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from sqlalchemy.exc import SQLAlchemyError

from api.errors import ServiceError
from api.runtime import embedded
from api.runtime.leftovers import end_processes_of, marker_of
from api.runtime.logs import configure_logging
from api.runtime.multiplex import LogMultiplexer
from api.runtime.processes import share_metrics
from api.runtime.secrets import StartError, read_signing_keys
from api.settings import Settings, read_settings
from api.store.servers import ping_server

log = logging.getLogger(__name__)

SERVERS_SECONDS: Final = 10.0  # how long the API waits for the embedded servers
API_SECONDS: Final = 15.0  # how long the workers wait for the API, which matters more to whoever is looking
READY_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.3


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds everything [default: data].")
@click.option("--host", help="Address to listen on [default: 127.0.0.1].")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on [default: 8000].")
@click.option("--empty", is_flag=True, help="Start without papers: nothing is fetched, no demonstration.")
def command(data_dir: Path | None, host: str | None, port: int | None, empty: bool) -> None:
    """Start API, workers and servers in this terminal; Ctrl-C stops them all."""
    for name, value in (("DATA_DIR", data_dir and os.path.abspath(data_dir)), ("HOST", host), ("PORT", port)):  # noqa: PTH100 - links stay
        if value:
            os.environ[f"PAPERFEED_{name}"] = str(value)
    try:
        _run(read_settings(), is_empty=empty)
    except StartError as error:
        click.echo(f"paperfeed: {error}", err=True)
        sys.exit(1)


def _run(settings: Settings, *, is_empty: bool) -> None:
    embedded.prepare_folder(settings)
    with embedded.lock_folder(settings.data_dir, address=address(settings)):
        marker = marker_of(settings.data_dir)
        leftovers = end_processes_of(marker)
        embedded.check_port(settings.host, settings.port)
        read_signing_keys(settings)
        _prepare_database(settings)
        metrics = share_metrics(settings.run_dir, is_first=True)
        try:
            _supervise(settings, marker=marker, is_empty=is_empty, leftovers=leftovers)
        finally:
            shutil.rmtree(metrics, ignore_errors=True)


def _prepare_database(settings: Settings) -> None:
    from api.services.accounts import ensure_admin_token
    from api.store.engine import Database
    from api.store.migrate import upgrade

    db = Database(settings.resolved_database_url)
    try:
        upgrade(db)
        with db.write() as session:
            ensure_admin_token(session, settings.data_dir / "admin.token", now=datetime.now(UTC))
    except OSError as error:
        raise StartError(embedded.folder_problem(settings.data_dir, error)) from error
    except (SQLAlchemyError, ServiceError) as error:
        reason = str(error).splitlines()[0]
        raise StartError(f"the database cannot be used ({reason}): `paperfeed doctor` says more") from error
    finally:
        db.engine.dispose()


def _supervise(settings: Settings, *, marker: str, is_empty: bool, leftovers: list[int]) -> None:
    from api.runtime.children import build_children
    from api.runtime.supervisor import Supervisor

    is_terminal = sys.stderr.isatty()
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not is_terminal)
    os.environ["PAPERFEED_LOG_FORMAT"] = "json" if as_json else "text"  # the children write into a pipe
    settings = settings.model_copy(update={"log_format": "json" if as_json else "text"})
    output = LogMultiplexer(sys.stderr, as_json=as_json, in_colour=is_terminal)
    with os.fdopen(os.dup(output.open("up")), "w", buffering=1, encoding="utf-8") as own:
        configure_logging(settings, "up", stream=own)
        specs = build_children(settings, is_empty=is_empty)
        supervisor = Supervisor(specs, run_dir=settings.run_dir, marker=marker, output=output)
        output.start()
        if leftovers:
            log.warning("ended what a former start left behind", extra={"pids": leftovers})
        try:
            asyncio.run(supervisor.run(_after_stage(settings)))
        finally:
            logging.shutdown()
    output.close()


def _after_stage(settings: Settings) -> Callable[[int], "asyncio.Future[None]"]:
    async def wait(stage: int) -> None:
        if stage == 0:
            urls = (settings.resolved_cache_url, settings.resolved_broker_url)
            await _until(lambda: not any(map(ping_server, urls)), SERVERS_SECONDS)
        elif stage == 1:
            await _until(lambda: _answers(settings, "/livez"), API_SECONDS)
        else:
            started = time.monotonic()
            is_ready = await _until(lambda: _answers(settings, "/readyz"), READY_SECONDS)
            click.echo(welcome(settings, is_ready=is_ready))
            log.info("ready" if is_ready else "not ready yet", extra={"seconds": round(time.monotonic() - started, 1)})

    return lambda stage: asyncio.ensure_future(wait(stage))


async def _until(is_true: Callable[[], bool], limit_seconds: float) -> bool:
    deadline = time.monotonic() + limit_seconds
    while time.monotonic() < deadline:
        if await asyncio.to_thread(is_true):
            return True
        await asyncio.sleep(POLL_SECONDS)
    return False


def address(settings: Settings) -> str:
    """Return the address a browser on this machine uses."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - a look-up, no binding
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _answers(settings: Settings, path: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not lead to this machine
    try:
        with opener.open(address(settings) + path, timeout=2.0) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def welcome(settings: Settings, *, is_ready: bool) -> str:
    """Return what the terminal shows once the service answers."""
    base, token = address(settings), settings.data_dir / "admin.token"
    bearer = f"-H \"Authorization: Bearer $(cat '{token}')\""
    state = "is ready" if is_ready else "has started, but has no papers to list yet"
    return "\n".join(
        (
            "",
            f"Paperfeed {state}: {base}",
            f"Admin token: {token}",
            "Try:",
            f"  curl {base}/v1/latest?limit=3",
            f'  curl {bearer} -H "X-User: me" {base}/v1/feed?limit=5',
            f"  curl {bearer} {base}/v1/admin/training-runs",
            "Ctrl-C stops everything.",
            "",
        )
    )
