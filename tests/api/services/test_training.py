"""The life of a training run, on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from api.errors import Conflict, NotFound
from api.services import training
from api.services.training import LeaseLost, Reaped
from api.store.engine import Database
from api.store.runs import Lease
from api.store.tables import Event, TrainingRun
from tests.planted import plant
from tests.workers.worlds import load_world

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
LEASE_SECONDS = 30.0
ATTEMPTS = 2


def alive(_owner: str) -> bool:
    return False


def gone(_owner: str) -> bool:
    return True


def request(database: Database, *, now: datetime = NOW) -> int:
    with database.write() as session:
        return training.request_run(session, trigger="admin", now=now)[0].run_id


def claim(database: Database, run_id: int, *, owner: str = "one", now: datetime = NOW) -> Lease:
    with database.write() as session:
        lease = training.claim_run(session, run_id, owner=owner, now=now, lease_seconds=LEASE_SECONDS)
    assert lease is not None
    return lease


def reap(database: Database, *, now: datetime = NOW, is_dead=alive) -> Reaped:  # type: ignore[no-untyped-def]
    with database.write() as session:
        return training.reap_run(session, now=now, attempts=ATTEMPTS, is_dead=is_dead)


def read(database: Database, run_id: int) -> TrainingRun:
    with database.read() as session:
        return training.read_run(session, run_id)


def test_two_triggers_at_once_give_one_run(database: Database) -> None:
    callers = 6
    ready = threading.Barrier(callers)

    def trigger(_number: int) -> tuple[int, bool]:
        ready.wait()
        with database.write() as session:
            run, is_new = training.request_run(session, trigger="admin", now=NOW)
            return run.run_id, is_new

    with ThreadPoolExecutor(callers) as pool:
        answers = list(pool.map(trigger, range(callers)))
    assert len({run_id for run_id, _ in answers}) == 1
    assert sum(is_new for _, is_new in answers) == 1
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(TrainingRun)) == 1


def test_a_run_can_be_requested_again_once_the_former_has_ended(database: Database) -> None:
    first = request(database)
    with database.write() as session:
        training.cancel_run(session, first, now=NOW)
    assert request(database) != first


def test_only_one_of_two_workers_claims_a_run(database: Database) -> None:
    run_id = request(database)
    ready = threading.Barrier(2)

    def take(owner: str) -> Lease | None:
        ready.wait()
        with database.write() as session:
            return training.claim_run(session, run_id, owner=owner, now=NOW, lease_seconds=LEASE_SECONDS)

    with ThreadPoolExecutor(2) as pool:
        leases = list(pool.map(take, ["one", "two"]))
    assert sum(lease is not None for lease in leases) == 1
    assert read(database, run_id).attempts == 1


def test_a_heartbeat_prolongs_the_lease_and_shows_progress(database: Database) -> None:
    run_id = request(database)
    lease = claim(database, run_id)
    later = NOW + timedelta(seconds=20)
    with database.write() as session:
        training.heartbeat(session, lease, stage="fit", progress=0.5, now=later, lease_seconds=LEASE_SECONDS)
    run = read(database, run_id)
    assert (run.stage, run.progress, run.lease_until) == ("fit", 0.5, later + timedelta(seconds=LEASE_SECONDS))
    assert reap(database, now=NOW + timedelta(seconds=40)) == Reaped()


def test_a_former_owner_cannot_write(database: Database) -> None:
    run_id = request(database)
    former = claim(database, run_id)
    late = NOW + timedelta(seconds=31)
    assert reap(database, now=late).queued_run_id == run_id
    for moment in ("queued again", "claimed by another"):
        with database.write() as session, pytest.raises(LeaseLost):
            training.heartbeat(session, former, stage="fit", progress=0.9, now=late, lease_seconds=LEASE_SECONDS)
        with database.write() as session, pytest.raises(LeaseLost):
            training.finish_run(session, former, outcome="succeeded", now=late)
        with database.write() as session, pytest.raises(LeaseLost):
            training.record_figures(session, former, {"by": "the former owner"})
        if moment == "queued again":
            claim(database, run_id, owner="two", now=late)
    run = read(database, run_id)
    assert (run.state, run.stage, run.figures, run.lease_owner) == ("running", None, None, "two")


def test_a_run_whose_worker_is_known_to_be_dead_is_queued_before_its_lease_ends(database: Database) -> None:
    run_id = request(database)
    claim(database, run_id)
    assert reap(database) == Reaped()
    assert reap(database, is_dead=gone) == Reaped(queued_run_id=run_id, ownerless_run_id=run_id)
    assert read(database, run_id).state == "queued"


def test_a_run_that_loses_every_worker_fails_plainly(database: Database) -> None:
    run_id = request(database)
    for _ in range(ATTEMPTS):
        claim(database, run_id)
        assert reap(database, is_dead=gone).queued_run_id == run_id
    claim(database, run_id)
    assert reap(database, is_dead=gone) == Reaped(ownerless_run_id=run_id, outcome="failed")
    run = read(database, run_id)
    assert (run.state, run.active, run.finished_at) == ("failed", None, NOW)
    assert run.reason is not None
    assert "given up after 3 attempts" in run.reason


def test_the_reaper_points_at_a_run_that_nobody_picked_up(database: Database) -> None:
    assert reap(database) == Reaped()
    run_id = request(database)
    assert reap(database) == Reaped(queued_run_id=run_id)


def test_a_queued_run_is_cancelled_at_once(database: Database) -> None:
    run_id = request(database)
    with database.write() as session:
        assert training.cancel_run(session, run_id, now=NOW).state == "cancelled"
    with database.write() as session:
        assert training.claim_run(session, run_id, owner="one", now=NOW, lease_seconds=1) is None


def test_the_owner_of_a_running_run_hears_of_its_cancel(database: Database) -> None:
    run_id = request(database)
    lease = claim(database, run_id)
    with database.write() as session:
        assert training.cancel_run(session, run_id, now=NOW).state == "running"
    with database.write() as session:
        assert training.heartbeat(session, lease, stage="fit", progress=0, now=NOW, lease_seconds=1)


def test_a_run_cancelled_before_its_promotion_does_not_succeed(database: Database) -> None:
    run_id = request(database)
    lease = claim(database, run_id)
    with database.write() as session:
        training.cancel_run(session, run_id, now=NOW)
    with pytest.raises(training.CancelRequested), database.write() as session:
        training.finish_run(session, lease, outcome="succeeded", now=NOW)
    assert read(database, run_id).state == "running"


def test_a_cancelled_run_whose_worker_dies_ends_as_cancelled(database: Database) -> None:
    run_id = request(database)
    claim(database, run_id)
    with database.write() as session:
        training.cancel_run(session, run_id, now=NOW)
    assert reap(database, is_dead=gone).outcome == "cancelled"
    assert read(database, run_id).state == "cancelled"


def test_a_run_that_has_ended_cannot_be_cancelled(database: Database) -> None:
    run_id = request(database)
    with database.write() as session:
        training.cancel_run(session, run_id, now=NOW)
    with database.write() as session, pytest.raises(Conflict, match="has ended: cancelled"):
        training.cancel_run(session, run_id, now=NOW)


def test_an_unknown_run_is_not_found(database: Database) -> None:
    with database.read() as session, pytest.raises(NotFound):
        training.read_run(session, 404)


def test_enough_events_start_a_run_at_most_hourly(database: Database) -> None:
    load_world(database, plant(), active_at=None)

    def after_events(threshold: int, now: datetime) -> int | None:
        with database.write() as session:
            return training.request_run_after_events(session, threshold=threshold, now=now)

    assert after_events(601, NOW) is None
    run_id = after_events(600, NOW)
    assert run_id is not None
    lease = claim(database, run_id)
    with database.write() as session:
        training.finish_run(session, lease, outcome="failed", now=NOW)
    assert after_events(600, NOW + timedelta(minutes=59)) is None
    assert after_events(600, NOW + timedelta(minutes=61)) is not None


def test_events_of_an_earlier_snapshot_and_imported_ones_do_not_count(database: Database) -> None:
    load_world(database, plant(), active_at=None)
    lease = claim(database, request(database))
    with database.write() as session:
        newest = session.scalar(sa.select(sa.func.max(Event.event_pk))) or 0
        training.record_snapshot(session, lease, last_event_pk=newest - 10, version="v")
        session.execute(sa.update(Event).where(Event.event_pk > newest - 5).values(is_import=True))
        training.finish_run(session, lease, outcome="rejected", now=NOW)
    later = NOW + timedelta(hours=2)
    with database.write() as session:
        assert training.request_run_after_events(session, threshold=6, now=later) is None
        assert training.request_run_after_events(session, threshold=5, now=later) is not None


def test_the_nightly_run_waits_for_the_first_paper(database: Database) -> None:
    with database.write() as session:
        assert training.request_nightly_run(session, now=NOW) is None
    load_world(database, plant(), active_at=None)
    with database.write() as session:
        assert training.request_nightly_run(session, now=NOW) is not None
        assert training.request_nightly_run(session, now=NOW) is None


def test_two_workers_share_the_chunks_of_a_warm_stage(database: Database) -> None:
    load_world(database, plant(readers=25), active_at=NOW)
    lease = claim(database, request(database))
    with database.write() as session:
        training.heartbeat(session, lease, stage="warm", progress=0, now=NOW, lease_seconds=1)
        assert training.plan_warm(session, lease, active_since=NOW - timedelta(days=1), size=10)
        assert not training.plan_warm(session, lease, active_since=NOW, size=10)
    ready = threading.Barrier(4)

    def take(_worker: int) -> int | None:
        ready.wait()
        with database.write() as session:
            readers = training.claim_warm_chunk(session, lease.run_id, now=NOW, seconds=60)
            return None if readers is None else readers.chunk

    with ThreadPoolExecutor(4) as pool:
        taken = [chunk for chunk in pool.map(take, range(4)) if chunk is not None]
    assert len(taken) == len(set(taken))
    with database.write() as session:
        rest = iter(lambda: training.claim_warm_chunk(session, lease.run_id, now=NOW, seconds=60), None)
        assert sorted([*taken, *(readers.chunk for readers in rest if readers)]) == [0, 1, 2]
    with database.write() as session:  # a worker died: its chunk is free again after a while
        late = NOW + timedelta(seconds=61)
        assert training.claim_warm_chunk(session, lease.run_id, now=late, seconds=60) is not None


def test_nobody_claims_chunks_of_a_run_that_is_not_warming(database: Database) -> None:
    load_world(database, plant(readers=5), active_at=NOW)
    lease = claim(database, request(database))
    with database.write() as session:
        training.plan_warm(session, lease, active_since=NOW, size=10)
        assert training.claim_warm_chunk(session, lease.run_id, now=NOW, seconds=60) is None
