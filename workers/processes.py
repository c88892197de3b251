"""What one worker process holds open: built after the fork, never shared with the parent."""

import threading

from api.runtime.state import Runtime, build_runtime
from api.settings import read_settings

refreshes_lists = True  # the parent knows its queues before it forks; a worker of fits alone needs no serving model

_lock = threading.Lock()
_runtime: Runtime | None = None


def runtime() -> Runtime:
    """Return this process's runtime, opened on first use."""
    global _runtime  # noqa: PLW0603 - one runtime per process is the point
    with _lock:
        if _runtime is None:
            _runtime = build_runtime(read_settings())
        return _runtime


def start() -> None:
    """Forget what the parent held open and, where lists are built, begin to follow the serving model."""
    global _runtime
    inherited, _runtime = _runtime, None
    if inherited is not None:
        inherited.db.dispose()
    if refreshes_lists:
        runtime().serving.start()


def stop() -> None:
    """Close what this process holds open."""
    global _runtime
    held, _runtime = _runtime, None
    if held is not None:
        held.close()
