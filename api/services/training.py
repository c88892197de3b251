"""The life of a training run: requested, claimed under a lease, finished, cancelled, picked up again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy.orm import Session

from api.errors import Conflict, NotFound
from api.store import events, papers, registry, runs
from api.store.runs import Lease, ReaderRange
from api.store.tables import TrainingRun

Trigger = Literal["admin", "nightly", "events", "command", "first_start", "repair"]
Outcome = Literal["succeeded", "rejected", "failed", "cancelled"]

LEAST_PAUSE: Final = timedelta(hours=1)  # between two runs that nobody asked for by hand
FINAL_STATES: Final = frozenset({"succeeded", "rejected", "failed", "cancelled"})
CANCEL_REASON: Final = "cancelled on request"


class LeaseLost(Conflict):
    """Another worker owns the run now, or it has ended: this one must stop writing."""

    title, type_name = "Lease lost", "lease-lost"


class CancelRequested(Conflict):
    """Somebody asked to cancel the run before it could be promoted."""

    title, type_name = "Cancel requested", "cancel-requested"


@dataclass(frozen=True, slots=True)
class Reaped:
    """What the reaper found: a run to hint the workers at, and what it did to a run without an owner."""

    queued_run_id: int | None = None
    ownerless_run_id: int | None = None
    outcome: Outcome | None = None  # of the ownerless run, None when it is queued again


def request_run(session: Session, *, trigger: Trigger, now: datetime) -> tuple[TrainingRun, bool]:
    """Return the active run and whether this call created it; requests that arrive together share one run."""
    while True:
        run_id = runs.insert_run(session, trigger=trigger, now=now)
        run = runs.load_active_run(session) if run_id is None else runs.load_run(session, run_id)
        if run is not None:  # else the active one ended between the two statements
            return run, run_id is not None


def read_run(session: Session, run_id: int) -> TrainingRun:
    """Return one run; raises NotFound."""
    run = runs.load_run(session, run_id)
    if run is None:
        raise NotFound(f"There is no training run {run_id}.", run_id=run_id)
    return run


def read_runs(session: Session, *, limit: int, before_run_id: int | None = None) -> Sequence[TrainingRun]:
    """Return runs, newest first."""
    return runs.load_runs(session, before_run_id=before_run_id, limit=limit)


def cancel_run(session: Session, run_id: int, *, now: datetime) -> TrainingRun:
    """Cancel a queued run at once and ask the owner of a running one to stop; raises Conflict when it has ended."""
    run = read_run(session, run_id)
    if run.state in FINAL_STATES:
        raise Conflict(f"Training run {run_id} has ended: {run.state}.", run_id=run_id, state=run.state)
    runs.request_cancel(session, run_id, now=now)
    return read_run(session, run_id)


def claim_run(session: Session, run_id: int, *, owner: str, now: datetime, lease_seconds: float) -> Lease | None:
    """Take a queued run for this worker; None when somebody else was faster or it has ended."""
    lease_until = now + timedelta(seconds=lease_seconds)
    return runs.claim_run(session, run_id, owner=owner, now=now, lease_until=lease_until)


def heartbeat(
    session: Session, lease: Lease, *, stage: str | None, progress: float, now: datetime, lease_seconds: float
) -> bool:
    """Prolong the lease, record how far the run is, return whether its cancel was asked for; raises LeaseLost."""
    lease_until = now + timedelta(seconds=lease_seconds)
    values: dict[str, Any] = {"stage": stage, "progress": progress, "lease_until": lease_until}
    if stage is None:
        del values["stage"]
    return _write(session, lease, values)


def record_snapshot(session: Session, lease: Lease, *, last_event_pk: int, version: str) -> None:
    """Record which events the run has taken and the name its model will have; raises LeaseLost."""
    _write(session, lease, {"last_event_pk": last_event_pk, "version": version})


def record_figures(session: Session, lease: Lease, figures: Mapping[str, Any]) -> None:
    """Show what is known so far; raises LeaseLost."""
    _write(session, lease, {"figures": dict(figures)})


def finish_run(
    session: Session,
    lease: Lease,
    *,
    outcome: Outcome,
    now: datetime,
    reason: str | None = None,
    figures: Mapping[str, Any] | None = None,
) -> None:
    """End the run; raises LeaseLost, and CancelRequested instead of a success that was cancelled just before."""
    values: dict[str, Any] = {"state": outcome, "active": None, "finished_at": now, "reason": reason}
    values |= {"lease_owner": None, "lease_until": None}
    if figures is not None:
        values["figures"] = dict(figures)
    if outcome == "succeeded":
        values["progress"] = 1.0
    is_cancelled = _write(session, lease, values)
    if is_cancelled and outcome == "succeeded":
        raise CancelRequested(f"Training run {lease.run_id} was cancelled.", run_id=lease.run_id)
    runs.delete_chunks(session, lease.run_id)


def release_run(session: Session, lease: Lease, *, reason: str, attempts: int, now: datetime) -> Outcome | None:
    """Give up the lease so that the run is picked up again; returns how it ended when it was cancelled or tried enough.

    Raises LeaseLost.
    """
    run = read_run(session, lease.run_id)
    if run.cancel_requested:
        finish_run(session, lease, outcome="cancelled", reason=CANCEL_REASON, now=now)
        return "cancelled"
    if run.attempts > attempts:
        text = f"given up after {run.attempts} attempts: {reason}"
        finish_run(session, lease, outcome="failed", reason=text, now=now)
        return "failed"
    _write(session, lease, {"state": runs.QUEUED, "lease_owner": None, "lease_until": None})
    return None


def reap_run(session: Session, *, now: datetime, attempts: int, is_dead: Callable[[str], bool]) -> Reaped:
    """Put a run whose worker died back into the queue, or fail it when its attempts are spent.

    `is_dead` may know before the lease ends that an owner is gone.
    """
    run = runs.load_active_run(session)
    if run is None:
        return Reaped()
    if run.state == runs.QUEUED:
        return Reaped(queued_run_id=run.run_id)
    expired = run.lease_until is None or run.lease_until < now
    if not expired and not is_dead(run.lease_owner or ""):
        return Reaped()
    lease = Lease(run.run_id, run.fencing_token)
    reason = f"the worker {run.lease_owner} died in stage {run.stage or 'claimed'}"
    outcome = release_run(session, lease, reason=reason, attempts=attempts, now=now)
    if outcome is None:
        return Reaped(queued_run_id=run.run_id, ownerless_run_id=run.run_id)
    return Reaped(ownerless_run_id=run.run_id, outcome=outcome)


def request_nightly_run(session: Session, *, now: datetime) -> int | None:
    """Queue the nightly run and return its id; None while there is no paper or another run is active."""
    if not papers.newest_paper_id(session):
        return None
    run, is_new = request_run(session, trigger="nightly", now=now)
    return run.run_id if is_new else None


def request_run_after_events(session: Session, *, threshold: int, now: datetime) -> int | None:
    """Queue a run when enough events came through the API since the last one, at most hourly; return its id."""
    newest = runs.load_newest_run(session)
    if newest is not None and (newest.active or now - newest.created_at < LEAST_PAUSE):
        return None
    if events.count_events_since(session, runs.newest_trained_event_pk(session), api_only=True) < threshold:
        return None
    run, is_new = request_run(session, trigger="events", now=now)
    return run.run_id if is_new else None


def request_repair_run(session: Session, *, is_readable: Callable[[str], bool], now: datetime) -> int | None:
    """Queue a run when the promoted model cannot be read, at most hourly; return its id.

    So it is after an upgrade that writes models another way, or when a model's files were lost.
    """
    serving = registry.read_serving(session)
    if serving is None or is_readable(serving.version):
        return None
    newest = runs.load_newest_run(session)
    if newest is not None and (newest.active or (newest.trigger == "repair" and now - newest.created_at < LEAST_PAUSE)):
        return None
    run, is_new = request_run(session, trigger="repair", now=now)
    return run.run_id if is_new else None


def plan_warm(session: Session, lease: Lease, *, active_since: datetime, size: int) -> bool:
    """Cut the active readers into chunks; False when a former owner of the run has done so."""
    if runs.read_warm_progress(session, lease.run_id).chunks:
        return False
    user_ids = runs.active_user_ids(session, since=active_since)
    runs.insert_chunks(session, lease.run_id, user_ids=user_ids, size=size)
    return True


def read_warming_version(session: Session, run_id: int) -> str | None:
    """Return the version whose lists the run is writing now, None when it is in another stage."""
    return read_run(session, run_id).version if runs.is_warming(session, run_id) else None


def claim_warm_chunk(session: Session, run_id: int, *, now: datetime, seconds: float) -> ReaderRange | None:
    """Take a range of readers of a run that is warming; None when nothing is left to take."""
    if not runs.is_warming(session, run_id):
        return None
    return runs.claim_chunk(session, run_id, now=now, claimed_until=now + timedelta(seconds=seconds))


def _write(session: Session, lease: Lease, values: Mapping[str, Any]) -> bool:
    is_cancelled = runs.update_held_run(session, lease, values)
    if is_cancelled is None:
        raise LeaseLost(f"Training run {lease.run_id} belongs to another worker now.", run_id=lease.run_id)
    return is_cancelled
