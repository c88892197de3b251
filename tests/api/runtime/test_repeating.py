"""A thread that does one thing again and again begins once, rests in between and ends when it is told to."""

import threading

from api.runtime.repeating import Repeating
from tests.e2e.processes import wait_until


def test_what_is_repeated_is_done_at_once_and_again_after_each_rest() -> None:
    done: list[str] = []
    repeating = Repeating(lambda: done.append(threading.current_thread().name), name="repeated")
    repeating.start(0.01)
    wait_until(lambda: len(done) >= 3, seconds=10, what="three times", every=0.01)
    repeating.stop()
    told = len(done)
    assert set(done) == {"repeated"}
    assert all(thread.name != "repeated" for thread in threading.enumerate())
    repeating.start(60)
    wait_until(lambda: len(done) == told + 1, seconds=10, what="once more", every=0.01)
    repeating.stop()


def test_a_second_start_begins_no_second_thread() -> None:
    repeating = Repeating(lambda: None, name="repeated once")
    repeating.start(60)
    repeating.start(60)
    assert [thread.name for thread in threading.enumerate()].count("repeated once") == 1
    repeating.stop()


def test_stopping_what_has_not_begun_is_nothing() -> None:
    Repeating(lambda: None, name="never").stop()
