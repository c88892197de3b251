"""The count of what was shown, of one process."""

from concurrent.futures import ThreadPoolExecutor

from api.runtime import weariness
from api.runtime.weariness import Showings


def test_the_showing_that_makes_it_enough_says_so_and_the_count_begins_again() -> None:
    showings = Showings(3)
    assert [showings.note(1, [7]) for _ in range(6)] == [False, False, True, False, False, True]


def test_papers_and_readers_are_counted_apart() -> None:
    showings = Showings(2)
    assert not showings.note(1, [7, 8])
    assert not showings.note(2, [7])
    assert showings.note(1, [9, 8])


def test_the_same_paper_twice_in_a_batch_is_two_showings() -> None:
    assert Showings(2).note(1, [7, 7])


def test_without_fatigue_nothing_is_counted() -> None:
    showings = Showings(0)
    assert not any(showings.note(1, [7]) for _ in range(9))


def test_what_was_not_shown_for_longest_is_forgotten_first() -> None:
    showings = Showings(2)
    showings.note(1, range(weariness.MOST_PAIRS))
    showings.note(2, [1])
    assert not showings.note(1, [0])  # forgotten, and counted anew
    assert showings.note(2, [1])


def test_threads_lose_no_count() -> None:
    showings = Showings(100)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: showings.note(1, [7]), range(1000)))
    assert sum(found) == 10
