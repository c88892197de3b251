"""`paperfeed serve`: the API alone."""

import gc
import os
import socket
import sys
from typing import Final

import click
import uvicorn
from uvicorn.supervisors import Multiprocess

from api.runtime.embedded import check_port
from api.runtime.logs import configure_logging
from api.runtime.processes import share_metrics
from api.runtime.secrets import StartError, check_secrets
from api.settings import Settings, read_settings

STOP_SECONDS: Final = 4  # for requests under way, within the five that `up` gives before it kills
START_SECONDS: Final = 60  # a process that is still importing on a busy machine is not hung
BACKLOG: Final = 2048  # connections that wait for a process


@click.command()
@click.option("--host", help="Address to listen on [default: 127.0.0.1].")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on [default: 8000].")
def command(host: str | None, port: int | None) -> None:
    """Start the API alone; PAPERFEED_API_PROCESSES processes share the port."""
    for name, value in (("HOST", host), ("PORT", port)):
        if value:
            os.environ[f"PAPERFEED_{name}"] = str(value)  # the processes read it again
    read_settings.cache_clear()
    settings = read_settings()
    configure_logging(settings, "api")
    try:
        check_secrets(settings)
        check_port(settings.host, settings.port)
    except StartError as error:
        click.echo(f"paperfeed: {error}", err=True)
        sys.exit(1)
    _serve(settings)


def _serve(settings: Settings) -> None:
    if settings.api_processes > 1:
        share_metrics(settings.run_dir)
    config = uvicorn.Config(
        "api.app:start_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.api_processes,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,  # ours has the request's id
        server_header=False,
        proxy_headers=False,  # it would believe every process of this machine; `routes.addresses` asks the settings
        backlog=BACKLOG,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_worker_healthcheck=START_SECONDS,
    )
    server = uvicorn.Server(config)
    if settings.api_processes == 1:
        gc.disable()  # until the application is there: imports leave no garbage, and looking for it costs a sixth
        server.run()
    else:
        listening: socket.socket = config.bind_socket()
        Multiprocess(config, sockets=[listening]).run()
    if not server.started and settings.api_processes == 1:
        sys.exit(1)
