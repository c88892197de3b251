"""The thread that follows readers, a step at a time: what it writes, in which order, and what no fault can lose."""

import time
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

from api.runtime.metrics import REFRESH_SECONDS
from api.runtime.state import Runtime, build_runtime
from api.services import feed as feed_service
from api.services import refreshing as refreshing_service
from api.store.engine import Database
from api.store.pending import Change, PendingReaders
from api.store.tables import TrainingRun, User
from recommender.domain import EventKind
from tests.api.feed_world import VERSION, add_event, planted, register_model
from tests.e2e.processes import wait_until
from workers import feeds, refreshing
from workers.refreshing import Refresher

PAPERS = [int(paper_id) for paper_id in planted().texts.paper_ids[:4]]


@pytest.fixture
def refresher(held: Runtime, pending: PendingReaders) -> Refresher:
    """Return the refresher of a worker process, to be stepped by hand."""
    held.serving.poll()
    return Refresher(held, pending)


def click(held: Runtime, pending: PendingReaders, *user_ids: int, paper_id: int = PAPERS[0]) -> None:
    """Record a click of each reader and let them wait."""
    for user_id in user_ids:
        add_event(held.db, user_id, paper_id, EventKind.CLICK)
        pending.add({user_id: Change(time.time(), is_active=True)})


def seq_of(held: Runtime, user_id: int) -> int | None:
    """Return the change that a reader's list includes."""
    feed = held.feeds.read_list(user_id, version=VERSION)
    return None if feed is None else feed.seq


def stale(database: Database) -> list[int]:
    """Return the readers whose list is older than what they did."""
    with database.read() as session:
        return refreshing_service.find_stale(session, limit=100)


def test_a_refresh_follows_the_readers_events(held: Runtime, refresher: Refresher, pending: PendingReaders) -> None:
    click(held, pending, 1)
    assert refresher.refresh_next() == 1
    feed = held.feeds.read_list(1, version=VERSION)
    assert feed is not None
    assert feed.seq == 1
    assert PAPERS[0] in feed.hidden
    assert stale(held.db) == []


def test_a_burst_is_one_refresh_that_includes_all_of_it(
    held: Runtime, refresher: Refresher, pending: PendingReaders
) -> None:
    for paper_id in PAPERS:
        click(held, pending, 1, paper_id=paper_id)
    assert refresher.refresh_next() == 1
    assert seq_of(held, 1) == len(PAPERS)
    assert refresher.refresh_next(wait_seconds=0.01) == 0


