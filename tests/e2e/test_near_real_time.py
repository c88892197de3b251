"""Lists follow events in a running service: soon, and whatever is killed or flushed meanwhile."""

import threading
import time
from collections.abc import Iterator

import pytest
import redis

from api.settings import Settings
from tests.benchmarks.near_real_time import demonstration, measure
from tests.e2e.processes import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]

RATE, SECONDS, READERS = 20.0, 10.0, 50
MOST_MEDIAN, MOST_P95 = 1.5, 5.0  # seconds: five times and more of the objective, for machines with other work
WORKER = ("celery", "events@")
SWEEP_SECONDS = 5


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    settings = {"PAPERFEED_SWEEP_SECONDS": str(SWEEP_SECONDS)}
    with demonstration(tmp_path_factory.mktemp("near") / "data", settings) as installation:
        yield installation


def test_lists_follow_events_within_the_bounds(up: Installation) -> None:
    for _ in range(3):  # others may have the processor for a moment
        inside, outside = measure(up, seconds=SECONDS, rate=RATE, readers=READERS)
        assert (outside.lost, outside.refused) == (0, 0)
        if inside.quantile(0.5) < MOST_MEDIAN and inside.quantile(0.95) < MOST_P95:
            return
    pytest.fail(f"median {inside.quantile(0.5):.2f} s, p95 {inside.quantile(0.95):.2f} s")


def test_killed_workers_and_flushed_servers_lose_no_list(up: Installation) -> None:
    settings = Settings(data_dir=up.data_dir)
    killed: list[int] = []

    def sabotage() -> None:
        for at in range(3):
            time.sleep(SECONDS / 5)
            killed.append(up.kill(*WORKER))
            name = ("cache", "broker")[at % 2]
            with redis.Redis(unix_socket_path=str(settings.run_dir / f"{name}.sock")) as server:
                server.flushall()

    saboteur = threading.Thread(target=sabotage)
    saboteur.start()
    _, outside = measure(up, seconds=SECONDS, rate=RATE, readers=READERS)
    saboteur.join()
    assert sum(killed) >= 3
    assert len(outside.seconds) > 0
    assert (outside.lost, outside.refused) == (0, 0)
