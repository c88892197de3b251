"""Pages and events, ten to one, while lists follow and a model is trained, against the same without the training."""

import re
import statistics
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import psutil

from api.runtime.children import build_children
from api.runtime.supervisor import ChildSpec
from tests.benchmarks.service.harness import STOP_SECONDS, Bench, Load, Row, Target, environment, middle, run_load
from tests.benchmarks.service.world import Service, World, make_world, running

AT_MOST: Final = 2.0
SECONDS: Final = 60.0
PAIRS: Final = 2
PAGES_PER_EVENT: Final = 10
BESIDE: Final = ("worker", "trainer", "beat")  # on all cores, as `up` starts them
MOST_GROWTH: Final = 0.05  # of the API's memory between the second and the last quarter
ASK_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 120.0
LEAST_HITS: Final = 0.99  # of the pages: the row is about prepared lists
# Events as browsers send them: some seen, some opened, and each under an id of its own.
_MIXED: Final = """
local readers, papers = {@READERS}, {@PAPERS}
local kinds = {"impression", "impression", "click", "save", "upvote"}
local at = 0
request = function()
  at = at + 1
  local headers = {["Authorization"] = "Bearer @TOKEN", ["X-User"] = readers[at % #readers + 1]}
  if at % (@PER + 1) ~= 0 then return wrk.format("GET", "/v1/feed", headers) end
  headers["Content-Type"] = "application/json"
  local event = '{"events":[{"id":"@RUN-' .. at .. '","kind":"' .. kinds[at % #kinds + 1] .. '","paper_id":"'
    .. papers[math.random(#papers)] .. '","occurred_at":"' .. os.date("!%Y-%m-%dT%H:%M:%SZ") .. '"}]}'
  return wrk.format("POST", "/v1/events", headers, event)
end
"""