def test_what_happens_while_a_burst_settles_is_part_of_it(
    held: Runtime, refresher: Refresher, pending: PendingReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    click(held, pending, 1)
    monkeypatch.setattr(time, "sleep", lambda _seconds: click(held, pending, 1, paper_id=PAPERS[1]))
    assert refresher.refresh_next() == 1
    assert seq_of(held, 1) == 2
    assert pending.count() == 0


def test_several_readers_are_one_batch_with_the_active_ones_first(
    held: Runtime, refresher: Refresher, pending: PendingReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshing, "READERS_PER_BATCH", 2)
    now = time.time()
    for user_id in (1, 2, 3):
        add_event(held.db, user_id, PAPERS[0], EventKind.CLICK)
    pending.add({1: Change(now - 9, is_active=False), 2: Change(now, is_active=True), 3: Change(now, is_active=True)})
    assert refresher.refresh_next() == 2
    assert [seq_of(held, user_id) for user_id in (1, 2, 3)] == [None, 1, 1]
    assert refresher.refresh_next() == 1
    assert seq_of(held, 1) == 1


def test_the_metric_measures_from_the_commit_of_the_first_event(
    held: Runtime, refresher: Refresher, pending: PendingReaders
) -> None:
    add_event(held.db, 1, PAPERS[0], EventKind.CLICK)
    pending.add({1: Change(time.time() - 20.0, is_active=True)})
    pending.add({1: Change(time.time(), is_active=True)})
    before = REFRESH_SECONDS._sum.get()
    refresher.refresh_next()
    assert REFRESH_SECONDS._sum.get() - before > 20.0


def test_a_reader_whose_list_cannot_be_built_keeps_nobody_from_theirs(
    held: Runtime, refresher: Refresher, pending: PendingReaders
) -> None:
    click(held, pending, 1, 2, 3)
    with held.db.write() as session:
        session.execute(sa.update(User).where(User.user_id == 2).values(interests={"terms": 7}))
    refresher.refresh_next()
    assert [seq_of(held, user_id) for user_id in (1, 2, 3)] == [1, None, 1]
    assert stale(held.db) == [2]
    assert feeds.sweep_feeds() == 0
    with held.db.write() as session:
        session.execute(sa.update(User).where(User.user_id == 2).values(interests={}))
    assert feeds.sweep_feeds() == 1


def test_a_worker_killed_in_the_middle_of_a_batch_loses_nothing(
    held: Runtime, refresher: Refresher, pending: PendingReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    click(held, pending, 1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(feed_service, "load_tastes", killed)
        with pytest.raises(Killed):
            refresher.refresh_next()
    assert pending.count() == 0
    assert feeds.sweep_feeds() == 2
    assert [seq_of(held, user_id) for user_id in (1, 2)] == [1, 1]


@pytest.mark.parametrize("is_between", [True, False])
def test_a_flushed_broker_loses_nothing(
    held: Runtime, refresher: Refresher, pending: PendingReaders, redis_url: str, is_between: bool
) -> None:
    click(held, pending, 1)
    if is_between:
        refresher.refresh_next()
        click(held, pending, 1, paper_id=PAPERS[1])
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    assert refresher.refresh_next(wait_seconds=0.01) == 0
    assert feeds.sweep_feeds() == 1
    assert seq_of(held, 1) == 1 + is_between


def test_without_a_cache_a_list_stays_stale_for_the_sweep(
    held: Runtime, pending: PendingReaders, tmp_path: Path
) -> None:
    away = build_runtime(held.settings.model_copy(update={"cache_url": f"unix://{tmp_path / 'no.sock'}"}))
    away.serving.poll()
    click(held, pending, 1)
    assert Refresher(away, pending).refresh_next() == 0
    away.close()
    assert stale(held.db) == [1]
    assert feeds.sweep_feeds() == 1


def test_without_a_broker_the_thread_pauses_and_comes_back(
    held: Runtime, redis_socket: Path, tmp_path: Path, pending: PendingReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshing, "PAUSE_SECONDS", 0.05)
    link = tmp_path / "b.sock"
    held.serving.poll()
    refresher = Refresher(held, PendingReaders(f"unix://{link}"))
    assert refresher.refresh_next() is None
    refresher.start()
    click(held, pending, 1)
    link.symlink_to(redis_socket)
    wait_until(lambda: seq_of(held, 1) == 1, seconds=60, what="the list", every=0.02)
    refresher.stop()


def test_a_failing_database_does_not_end_the_thread(
    held: Runtime, refresher: Refresher, pending: PendingReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshing, "PAUSE_SECONDS", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(refreshing_service, "existing_users", lambda *_: 1 / 0)
        refresher.start()
        click(held, pending, 1)
        wait_until(lambda: pending.count() == 0, seconds=60, what="the failing batch", every=0.02)
        time.sleep(0.1)
    click(held, pending, 2)
    wait_until(lambda: seq_of(held, 2) == 1, seconds=60, what="the next list", every=0.02)
    refresher.stop()


def test_a_promotion_during_a_batch_has_the_lists_built_again(
    held: Runtime, refresher: Refresher, pending: PendingReaders
) -> None:
    click(held, pending, 1)
    with held.db.write() as session:  # the run that made the first version is over
        session.execute(sa.update(TrainingRun).values(active=None))
    register_model(held.db, held.settings.models_dir, version="v2")
    assert refresher.refresh_next() == 1
    assert pending.count() == 1
    assert refresher.refresh_next() == 1
    assert pending.count() == 0
    feed = held.feeds.read_list(1, version="v2")
    assert feed is not None
    assert feed.seq == 1
