"""What one worker process holds open: built after the fork, never shared with the parent."""

import threading

from api.runtime.state import Runtime, build_runtime
from api.settings import read_settings
from api.store.pending import PendingReaders
from workers.refreshing import Refresher

refreshes_lists = True  # the parent knows its queues before it forks; a worker of fits alone needs no serving model

_lock = threading.Lock()
_runtime: Runtime | None = None
_refresher: Refresher | None = None


def runtime() -> Runtime:
    """Return this process's runtime, opened on first use."""
    global _runtime  # noqa: PLW0603 - one runtime per process is the point
    with _lock:
        if _runtime is None:
            _runtime = build_runtime(read_settings())
        return _runtime


def start() -> None:
    """Forget what the parent held open; where lists are built, begin to follow the serving model and the readers."""
    global _runtime, _refresher  # noqa: PLW0603 - one of each per process is the point
    inherited, _runtime = _runtime, None
    if inherited is not None:
        inherited.db.dispose()
    if refreshes_lists:
        held = runtime()
        held.serving.start()
        _refresher = Refresher(held, PendingReaders(held.settings.resolved_broker_url))
        _refresher.start()


def stop() -> None:
    """Close what this process holds open."""
    global _runtime, _refresher
    refresher, _refresher = _refresher, None
    if refresher is not None:
        refresher.stop()
    held, _runtime = _runtime, None
    if held is not None:
        held.close()
