"""Keeps the children of `up` running, through the process manager circus."""

import asyncio
import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from circus.arbiter import Arbiter
from circus.exc import ConflictError
from circus.watcher import Watcher
from tornado.ioloop import IOLoop

from api.runtime.leftovers import MARKER, end_group, end_processes_of
from api.runtime.multiplex import LogMultiplexer

log = logging.getLogger(__name__)

CHECK_SECONDS: Final = 0.5  # how often circus looks for dead children
SHORT_LIFE_SECONDS: Final = 5.0  # a child that fails sooner waits a little before it is tried again
CRASH_DELAY_SECONDS: Final = 1.0
STOP_LIMIT_SECONDS: Final = 8.3  # for all children together; what is left then is killed
CONFLICT_WAIT_SECONDS: Final = 0.02
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A program to keep running; lower stages start first, and stage 0, the servers, stops last."""

    role: str
    command: Sequence[str]
    stage: int = 1
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 5.0  # between that signal and SIGKILL
    runs_once: bool = False  # ends for good when it exits with 0
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Child:
    """What is known about a role while it runs."""

    spec: ChildSpec
    watcher: Watcher
    pid: int | None = None
    starts: int = 0
    started_at: float = 0.0  # monotonic
    is_finished: bool = False
    failed_early: bool = False


class _PatientArbiter(Arbiter):  # type: ignore[misc]  # circus ships no types
    """An arbiter whose periodic look is left out, not logged as a failure, while it is busy with something else."""

    def manage_watchers(self) -> Awaitable[None] | None:
        try:
            looking: Awaitable[None] = super().manage_watchers()
        except ConflictError:
            return None
        return looking


class Supervisor:
    """Starts the children stage by stage, restarts those that die, stops all within ten seconds."""

    def __init__(self, specs: Sequence[ChildSpec], *, run_dir: Path, marker: str, output: LogMultiplexer) -> None:
        self._run_dir = run_dir
        self._marker = marker
        self._log_fds = {spec.role: output.open(spec.role) for spec in specs}
        self._specs = specs
        self._children: dict[str, _Child] = {}
        self._stop = asyncio.Event()

    async def run(self, after_stage: Callable[[int], Awaitable[None]]) -> None:
        """Run until a signal; `after_stage(n)` is awaited once the children of stage n have been started."""
        loop = asyncio.get_running_loop()
        for signum in STOP_SIGNALS:
            if signal.getsignal(signum) != signal.SIG_IGN:  # nohup's wish holds
                loop.add_signal_handler(signum, self._stop.set)
        self._children = {spec.role: _Child(spec, self._build_watcher(spec)) for spec in self._specs}
        arbiter = _PatientArbiter(
            [child.watcher for child in self._children.values()],
            endpoint=f"ipc://{self._run_dir / 'circus.sock'}",
            pubsub_endpoint=f"ipc://{self._run_dir / 'circus-events.sock'}",
            check_delay=CHECK_SECONDS,
            loop=IOLoop.current(),
            proc_name="paperfeed",
        )
        arbiter.ctrl.sys_hdl.stop()  # its handlers drop a signal that comes while circus is busy: ours stay
        await arbiter.start()
        await self._keep_running(after_stage)
        log.info("stopping")
        try:
            await asyncio.wait_for(self._stop_all(arbiter), STOP_LIMIT_SECONDS)
        except TimeoutError:
            log.warning("children did not stop in time")
        for pid in end_processes_of(self._marker):
            log.warning("killed a process that did not stop", extra={"pid": pid})
        log.info("stopped")

    def _build_watcher(self, spec: ChildSpec) -> Watcher:
        return Watcher(
            spec.role,
            shlex.quote(sys.executable),
            args=self._arguments(spec, delay=0.0),
            env={**spec.env, MARKER: self._marker},
            copy_env=True,
            autostart=False,
            singleton=True,
            # One try a check; `_keep_running` starts again what circus gave up. Circus's own endless retry
            # (max_retry=-1) spins without returning to the loop while a program cannot be started.
            max_retry=1,
            stop_signal=spec.stop_signal,
            graceful_timeout=spec.stop_seconds,
            use_sockets=True,  # lets the child inherit its end of the log's pipe
            hooks={
                "before_spawn": (self._before_spawn, True),
                "after_spawn": (self._after_spawn, True),
                "after_reap": (self._after_reap, True),
            },
        )

    def _arguments(self, spec: ChildSpec, *, delay: float) -> list[str]:
        wrapper = ("-P", "-m", "api.runtime.child", str(os.getpid()), str(self._log_fds[spec.role]), str(delay))
        return [*wrapper, *spec.command]

    async def _keep_running(self, after_stage: Callable[[int], Awaitable[None]]) -> None:
        for stage in sorted({spec.stage for spec in self._specs}):
            await self._start_stopped(up_to_stage=stage)
            await self._unless_stopping(after_stage(stage))
        while not self._stop.is_set():
            await self._unless_stopping(asyncio.sleep(CHECK_SECONDS))
            await self._start_stopped()

    async def _start_stopped(self, *, up_to_stage: int = sys.maxsize) -> None:
        for child in self._children.values():
            is_wanted = not child.is_finished and child.spec.stage <= up_to_stage
            if is_wanted and child.watcher.is_stopped() and not self._stop.is_set():
                await _exclusively(child.watcher.start)

    async def _unless_stopping(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        elif (error := task.exception()) is not None:
            log.error("a step after the start failed", exc_info=error)

    async def _stop_all(self, arbiter: Arbiter) -> None:
        arbiter.ctrl.caller.stop()  # from here on nothing is restarted
        programs = [child.watcher for child in self._children.values() if child.spec.stage > 0]

        def choose(reverse: bool) -> list[Watcher]:  # noqa: ARG001 - circus's signature
            return programs

        await _exclusively(lambda: arbiter.stop_watchers(choose))
        await _exclusively(arbiter.stop)

    def _before_spawn(self, *, watcher: Watcher, **_: Any) -> bool:
        child = self._children[watcher.name]
        if child.pid is not None:
            end_group(child.pid)  # what the dead child has left behind holds its port or its task
        watcher.args = self._arguments(child.spec, delay=CRASH_DELAY_SECONDS if child.failed_early else 0.0)
        return True

    def _after_spawn(self, *, watcher: Watcher, pid: int, **_: Any) -> bool:
        child = self._children[watcher.name]
        child.pid, child.started_at, child.failed_early = pid, time.monotonic(), False
        child.starts += 1
        word = "started" if child.starts == 1 else "restarted"
        log.info("%s %s", child.spec.role, word, extra={"pid": pid, "starts": child.starts})
        return True

    def _after_reap(self, *, watcher: Watcher, process_pid: int, exit_code: int | None, **_: Any) -> bool:
        child = self._children[watcher.name]
        if child.spec.runs_once and exit_code == 0:
            child.is_finished, watcher.respawn = True, False
            return True
        if self._stop.is_set():
            return True
        life = time.monotonic() - child.started_at
        child.failed_early = (exit_code or 0) > 0 and life < SHORT_LIFE_SECONDS
        extra = {"pid": process_pid, "ended_by": _ended_by(exit_code), "life_seconds": round(life, 1)}
        log.warning("%s died, restarting it", child.spec.role, extra=extra)
        return True


async def _exclusively(action: Callable[[], Awaitable[object]]) -> None:
    """Run an action of circus, which refuses one while another is under way."""
    while True:
        try:
            await action()
        except ConflictError:
            await asyncio.sleep(CONFLICT_WAIT_SECONDS)
        else:
            return


def _ended_by(exit_code: int | None) -> str:
    if exit_code is None:
        return "unknown"
    if exit_code >= 0:
        return f"exit {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
