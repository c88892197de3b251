"""A supervisor over small programs, run as a process of its own: `python -m tests.faults.children RUN_DIR KIND...`."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

from api.runtime.leftovers import marker_of
from api.runtime.logs import configure_logging
from api.runtime.multiplex import LogMultiplexer
from api.runtime.supervisor import ChildSpec, Supervisor
from api.settings import Settings

PROGRAMS: Final = {
    "sleeper": "import time, sys; print('sleeper is up', flush=True); time.sleep(3600)",
    "stubborn": (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import signal, time;"
        " signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)'])\n"
        "print('stubborn is up', flush=True)\n"
        "time.sleep(3600)"
    ),
    "crasher": "import sys; print('crasher is up', flush=True); sys.exit(3)",
    "once": "print('once is done', flush=True)",
}


async def _nothing(_stage: int) -> None:
    """Wait for nothing between the stages."""


def main(run_dir: Path, kinds: list[str]) -> None:
    """Supervise the named programs until a signal."""
    output = LogMultiplexer(sys.stderr, as_json=False)
    specs = [_spec(kind) for kind in kinds]
    supervisor = Supervisor(specs, run_dir=run_dir, marker=marker_of(run_dir), output=output)
    with os.fdopen(os.dup(output.open("up")), "w", buffering=1) as own:
        configure_logging(Settings(log_format="text"), "up", stream=own)
        output.start()
        asyncio.run(supervisor.run(_nothing))
    output.close()


def _spec(kind: str) -> ChildSpec:
    if kind == "missing":
        return ChildSpec(kind, ("/nonexistent/program",))
    return ChildSpec(kind, (sys.executable, "-c", PROGRAMS[kind]), stop_seconds=1.0, runs_once=kind == "once")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