class Memory:
    """The memory of the API's processes, looked at every half second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen: list[int] = []

    def look(self) -> None:
        """Take one look."""
        parent = psutil.Process(self._pid)
        self._seen.append(sum(process.memory_info().rss for process in (parent, *parent.children(recursive=True))))

    @property
    def growth(self) -> float:
        """By which share the last quarter lies above the second one."""
        quarter = max(len(self._seen) // 4, 1)
        return statistics.fmean(self._seen[-quarter:]) / statistics.fmean(self._seen[quarter : 2 * quarter]) - 1


class Trainings:
    """Trainings one after the other, for as long as it is asked for."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.count = 0

    def ask(self) -> None:
        """Have a run queued unless one is there."""
        request = urllib.request.Request(
            self._service.url + "/v1/admin/training-runs",
            method="POST",
            headers={"Authorization": f"Bearer {self._service.world.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10):
                self.count += 1
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise


def measure(bench: Bench) -> list[Row]:
    """The same load without and with trainings, in turns."""
    is_quick = bench.rounds == 1
    seconds, pairs = (bench.seconds, 1) if is_quick else (SECONDS, PAIRS)
    world = make_world(bench.folder / "mixed")
    with running(world) as service, _beside(service):
        _build_lists(service)
        run_load(_target(service, "warm-up"), seconds=bench.seconds)
        without, with_training, growth, runs = [], [], [], 0
        before = _read_outcomes(service)
        for number in range(pairs):
            memory, trainings = Memory(service.api_pid), Trainings(service)
            with _meanwhile(memory):
                without.append(run_load(_target(service, f"without-{number}"), seconds=seconds))
            _begin_training(service, trainings)
            with _meanwhile(memory, trainings):
                with_training.append(run_load(_target(service, f"with-{number}"), seconds=seconds))
            growth.append(memory.growth)
            runs += trainings.count
            _wait_for_end(service)
        hits = _hit_share(before, _read_outcomes(service))
    return [_row(without, with_training, growth=max(growth), runs=runs, hits=hits)]


def _row(without: list[Load], with_training: list[Load], *, growth: float, runs: int, hits: float) -> Row:
    ours, theirs = middle(with_training), middle(without)
    pairs = list(zip(with_training, without, strict=True))
    ratio = statistics.median(mine.p99_ms / other.p99_ms for mine, other in pairs)
    rate = statistics.median(mine.per_second / other.per_second for mine, other in pairs)
    errors = ours.errors + theirs.errors
    return Row(
        what=f"pages and events {PAGES_PER_EVENT}:1, lists follow, a retrain running: p99",
        against="the same without the retrain",
        at_least=f"at most {AT_MOST}, no error, memory flat",
        is_met=ratio <= AT_MOST and not errors and growth <= MOST_GROWTH and hits >= LEAST_HITS,
        value=ratio,
        ours=ours,
        theirs=theirs,
        note=f"{rate:.2f} of its requests/s, {runs} runs, {hits:.1%} hits, {errors} errors, memory {growth:+.1%}",
    )


def _build_lists(service: Service) -> None:
    """Ask for every reader's page once: what is measured are hits."""
    for reader in service.world.readers:
        headers = {"Authorization": f"Bearer {service.world.token}", "X-User": reader}
        with urllib.request.urlopen(urllib.request.Request(service.url + "/v1/feed", headers=headers), timeout=30):
            pass


def _target(service: Service, run: str) -> Target:
    world = service.world
    script = _MIXED.replace("@READERS", _table(world.readers)).replace("@PAPERS", _table(world.papers))
    script = script.replace("@TOKEN", world.token).replace("@PER", str(PAGES_PER_EVENT)).replace("@RUN", run)
    return Target("pages and events", service.url, script)


def _table(names: tuple[str, ...]) -> str:
    return ",".join(f'"{name}"' for name in names)


@contextmanager
def _beside(service: Service) -> Iterator[None]:
    """Run the workers and their clock until the block ends."""
    with ExitStack() as stack:
        for spec in build_children(service.world.settings, is_empty=True):
            if spec.role in BESIDE:
                stack.enter_context(_child(spec, service.world, service.variables))
        yield


@contextmanager
def _child(spec: ChildSpec, world: World, variables: dict[str, str]) -> Iterator[None]:
    with (world.folder / f"{spec.role}.log").open("ab") as log:
        child = subprocess.Popen(spec.command, env=environment(variables | dict(spec.env)), stdout=log, stderr=log)
    try:
        yield
    finally:
        child.send_signal(spec.stop_signal)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def _meanwhile(memory: Memory, trainings: Trainings | None = None) -> Iterator[None]:
    """Look at the memory and keep trainings going until the block ends."""
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            memory.look()
            if trainings is not None:
                trainings.ask()
            is_over.wait(ASK_SECONDS)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _begin_training(service: Service, trainings: Trainings) -> None:
    """Have a training run and wait until its first process does: a worker has to start before it takes one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        trainings.ask()
        if _is_training(service):
            return
        time.sleep(ASK_SECONDS)
    raise RuntimeError(f"no training began within {PATIENCE_SECONDS:g} s: see trainer.log in {service.world.folder}")


def _wait_for_end(service: Service) -> None:
    """Wait until no training is under way, for some time at most: the next round begins without one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and _is_training(service):
        time.sleep(ASK_SECONDS)


def _is_training(service: Service) -> bool:
    return any(_is_stage(process, service) for process in psutil.process_iter(["cmdline"]))


def _hit_share(before: dict[str, float], after: dict[str, float]) -> float:
    """The share of pages that came from a prepared list."""
    hits, misses = (after.get(name, 0.0) - before.get(name, 0.0) for name in ("hit", "miss"))
    return hits / max(hits + misses, 1.0)


def _read_outcomes(service: Service) -> dict[str, float]:
    """How often a prepared list was found so far, and how often not."""
    request = urllib.request.Request(
        service.url + "/metrics", headers={"Authorization": f"Bearer {service.world.token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    return {
        name: float(value) for name, value in re.findall(r'paperfeed_feed_cache_total{outcome="(\w+)"} (\S+)', text)
    }


def _is_stage(process: psutil.Process, service: Service) -> bool:
    line = process.info["cmdline"] or []
    return "workers.apart" in line and any(str(service.world.folder) in part for part in line)
