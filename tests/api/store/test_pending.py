"""The set of readers whose list waits: bounded, active readers first, one entry a reader."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from api.store.pending import LONGEST_WAIT_SECONDS, Change, PendingReaders

EARLY, LATER = 1_800_000_000.123, 1_800_000_010.456


@pytest.fixture
def pending(redis_url: str) -> Iterator[PendingReaders]:
    """Return an empty set for three readers."""
    readers = PendingReaders(redis_url, most=3)
    yield readers
    readers.close()


def order(pending: PendingReaders) -> list[int]:
    """Take all that wait and return them in their order."""
    return list(pending.take(100))


def test_active_readers_come_first_and_then_those_who_wait_longest(pending: PendingReaders) -> None:
    pending.add({1: Change(EARLY, is_active=False), 2: Change(LATER, is_active=True)})
    pending.add({3: Change(EARLY, is_active=True)})
    assert order(pending) == [3, 2, 1]


def test_a_burst_of_one_reader_is_one_entry_with_the_time_of_the_first(pending: PendingReaders) -> None:
    for since in (LATER, EARLY, LATER + 1):
        pending.add({7: Change(since, is_active=True)})
    assert pending.take(10) == {7: Change(EARLY, is_active=True)}


@pytest.mark.parametrize("is_first_active", [True, False])
def test_one_active_change_makes_the_reader_active_and_loses_no_time(
    pending: PendingReaders, is_first_active: bool
) -> None:
    pending.add({7: Change(EARLY, is_active=is_first_active)})
    pending.add({7: Change(LATER, is_active=not is_first_active)})
    assert pending.take(10) == {7: Change(EARLY, is_active=True)}


def test_a_full_set_leaves_the_last_in_order_to_the_sweep(pending: PendingReaders) -> None:
    pending.add({1: Change(EARLY, is_active=False), 2: Change(EARLY, is_active=True), 3: Change(LATER, is_active=True)})
    pending.add({4: Change(LATER + 1, is_active=True)})
    assert pending.count() == 3
    assert order(pending) == [2, 3, 4]


def test_a_reader_is_taken_once(pending: PendingReaders) -> None:
    pending.add({1: Change(EARLY, is_active=True), 2: Change(LATER, is_active=True)})
    assert pending.wait(0.1) == {1: Change(EARLY, is_active=True)}
    assert pending.take(10) == {2: Change(LATER, is_active=True)}
    assert pending.wait(0.01) == {}


def test_a_broker_that_is_away_is_told_from_an_empty_set(tmp_path: Path) -> None:
    away = PendingReaders(f"redis+socket://{tmp_path / 'no.sock'}")
    assert away.wait(0.01) is None
    assert away.take(5) == {}
    assert away.count() is None
    assert not away.add({1: Change(EARLY, is_active=True)})


def test_an_idle_wait_of_the_whole_time_is_no_failure(pending: PendingReaders) -> None:
    assert pending.wait(LONGEST_WAIT_SECONDS) == {}


def test_a_flushed_broker_is_an_empty_set(pending: PendingReaders, redis_url: str) -> None:
    pending.add({1: Change(EARLY, is_active=True)})
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        client.script_flush()
    assert pending.take(5) == {}
    assert pending.add({2: Change(EARLY, is_active=True)})
    assert order(pending) == [2]


def test_readers_for_whom_there_are_new_papers_wait_apart_in_their_order(pending: PendingReaders) -> None:
    assert pending.add_news([5, 3, 4], since=EARLY)
    assert pending.add_news([3, 9], since=LATER)
    assert pending.count() == 0
    assert list(pending.take_news(3)) == [5, 3, 4]
    assert pending.take_news(3) == {9: pytest.approx(LATER, abs=0.01)}
    assert pending.take_news(3) == {}
    assert pending.add_news([], since=LATER)


def test_what_was_told_is_known_when_its_round_is_over(pending: PendingReaders) -> None:
    assert pending.read_told() == ""
    pending.add_news([5], since=EARLY)
    pending.write_told("7:1")
    assert pending.read_told() is None
    pending.take_news(1)
    assert pending.read_told() == "7:1"


def test_a_broker_that_is_away_is_told_nothing(tmp_path: Path) -> None:
    away = PendingReaders(f"unix://{tmp_path / 'no.sock'}")
    assert away.read_told() is None
    assert not away.add_news([1], since=EARLY)
    assert not away.write_told("7:1")
    assert away.take_news(1) == {}
    away.close()
