"""The running service on a real socket, and a proxy before it that misbehaves as told."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn

from api.app import create_app
from api.client import Client, Retry
from api.settings import Settings
from api.store.engine import Database
from tests.api.client.proxy import Proxy, running_proxy
from tests.api.routes.conftest import papers, settings, token_of
from tests.faults.watching import until
from tests.shared import free_port

__all__ = ["papers", "settings", "token_of"]

QUICK = Retry(first_seconds=0.02, longest_seconds=0.1)


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return one kind of database: the client sees none of it."""
    return sqlite_database


@pytest.fixture
def service(settings: Settings) -> Iterator[str]:
    """Return the address of the running service."""
    port = free_port()
    config = uvicorn.Config(
        create_app(settings), host="127.0.0.1", port=port, log_config=None, access_log=False, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started, seconds=60, what="the service")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture
def proxy(service: str) -> Iterator[Proxy]:
    """Return a proxy before the service."""
    with running_proxy(service) as proxy:
        yield proxy


@pytest.fixture
def token(token_of: Callable[..., str]) -> str:
    """Return the token of a service that may do everything."""
    return token_of("read", "write", "admin")


@pytest.fixture
def client(service: str, token: str, papers: list[str]) -> Iterator[Client]:
    """Return a client that acts for the reader ada, in a service with five papers."""
    with Client(service, token, reader="ada", retry=QUICK) as client:
        yield client


@pytest.fixture
def through(proxy: Proxy, token: str, papers: list[str]) -> Iterator[Client]:
    """Return the same client behind the proxy."""
    with Client(proxy.url, token, reader="ada", retry=QUICK) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a buffer."""
    return tmp_path / "buffer"


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, folder: Path) -> Path | None:
    """Return where events wait."""
    return folder if request.param == "folder" else None
