"""One training run from claim to verdict: snapshot, judge, fit, warm, promote.

Every write to the run goes through its lease, so a worker that lost the run cannot change it. What a stage has
finished lies in the run's folder whole or not at all; whoever picks the run up goes on behind it.
"""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import OperationalError

from api import queue
from api.errors import ServiceError
from api.runtime.metrics import STAGE_SECONDS, TRAINING_RUNS
from api.runtime.owner import name_this_process
from api.services import judging, snapshots, training, versions, warming
from api.services.snapshots import Plan
from api.services.training import CancelRequested, LeaseLost, Outcome
from api.settings import Settings
from api.store.engine import Database
from api.store.feeds import FeedStore
from api.store.runs import Lease
from api.store.snapshots import publish_directory, read_json
from workers.artifacts import tidy, unfinished_name, version_name
from workers.fitting import RESULTS
from workers.pulse import Pulse
from workers.spawned import StageFailed, StageKilled, run_stage
from workers.warming import CacheAway, Workshop, load_version, write_chunks

log = logging.getLogger(__name__)

CHUNK_READERS: Final = 100  # a few seconds of work for one worker
OTHERS_PAUSE_SECONDS: Final = 0.2  # between looks at chunks that other workers have

Json = dict[str, Any]


class Refused(Exception):
    """The judge refused the model."""


@dataclass(slots=True)
class Job:
    """A run that this process holds, with what is known about it so far."""

    settings: Settings
    db: Database
    feeds: FeedStore
    lease: Lease
    pulse: Pulse
    version: str
    started_at: datetime
    figures: Json = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where the run's snapshot and results lie until it ends."""
        return self.settings.data_dir / "runs" / str(self.lease.run_id)

    @property
    def artifact(self) -> Path:
        """Where the fitted model lies."""
        return self.settings.models_dir / self.version

    def report(self) -> Json:
        """Return the figures with the notes."""
        return self.figures | {"note": "; ".join(self.notes) or None}


def run_training(settings: Settings, db: Database, feeds: FeedStore, run_id: int) -> Outcome | None:
    """Claim a queued run and bring it to its end; None when another worker has it, or will have it."""
    with db.write() as session:
        lease = training.claim_run(
            session,
            run_id,
            owner=name_this_process(),
            now=datetime.now(UTC),
            lease_seconds=settings.train_lease_seconds,
        )
    if lease is None:
        return None
    with db.read() as session:
        run = training.read_run(session, run_id)
    log.info("training run claimed", extra={"run_id": run_id, "attempt": run.attempts})
    with Pulse(db, lease, lease_seconds=settings.train_lease_seconds) as pulse:
        job = Job(settings, db, feeds, lease, pulse, version_name(run), run.started_at or datetime.now(UTC))
        outcome = _settle(job)
    if outcome is not None:
        TRAINING_RUNS.labels(outcome).inc()
        tidy(settings, db, run_id=run_id, is_promoted=outcome == "succeeded")
    return outcome


def _settle(job: Job) -> Outcome | None:
    """Run the stages and record how they ended."""
    run_id = job.lease.run_id
    outcome: Outcome
    try:
        _run_stages(job)
    except LeaseLost:
        log.warning("training run left to its new owner", extra={"run_id": run_id})
        return None
    except CancelRequested:
        outcome, reason = "cancelled", training.CANCEL_REASON
    except Refused as error:
        outcome, reason = "rejected", str(error)
    except (StageKilled, OperationalError) as error:
        return _release(job, error)
    except (StageFailed, ServiceError) as error:
        outcome, reason = "failed", str(error)
    except Exception as error:  # a task's outermost call: the run must not stay "running"
        log.exception("training run failed", extra={"run_id": run_id})
        outcome, reason = "failed", f"{type(error).__name__}: {error}"
    else:
        return "succeeded"
    return _finish(job, outcome, reason)


def _run_stages(job: Job) -> None:
    plan = _snapshot(job)
    job.notes += [plan.note] if plan.note else []
    _judge(job)
    _fit(job, plan)
    warm_began_at = _warm(job)
    _promote(job, warm_began_at)


def _snapshot(job: Job) -> Plan:
    plan = snapshots.load_plan(job.folder)
    if plan is None:
        with _stage(job, "snapshot"), job.db.read() as session:
            plan = snapshots.take_snapshot(
                session, job.folder, settings=job.settings, now=datetime.now(UTC), report=job.pulse.show
            )
    with job.db.write() as session:
        training.record_snapshot(session, job.lease, last_event_pk=plan.last_event_pk, version=job.version)
    return plan


def _judge(job: Job) -> None:
    judgement = read_json(job.folder / RESULTS["judge"])
    if judgement is None:
        _run_apart(job, "judge")
        judgement = _read_result(job, "judge")
    job.figures["judgement"] = judgement
    verdict = judging.read_verdict(judgement)
    job.notes += [verdict.note] if verdict.note else []
    with job.db.write() as session:
        training.record_figures(session, job.lease, job.report())
    if verdict.is_refused:
        raise Refused(verdict.reason)


