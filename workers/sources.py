"""Tasks that read sources: a look for what is due, and one run of one source."""

import logging
from datetime import UTC, datetime
from typing import Final

from api import queue
from api.runtime.owner import is_dead_owner
from api.services import sources
from api.settings import read_settings
from api.store.servers import read_queue_lengths
from workers.app import task
from workers.harvest import lease_seconds, read_source
from workers.processes import runtime

log = logging.getLogger(__name__)

SPARE_SECONDS: Final = 30  # a run ends by itself before its lease does


@task(queue.SWEEP_SOURCES)
def sweep_sources() -> list[str]:
    """Queue a run of each source that is due, and return their names; none while the runs before still wait."""
    held = runtime()
    now = datetime.now(UTC)
    with held.db.write() as session:
        sources.ensure_sources(session, held.settings, now=now)
        due = sources.take_due(session, held.settings, now=now, is_dead=is_dead_owner)
    if due and _has_waiting_runs(held.settings.resolved_broker_url):
        return []
    for name in due:
        queue.send(queue.READ_SOURCE, name)
    return due


@task(queue.READ_SOURCE, time_limit=int(lease_seconds(read_settings())) + SPARE_SECONDS)
def read_one_source(name: str) -> None:
    """Read this source if it is due and nobody does; what a run leaves is queued behind the others."""
    held = runtime()
    if name not in held.settings.active_sources:
        log.warning("source is not one of this installation", extra={"source": name})
        return
    harvest = read_source(held.settings, held.db, name, seconds=held.settings.source_run_seconds)
    if harvest is not None and harvest.outcome == "unfinished":
        queue.send(queue.READ_SOURCE, name)


def _has_waiting_runs(broker_url: str) -> bool:
    lengths = read_queue_lengths(broker_url, (queue.SOURCES_QUEUE,)) or {}
    return bool(lengths.get(queue.SOURCES_QUEUE))
