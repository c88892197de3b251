"""A server in a process of its own on a seeded database, and the clients that call it."""

import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.services.accounts import create_token
from api.services.catalog import record_papers
from api.store.engine import Database
from api.store.migrate import upgrade
from tests.compat.clients import VERSIONS, WITH_COMMANDS, Driven, HubClient, Released, driven, find_released
from tests.compat.seed import daily_papers, other_papers
from tests.e2e.processes import PAPERFEED, Installation, embedded, wait_until
from tests.e2e.test_tour import NO_NETWORK
from tests.shared import free_port


class Server:
    """A running server and its database."""

    def __init__(self, url: str, database: Database) -> None:
        self.url = url
        self.database = database

    def token(self, *scopes: str, reader: str | None) -> str:
        """Make a token, for a reader or for a service."""
        with self.database.write() as session:
            wanted = scopes or ("read", "write")
            label = f"laptop of {reader}"
            return create_token(session, external_user=reader, scopes=wanted, label=label, now=datetime.now(UTC))[1]


@contextmanager
def seeded_server(folder: Path, redis_url: str, **settings: str) -> Iterator[Server]:
    """Run `paperfeed serve` on a database with papers until the block ends."""
    database = Database(f"sqlite:///{folder / 'paperfeed.db'}")
    upgrade(database)
    with database.write() as session:
        record_papers(session, [*daily_papers(), *other_papers()], now=datetime.now(UTC))
    environment = {
        "PAPERFEED_DATABASE_URL": database.url,
        "PAPERFEED_CACHE_URL": redis_url,
        "PAPERFEED_BROKER_URL": redis_url.replace("unix://", "redis+socket://"),
        "PAPERFEED_SECRET_KEY": uuid.uuid4().hex,
        **settings,
    }
    installation = Installation(folder, port=free_port(), environment=environment)
    try:
        installation.start(PAPERFEED, "serve", log=folder / "serve.log")
        installation.wait_ready(seconds=120)
        wait_until(lambda: _finds_papers(installation), seconds=120, what="search")
        yield Server(f"http://127.0.0.1:{installation.port}", database)
    finally:
        installation.stop()
        database.engine.dispose()


def _finds_papers(installation: Installation) -> bool:
    return bool(installation.http.get("/v1/search", params={"q": "robot"}).json().get("items"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, redis_socket: Path) -> Iterator[Server]:
    """Return a server without a model: lists and search need none."""
    with seeded_server(tmp_path_factory.mktemp("compat"), f"unix://{redis_socket}") as server:
        yield server


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Return `paperfeed up` on an empty folder, without a network, as soon as its first model answers."""
    folder = tmp_path_factory.mktemp("first")
    (folder / ".venv").symlink_to(Path(PAPERFEED).parents[1])
    with embedded(folder / "data", environment=NO_NETWORK) as installation:
        wait_until(
            lambda: installation.http.get("/readyz").json()["checks"]["model"]["state"] == "ok",
            seconds=900,  # a first model is fitted with the patience that others leave it
            what="the first model",
            every=0.5,
        )
        yield installation


@pytest.fixture(scope="session", params=VERSIONS)
def released(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Return each of the released clients."""
    return find_released(request.param, tmp_path_factory.mktemp("hf-home"))


@pytest.fixture(scope="session", params=WITH_COMMANDS)
def command(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, server: Server
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return the `hf` command, which knows the server by `HF_ENDPOINT` alone."""
    released = find_released(request.param, tmp_path_factory.mktemp("hf-home"))

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return released.hf(*arguments, HF_ENDPOINT=server.url, **environment)

    return run


@pytest.fixture(scope="session")
def process(released: Released) -> Iterator[Driven]:
    """Return a process in the client's environment."""
    with driven(released) as process:
        yield process


@pytest.fixture
def anonymous(process: Driven, server: Server) -> HubClient:
    """Return a client without a token."""
    return HubClient(process, server.url, token=False)


@pytest.fixture
def client_of(process: Driven, server: Server) -> Callable[..., HubClient]:
    """Return a function that makes clients with a token of a reader."""

    def make(reader: str | None, *scopes: str, **headers: str) -> HubClient:
        options = {"headers": headers} if headers else {}
        return HubClient(process, server.url, token=server.token(*scopes, reader=reader), **options)

    return make


@pytest.fixture
def ada(client_of: Callable[..., HubClient]) -> HubClient:
    """Return a client of a reader of the test's own."""
    return client_of(f"ada-{uuid.uuid4().hex[:8]}")
