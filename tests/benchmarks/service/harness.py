"""Servers and load on a core each, so that one is measured and the other never short of time.

A row of the table compares two `Target`s: `race` sends them load in turns, the rounds interleaved, so that whatever
else the machine does meets both. The server runs on the first core, the load, Redis and all else on the second.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS: Final = 32
START_SECONDS: Final = 90.0
STOP_SECONDS: Final = 15.0
WARM_UP_SECONDS: Final = 2.0
ROOT: Final = Path(__file__).parents[3]
# What wrk found, as one line of JSON; times in microseconds.
DONE: Final = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"seconds":%f,"bytes":%d,"p50":%f,"p95":%f,"p99":%f,"most":%f,"errors":%d}\\n',
    summary.requests, summary.duration / 1e6, summary.bytes, latency:percentile(50), latency:percentile(95),
    latency:percentile(99), latency.max, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of load found."""

    requests: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    most_ms: float
    errors: int  # broken connections, time-outs and answers of 400 and above
    bytes: int = 0

    @property
    def per_second(self) -> float:
        """Requests answered each second."""
        return self.requests / self.seconds

    @property
    def error_rate(self) -> float:
        """The share of requests that failed."""
        return self.errors / max(self.requests, 1)


@dataclass(frozen=True, slots=True)
class Target:
    """Where load goes and what it is: Lua that sets `request`, or `wrk.method`, `wrk.headers` and `wrk.body`."""

    name: str
    url: str
    script: str = ""
    connections: int = CONNECTIONS


@dataclass(frozen=True, slots=True)
class Race:
    """Two targets side by side: the median round of each, and the median of the rounds' ratios."""

    ours: Load
    theirs: Load
    ratio: float  # of requests a second
    p99_ratio: float
    rounds: tuple[tuple[Load, Load], ...]


@dataclass(frozen=True, slots=True)
class Bench:
    """How thoroughly to measure, and where to keep what it takes."""

    folder: Path
    seconds: float = 8.0  # of each run of load
    rounds: int = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    against: str
    at_least: str  # what was promised, in words
    is_met: bool | None  # None: nothing was promised
    value: float  # the ratio, or the figure itself
    unit: str = "x"
    ours: Load | None = None
    theirs: Load | None = None
    note: str = ""


def run_load(target: Target, *, seconds: float) -> Load:
    """Send load for some seconds and return what it found."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as script:
        script.write(target.script + DONE)
        script.flush()
        found = subprocess.run(
            [
                *("taskset", "-c", str(LOAD_CORE), "wrk", "-t", "1", "-c", str(target.connections)),
                *("-d", f"{max(round(seconds), 1)}s", "--timeout", "10s", "-s", script.name, target.url),
            ],
            capture_output=True,
            text=True,
            timeout=seconds + START_SECONDS,
            check=True,
        )
    load = read_load(found.stdout)
    if not load.requests:  # a rate of zero is no figure: whatever it is compared with would be a lie
        raise RuntimeError(f"{target.name}: nothing was answered at {target.url} within {seconds:g} s")
    return load


def read_load(text: str) -> Load:
    """Return what wrk printed through `DONE`."""
    lines = [line for line in text.splitlines() if line.startswith('{"requests"')]
    if not lines:
        raise RuntimeError(f"wrk said nothing about its run: {text[-500:]}")
    found = json.loads(lines[-1])
    milliseconds = {f"{name}_ms": found[name] / 1000 for name in ("p50", "p95", "p99", "most")}
    return Load(found["requests"], found["seconds"], **milliseconds, errors=found["errors"], bytes=found["bytes"])


def race(ours: Target, theirs: Target, bench: Bench) -> Race:
    """Warm both up, then measure them in turns; each round begins with the other one."""
    for target in (ours, theirs):
        run_load(target, seconds=WARM_UP_SECONDS)
    rounds = []
    for number in range(bench.rounds):
        pair = [ours, theirs] if number % 2 == 0 else [theirs, ours]
        found = {target.name: run_load(target, seconds=bench.seconds) for target in pair}
        rounds.append((found[ours.name], found[theirs.name]))
    return Race(
        ours=middle([mine for mine, _ in rounds]),
        theirs=middle([other for _, other in rounds]),
        ratio=statistics.median(mine.per_second / other.per_second for mine, other in rounds),
        p99_ratio=statistics.median(mine.p99_ms / other.p99_ms for mine, other in rounds),
        rounds=tuple(rounds),
    )


def middle(loads: Sequence[Load]) -> Load:
    """The run with the median rate, with the errors of all."""
    found = sorted(loads, key=lambda load: load.per_second)[len(loads) // 2]
    errors = sum(load.errors for load in loads)
    return Load(
        found.requests, found.seconds, found.p50_ms, found.p95_ms, found.p99_ms, found.most_ms, errors, found.bytes
    )


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with no settings but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAPERFEED_")}
    return {**kept, "PYTHONPATH": str(ROOT), **settings}


@contextmanager
def pinned(
    command: Sequence[str], *, core: int | str, log: Path, settings: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program on one core (or some: "0,1") until the block ends; what it writes goes to `log`."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            ["taskset", "-c", str(core), *command], env=environment(settings or {}), stdout=output, stderr=output
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def bare_server(
    app: str, *, port: int, folder: Path, settings: Mapping[str, str], core: int = SERVER_CORE
) -> Iterator[str]:
    """Run a plain application under uvicorn as its manual says, and return its address."""
    command = [
        *(sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning", "--no-access-log"),
        *("--loop", "uvloop", "--http", "httptools"),
    ]
    log = folder / f"{app.rpartition('.')[2].replace(':', '-')}.log"
    with pinned(command, core=core, log=log, settings=settings) as child:
        url = f"http://127.0.0.1:{port}"
        wait_for(url + "/livez", child, log=log)
        yield url


def wait_for(url: str, child: "subprocess.Popen[bytes]", *, log: Path) -> None:
    """Wait until something answers there; RuntimeError with the end of the log when it does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"nothing answers at {url}: {log.read_text(encoding='utf-8')[-2000:]}")


def missing_programs() -> list[str]:
    """Return what has to be installed before anything can be measured."""
    return [name for name in ("wrk", "taskset") if shutil.which(name) is None]
