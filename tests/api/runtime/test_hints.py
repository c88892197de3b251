"""A broker that is away never keeps a request waiting."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.runtime import hints as hints_module
from api.runtime.hints import Hints
from api.store.pending import Change, PendingReaders
from tests.e2e.processes import wait_until

DEAD = "redis://127.0.0.1:1/0"


@pytest.fixture
def broker(redis_url: str) -> Iterator[PendingReaders]:
    """Return the empty pending set on a broker that is there."""
    pending = PendingReaders(redis_url)
    yield pending
    pending.close()


def test_hints_to_a_dead_broker_cost_nothing() -> None:
    hints = Hints(PendingReaders(DEAD))
    hints.start()
    started = time.perf_counter()
    for user_id in range(500):
        hints.refresh(user_id, is_active=True)
    assert time.perf_counter() - started < 10.0  # one request to the dead broker each would take minutes
    hints.close()


def test_what_a_process_keeps_for_a_dead_broker_is_bounded(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    monkeypatch.setattr(hints_module, "MOST_WAITING", 2)
    hints = Hints(PendingReaders(redis_url))
    for user_id in (1, 2, 3):
        hints.refresh(user_id, is_active=True)
    hints.start()
    hints.close()
    pending = PendingReaders(redis_url)
    assert pending.count() == 2
    pending.close()


def test_changes_arrive_in_the_pending_set_as_one_per_reader(broker: PendingReaders, redis_url: str) -> None:
    hints = Hints(PendingReaders(redis_url))
    for committed_at in (1_800_000_002.0, 1_800_000_001.0):
        hints.refresh(7, is_active=False, committed_at=committed_at)
    hints.refresh(7, is_active=True, committed_at=1_800_000_003.0)
    hints.start()
    wait_until(lambda: broker.count() == 1, seconds=60, what="the reader waits", every=0.01)
    assert broker.take(5) == {7: Change(1_800_000_001.0, is_active=True)}
    hints.close()


def test_what_waits_when_the_process_ends_is_sent(broker: PendingReaders, redis_url: str) -> None:
    hints = Hints(PendingReaders(redis_url))
    hints.start()
    hints.refresh(7, is_active=True)
    hints.close()
    assert broker.count() == 1


def test_a_broker_that_comes_back_hears_of_the_changes_it_missed(
    redis_socket: Path, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints_module, "PAUSE_SECONDS", 0.05)
    link = tmp_path / "b.sock"
    hints = Hints(PendingReaders(f"unix://{link}"))
    hints.start()
    hints.refresh(1, is_active=True, committed_at=1_800_000_000.0)
    time.sleep(0.2)
    hints.refresh(2, is_active=True, committed_at=1_800_000_001.0)
    link.symlink_to(redis_socket)
    pending = PendingReaders(redis_url)
    wait_until(lambda: pending.count() == 2, seconds=60, what="both readers wait", every=0.01)
    assert list(pending.take(5)) == [1, 2]
    hints.close()
    pending.close()
