"""Tasks of the training queue, and the clockwork that starts and repairs runs."""

import logging
from datetime import UTC, datetime
from typing import Final

from api import queue
from api.runtime.owner import is_dead_owner
from api.services import training
from api.settings import read_settings
from api.store.servers import read_queue_lengths
from recommender.artifact import ArtifactError, read_manifest
from workers.app import longest_task_seconds, task
from workers.processes import runtime
from workers.runner import run_training as run_to_its_end
from workers.warming import CacheAway, Workshop, load_version, write_chunks

log = logging.getLogger(__name__)

WARM_LIMIT: Final = 3600


@task(queue.RUN_TRAINING, time_limit=longest_task_seconds(read_settings()))
def run_training(run_id: int) -> None:
    """Run what is queued under this number; a second message finds it taken and does nothing."""
    held = runtime()
    run_to_its_end(held.settings, held.db, held.feeds, run_id)


@task(queue.WARM_LISTS, time_limit=WARM_LIMIT)
def warm_lists(run_id: int) -> None:
    """Help the owner of a run with its chunks of readers, until none is left or the run has moved on."""
    held = runtime()
    with held.db.read() as session:
        version = training.read_warming_version(session, run_id)
    if version is None:
        return
    shop = Workshop(held.settings, held.db, held.feeds)
    try:
        served = load_version(held.settings.models_dir, version)
        lists = write_chunks(shop, served, run_id, check=_nothing, on_chunk=_nothing)
    except (CacheAway, ArtifactError) as error:
        log.warning("warm help ended", extra={"run_id": run_id, "error": str(error)})
    else:
        log.info("warm help done", extra={"run_id": run_id, "lists": lists})


@task(queue.REAP_RUNS)
def reap_runs() -> None:
    """Queue a run again whose worker died, and hint the workers at a run that nobody has picked up."""
    held = runtime()
    with held.db.write() as session:
        attempts = held.settings.train_attempts
        reaped = training.reap_run(session, now=datetime.now(UTC), attempts=attempts, is_dead=is_dead_owner)
    if reaped.ownerless_run_id is not None:
        outcome = reaped.outcome or "queued"
        log.warning("training run lost its worker", extra={"run_id": reaped.ownerless_run_id, "state": outcome})
    if reaped.queued_run_id is not None and not _has_waiting_hints(held.settings.resolved_broker_url):
        queue.send(queue.RUN_TRAINING, reaped.queued_run_id)


@task(queue.TRAIN_NIGHTLY)
def train_nightly() -> None:
    """Queue the nightly run."""
    held = runtime()
    with held.db.write() as session:
        run_id = training.request_nightly_run(session, now=datetime.now(UTC))
    _hint(run_id)


@task(queue.TRAIN_AFTER_EVENTS)
def train_after_events() -> None:
    """Queue a run when enough new events came through the API."""
    held = runtime()
    with held.db.write() as session:
        run_id = training.request_run_after_events(
            session, threshold=held.settings.train_after_events, now=datetime.now(UTC)
        )
    _hint(run_id)


@task(queue.REPAIR_MODEL)
def repair_model() -> None:
    """Queue a run when nobody can read the promoted model."""
    held = runtime()
    with held.db.write() as session:
        run_id = training.request_repair_run(session, is_readable=_is_readable, now=datetime.now(UTC))
    if run_id is not None:
        log.warning("the promoted model cannot be read, a new one is made", extra={"run_id": run_id})
    _hint(run_id)


def _is_readable(version: str) -> bool:
    try:
        read_manifest(runtime().settings.models_dir / version)
    except ArtifactError:
        return False
    return True


def _hint(run_id: int | None) -> None:
    if run_id is not None:
        log.info("training run queued", extra={"run_id": run_id})
        queue.send(queue.RUN_TRAINING, run_id)


def _has_waiting_hints(broker_url: str) -> bool:
    """True while the trainers have messages to take: another one would only pile up."""
    return bool((read_queue_lengths(broker_url, (queue.TRAIN_QUEUE,)) or {}).get(queue.TRAIN_QUEUE))


def _nothing() -> None:
    return None