def _fit(job: Job, plan: Plan) -> None:
    if read_json(job.folder / RESULTS["fit"]) is None or not job.artifact.is_dir():
        aside = _run_apart(job, "fit")
        job.pulse.check()
        publish_directory(aside, job.artifact)
    fit = _read_result(job, "fit")
    job.notes += fit["notes"]
    job.figures |= {name: fit[name] for name in ("readers", "papers", "events", "pairs")}
    job.figures |= {"fit_seconds": fit["seconds"], "peak_memory_mb": fit["peak_memory_mb"]}
    report = job.report()
    with job.db.write() as session:
        versions.register_model(
            session,
            job.lease,
            version=job.version,
            config=plan.stored_config,
            figures=report,
            note=report["note"],
            fingerprint=fit["fingerprint"],
            now=datetime.now(UTC),
        )


def _warm(job: Job) -> datetime:
    """Write the active readers' lists and return a time before the first of them was begun."""
    began_at, began = datetime.now(UTC), time.monotonic()
    lists = 0
    with _stage(job, "warm"):
        active_since = began_at - timedelta(days=job.settings.active_days)
        with job.db.write() as session:
            is_first = training.plan_warm(session, job.lease, active_since=active_since, size=CHUNK_READERS)
        try:
            lists = _warm_all(job)
        except CacheAway as error:
            log.warning("warm skipped", extra={"run_id": job.lease.run_id, "error": str(error)})
            job.notes.append(f"warm skipped, lists are built when they are asked for: {error}")
    job.figures["warm"] = {"lists": lists, "seconds": round(time.monotonic() - began, 3)}
    return began_at if is_first else job.started_at


def _warm_all(job: Job) -> int:
    shop = Workshop(job.settings, job.db, job.feeds)
    served = load_version(job.settings.models_dir, job.version)
    with job.db.read() as session:
        served = warming.extend_served(session, served)
    queue.send(queue.WARM_LISTS, job.lease.run_id)
    lists = 0
    while True:
        lists += write_chunks(
            shop, served, job.lease.run_id, check=job.pulse.check, on_chunk=lambda: _show_warm_progress(job)
        )
        if _show_warm_progress(job) == 1.0:
            return lists
        job.pulse.check()
        time.sleep(OTHERS_PAUSE_SECONDS)


def _promote(job: Job, warm_began_at: datetime) -> None:
    with _stage(job, "promote"), job.db.write() as session:
        versions.promote_run(
            session,
            job.lease,
            version=job.version,
            figures=job.report(),
            warm_began_at=warm_began_at,
            now=datetime.now(UTC),
        )
    log.info("model promoted", extra={"run_id": job.lease.run_id, "version": job.version})
    queue.send(queue.SWEEP_FEEDS)


def _run_apart(job: Job, stage: str) -> Path:
    """Run a stage in a process of its own and return the folder that it may have filled."""
    aside = job.settings.models_dir / unfinished_name(job.version, job.lease.fencing_token)
    aside.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(aside, ignore_errors=True)
    with _stage(job, stage):
        run_stage(
            stage,
            job.folder,
            artifact=aside,
            seconds=job.settings.train_fit_minutes * 60,
            check=job.pulse.check,
            on_progress=job.pulse.show,
        )
    return aside


def _read_result(job: Job, stage: str) -> Json:
    result = read_json(job.folder / RESULTS[stage])
    if result is None:
        raise StageFailed(f"the {stage} left no result in {job.folder}")
    return result


def _finish(job: Job, outcome: Outcome, reason: str) -> Outcome | None:
    try:
        with job.db.write() as session:
            training.finish_run(
                session, job.lease, outcome=outcome, reason=reason, figures=job.report(), now=datetime.now(UTC)
            )
    except LeaseLost:
        return None
    log.info("training run ended", extra={"run_id": job.lease.run_id, "state": outcome, "reason": reason})
    return outcome


def _release(job: Job, error: Exception) -> Outcome | None:
    """Leave the run to another attempt, or record that there were enough of them."""
    run_id = job.lease.run_id
    log.warning("training run interrupted", extra={"run_id": run_id, "error": str(error)})
    try:
        with job.db.write() as session:
            outcome = training.release_run(
                session, job.lease, reason=str(error), attempts=job.settings.train_attempts, now=datetime.now(UTC)
            )
    except LeaseLost:
        return None
    if outcome is None:
        queue.send(queue.RUN_TRAINING, run_id)
    return outcome


def _show_warm_progress(job: Job) -> float:
    with job.db.read() as session:
        progress = warming.read_progress(session, job.lease.run_id)
    job.pulse.show(progress)
    return progress


@contextmanager
def _stage(job: Job, stage: str) -> Iterator[None]:
    job.pulse.enter(stage)
    began = time.monotonic()
    yield
    STAGE_SECONDS.labels(stage).observe(time.monotonic() - began)
