"""Training runs whose worker, fit or cache is lost, and runs that are cancelled."""

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from api.runtime.owner import is_dead_owner
from api.services import training, versions
from api.store.feeds import FeedStore
from api.store.tables import User, WarmChunk
from tests.workers.conftest import Bench
from workers import runner, warming
from workers.pulse import Pulse
from workers.runner import run_training


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_a_killed_runners_run_is_resumed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = bench.request()
    victim = _start_runner(run_id)
    _wait_for_stage(bench, run_id, "fit")
    folder = bench.folder(run_id)
    children = _wait_for_child(victim)
    victim.kill()
    victim.wait()
    psutil.wait_procs(children, timeout=60)
    assert not [child for child in children if child.is_running()]
    assert bench.read(run_id).state == "running"
    assert (folder / "judgement.json").exists()
    with bench.database.write() as session:
        reaped = training.reap_run(session, now=datetime.now(UTC), attempts=3, is_dead=is_dead_owner)
    assert reaped.queued_run_id == run_id
    entered: list[str] = []
    enter = Pulse.enter

    def note(self: Pulse, name: str) -> None:
        entered.append(name)
        enter(self, name)

    monkeypatch.setattr(Pulse, "enter", note)
    assert bench.run(run_id) == "succeeded"
    assert entered == ["fit", "warm", "promote"]
    run = bench.read(run_id)
    assert (run.state, run.attempts) == ("succeeded", 2)
    assert bench.serving() == run.version


