"""Locks by key: one holder of each, nothing left behind."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.runtime.key_locks import KeyLocks


def test_a_key_has_one_holder_at_a_time() -> None:
    locks: KeyLocks[str] = KeyLocks()
    inside: list[int] = []
    most: list[int] = []

    def enter(number: int) -> None:
        with locks.hold("key"):
            inside.append(number)
            most.append(len(inside))
            threading.Event().wait(0.005)
            inside.remove(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(enter, range(12)))
    assert max(most) == 1
    assert len(locks) == 0


def test_another_key_is_free() -> None:
    locks: KeyLocks[str] = KeyLocks()
    with locks.hold("one"), locks.hold("other"):
        assert len(locks) == 2
    assert len(locks) == 0


def test_a_failure_leaves_nothing_held() -> None:
    locks: KeyLocks[str] = KeyLocks()
    with pytest.raises(LookupError), locks.hold("key"):
        raise LookupError
    assert len(locks) == 0
    with locks.hold("key"):
        assert len(locks) == 1