@pytest.mark.usefixtures("world")
def test_a_run_that_was_killed_while_warming_goes_on_there(
    bench: Bench,
    prepared: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = bench.request()
    bench.lay_out(prepared, run_id)
    monkeypatch.setattr(runner, "run_stage", _never)
    monkeypatch.setattr(runner, "CHUNK_READERS", 20)
    with bench.database.write() as session:
        lease = training.claim_run(session, run_id, owner="dead", now=datetime.now(UTC), lease_seconds=5)
        assert lease is not None
        since = datetime.now(UTC) - timedelta(days=1)
        training.plan_warm(session, lease, active_since=since, size=20)
        session.execute(sa.update(WarmChunk).where(WarmChunk.chunk == 0).values(done_at=datetime.now(UTC)))
        training.reap_run(session, now=datetime.now(UTC), attempts=3, is_dead=lambda _: True)
    assert bench.run(run_id) == "succeeded"
    run = bench.read(run_id)
    assert (run.figures or {})["warm"]["lists"] == 40
    assert bench.feeds.read_list(1, version=run.version or "") is None  # of the chunk that was done
    assert bench.feeds.read_list(60, version=run.version or "") is not None


def _never(*_arguments: object, **_options: object) -> None:
    raise AssertionError("a finished stage was repeated")


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("stage", ["snapshot", "judge", "fit", "warm", "promote"])
def test_a_cancel_ends_the_run_in_each_stage(
    bench: Bench,
    prepared: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    run_id = bench.request()
    if stage in ("warm", "promote"):
        bench.lay_out(prepared, run_id)
    if stage == "fit":
        folder = bench.folder(run_id)
        shutil.copytree(prepared / "run", folder)
        (folder / "fit.json").unlink()
    entered = Pulse.enter

    def enter_and_cancel(self: Pulse, name: str) -> None:
        entered(self, name)
        if name == stage:
            with bench.database.write() as session:
                training.cancel_run(session, run_id, now=datetime.now(UTC))

    monkeypatch.setattr(Pulse, "enter", enter_and_cancel)
    began = time.monotonic()
    assert bench.run(run_id) == "cancelled"
    assert time.monotonic() - began < 240
    run = bench.read(run_id)
    assert (run.state, run.active) == ("cancelled", None)
    assert bench.serving() is None
    assert not _stage_processes()
    assert not bench.folder(run_id).exists()


@pytest.mark.usefixtures("world")
def test_a_runner_that_lost_its_lease_stops_and_promotes_nothing(
    bench: Bench,
    prepared: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = bench.request()
    bench.lay_out(prepared, run_id)
    entered = Pulse.enter

    def enter_and_lose(self: Pulse, name: str) -> None:
        entered(self, name)
        if name == "promote":
            with bench.database.write() as session:
                training.reap_run(session, now=datetime.now(UTC), attempts=3, is_dead=lambda _: True)
                training.claim_run(session, run_id, owner="new", now=datetime.now(UTC), lease_seconds=30)

    monkeypatch.setattr(Pulse, "enter", enter_and_lose)
    assert bench.run(run_id) is None
    run = bench.read(run_id)
    assert (run.state, run.lease_owner) == ("running", "new")
    assert bench.serving() is None
    assert bench.folder(run_id).exists()  # the new owner needs it


@pytest.mark.usefixtures("world")
def test_a_cache_that_is_away_delays_a_promotion_but_does_not_prevent_it(
    bench: Bench, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "CACHE_PATIENCE_SECONDS", 0.5)
    nowhere = FeedStore(f"unix://{bench.settings.data_dir / 'nothing.sock'}")
    run_id = bench.request()
    bench.lay_out(prepared, run_id)
    assert run_training(bench.settings, bench.database, nowhere, run_id) == "succeeded"
    assert "warm skipped" in (bench.read(run_id).figures or {})["note"]


@pytest.mark.usefixtures("world")
def test_a_reader_who_acts_during_the_warm_stage_is_swept_after_the_promotion(
    bench: Bench,
    prepared: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = bench.request()
    bench.lay_out(prepared, run_id)
    long_before = datetime.now(UTC) - timedelta(days=1)
    with bench.database.write() as session:
        session.execute(sa.update(User).values(last_active_at=long_before, last_seq=4, list_seq=4))
    entered = Pulse.enter

    def act_before_promotion(self: Pulse, name: str) -> None:
        if name == "promote":  # the list of the serving version follows, that of the new one cannot know
            with bench.database.write() as session:
                changed = {"last_active_at": datetime.now(UTC), "last_seq": 5, "list_seq": 5}
                session.execute(sa.update(User).where(User.user_id == 7).values(**changed))
        entered(self, name)

    monkeypatch.setattr(Pulse, "enter", act_before_promotion)
    assert bench.run(run_id) == "succeeded"
    with bench.database.read() as session:
        assert list(session.scalars(sa.select(User.user_id).where(User.list_seq < User.last_seq))) == [7]


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_a_fit_whose_process_is_killed_is_tried_again(bench: Bench) -> None:
    run_id = bench.request()
    killer = threading.Thread(target=_kill_first_child)
    killer.start()
    assert bench.run(run_id) is None
    killer.join()
    run = bench.read(run_id)
    assert (run.state, run.attempts, run.lease_owner) == ("queued", 1, None)


@pytest.mark.usefixtures("world")
def test_old_artifacts_go_and_what_is_not_ours_stays(
    bench: Bench,
    prepared: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "run_stage", _never)
    made = []
    for _ in range(4):
        run_id = bench.request()
        bench.lay_out(prepared, run_id)
        for name in (".tmp-20200101-000000-r1-1", "backup-of-mine"):
            (bench.settings.models_dir / name).mkdir(exist_ok=True)
        assert bench.run(run_id) == "succeeded"
        made.append(bench.read(run_id).version or "")
    assert sorted(path.name for path in bench.settings.models_dir.iterdir()) == sorted([*made[1:], "backup-of-mine"])
    with bench.database.write() as session:
        versions.rollback(session, models_dir=bench.settings.models_dir, now=datetime.now(UTC))
    assert bench.serving() == made[2]


def _start_runner(run_id: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "workers.foreground", str(run_id), str(os.getpid())])


def _wait_for_stage(bench: Bench, run_id: int, stage: str) -> None:
    deadline = time.monotonic() + 240
    while bench.read(run_id).stage != stage:
        assert time.monotonic() < deadline, f"stage {stage} was never reached"
        time.sleep(0.02)


def _wait_for_child(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    deadline = time.monotonic() + 120
    while not (children := psutil.Process(process.pid).children(recursive=True)):
        assert time.monotonic() < deadline, "the runner started no process"
        time.sleep(0.01)
    time.sleep(0.5)  # into its imports, or its work
    return children


def _stage_processes() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it ended meanwhile
            if "workers.apart" in child.cmdline():
                found.append(child)
    return found


def _kill_first_child() -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        for child in _stage_processes():
            child.kill()
            return
        time.sleep(0.01)
