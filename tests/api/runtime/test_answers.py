"""Finished answers: kept while nothing changes, never for long, in bounded memory."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from api.runtime.answers import ENTRY_BYTES, LONGEST_ADDRESS, LOOK_SECONDS, SURE_SECONDS, SWEPT, Answer, Answers
from api.store.engine import Database
from api.store.tables import Paper
from recommender.domain import EventKind
from tests.api.hub_world import MONDAY, daily_row, insert_papers, insert_readers, vote

KEY = ("/api/daily_papers", b"limit=3")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def answers(sqlite_database: Database, clock: Clock) -> Answers:
    """Return an empty memory of a database with a paper and a reader."""
    insert_papers(sqlite_database, daily_row(1, MONDAY))
    insert_readers(sqlite_database, 1)
    return Answers(sqlite_database, clock=clock)


def made(body: bytes) -> Callable[[], Answer]:
    return lambda: Answer(body, b'"tag"', b"application/json", b"Accept", "/api/daily_papers")


def not_made() -> Answer:
    raise AssertionError("it is there")


def read_again(answers: Answers, clock: Clock, *, after: float = LOOK_SECONDS + 0.1) -> bytes:
    """Return what is answered a while later."""
    clock.now += after
    return answers.build(KEY, made(b"new"), keep_seconds=60).body


def test_an_answer_is_found_as_long_as_nothing_changes(answers: Answers, clock: Clock) -> None:
    assert answers.find(KEY) is None
    answers.build(KEY, made(b"old"), keep_seconds=60)
    found = answers.find(KEY)
    assert found is not None
    assert found.body == b"old"
    assert read_again(answers, clock) == b"old"


def test_a_written_paper_ends_what_was_known(answers: Answers, clock: Clock, sqlite_database: Database) -> None:
    answers.build(KEY, made(b"old"), keep_seconds=60)
    with sqlite_database.write() as session:
        session.execute(sa.update(Paper).values(updated_at=datetime.now(UTC)))
    assert read_again(answers, clock) == b"new"


def test_a_vote_ends_what_was_known_and_another_event_does_not(
    answers: Answers, clock: Clock, sqlite_database: Database
) -> None:
    vote(sqlite_database, 1, 1, EventKind.SAVE, at=MONDAY)
    answers.build(KEY, made(b"old"), keep_seconds=60)
    vote(sqlite_database, 1, 1, EventKind.CLICK, at=MONDAY)
    assert read_again(answers, clock) == b"old"
    vote(sqlite_database, 1, 1, EventKind.UPVOTE, at=MONDAY)
    assert read_again(answers, clock) == b"new"


def test_an_answer_ends_with_its_time(answers: Answers, clock: Clock) -> None:
    answers.build(KEY, made(b"old"), keep_seconds=3)
    clock.now += 2.9
    answers.look()
    assert answers.find(KEY) is not None
    clock.now += 0.1
    answers.look()
    assert answers.find(KEY) is None


def test_without_a_look_lately_nothing_is_sure(answers: Answers, clock: Clock) -> None:
    answers.build(KEY, made(b"old"), keep_seconds=60)
    clock.now += SURE_SECONDS + 0.1
    assert answers.find(KEY) is None
    assert answers.build(KEY, not_made, keep_seconds=60).body == b"old"  # a look makes it sure again


def test_whoever_finds_an_answer_lets_changes_be_looked_for(
    answers: Answers, clock: Clock, sqlite_database: Database
) -> None:
    answers.build(KEY, made(b"old"), keep_seconds=60)
    insert_papers(sqlite_database, daily_row(2, MONDAY))
    clock.now += LOOK_SECONDS + 0.1
    assert answers.find(KEY) is not None
    for thread in [thread for thread in threading.enumerate() if thread.name == "answers"]:
        thread.join(10)
    assert answers.find(KEY) is None


def test_a_database_that_is_away_is_told_by_whoever_asks_it(
    answers: Answers, clock: Clock, sqlite_database: Database
) -> None:
    answers.build(KEY, made(b"old"), keep_seconds=60)
    with sqlite_database.write() as session:
        session.execute(sa.text("ALTER TABLE events RENAME TO gone"))
    clock.now += LOOK_SECONDS + 0.1
    assert answers.find(KEY) is not None
    for thread in [thread for thread in threading.enumerate() if thread.name == "answers"]:
        thread.join(10)
    clock.now += SURE_SECONDS
    assert answers.find(KEY) is None
    with pytest.raises(sa.exc.OperationalError):
        answers.build(KEY, made(b"new"), keep_seconds=60)


def test_a_failure_is_not_kept(answers: Answers) -> None:
    def fail() -> Answer:
        raise LookupError

    with pytest.raises(LookupError):
        answers.build(KEY, fail, keep_seconds=60)
    assert answers.build(KEY, made(b"new"), keep_seconds=60).body == b"new"


def test_memory_is_bounded_and_the_oldest_goes_first(sqlite_database: Database) -> None:
    keys = [(f"/api/papers/{number}", b"") for number in range(4)]
    answers = Answers(sqlite_database, most_bytes=3 * (ENTRY_BYTES + 1000 + len(keys[0][0])))
    for key in keys[:3]:
        answers.build(key, made(b"x" * 1000), keep_seconds=60)
    assert answers.find(keys[0]) is not None  # used last
    answers.build(keys[3], made(b"x" * 1000), keep_seconds=60)
    assert [answers.find(key) is not None for key in keys] == [True, False, True, True]


def test_who_asks_for_the_same_at_once_waits_for_one_answer(answers: Answers) -> None:
    makings: list[int] = []

    def make() -> Answer:
        makings.append(1)
        threading.Event().wait(0.05)
        return made(b"old")()

    with ThreadPoolExecutor(8) as pool:
        bodies = {found.body for found in pool.map(lambda _: answers.build(KEY, make, keep_seconds=60), range(8))}
    assert (bodies, len(makings)) == ({b"old"}, 1)


def test_addresses_weigh_too(sqlite_database: Database) -> None:
    keys = [("/api/papers", b"p=%d&" % number + b"x" * 400) for number in range(3)]
    answers = Answers(sqlite_database, most_bytes=3 * ENTRY_BYTES + 100)
    for key in keys:
        answers.build(key, made(b""), keep_seconds=60)
    assert [answers.find(key) is not None for key in keys] == [False, True, True]


def test_the_query_of_the_next_page_weighs_too(sqlite_database: Database) -> None:
    answers = Answers(sqlite_database, most_bytes=2 * (ENTRY_BYTES + 1000))
    led = Answer(b"", b'"tag"', b"application/json", b"Accept", "/api/papers", next_query=b"x" * 1500)
    for number in range(2):
        answers.build(("/api/papers", b"p=%d" % number), lambda: led, keep_seconds=60)
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("path", "query", "is_kept"),
    [
        ("/p", b"x" * (LONGEST_ADDRESS - 2), True),
        ("/p", b"x" * (LONGEST_ADDRESS - 1), False),
        ("/" + "\u00e9" * (LONGEST_ADDRESS // 2), b"", False),
    ],
)
def test_an_answer_of_a_long_address_is_given_and_not_kept(
    answers: Answers, path: str, query: bytes, is_kept: bool
) -> None:
    assert answers.build((path, query), made(b"old"), keep_seconds=60).body == b"old"
    assert (answers.find((path, query)) is not None) is is_kept


def test_answers_that_have_ended_make_room_for_new_ones(answers: Answers, clock: Clock) -> None:
    for number in range(2 * SWEPT):
        answers.build(("/ended", b"%d" % number), made(b"old"), keep_seconds=0.5)
    clock.now += 0.6
    answers.build(("/new", b"1"), made(b"new"), keep_seconds=60)
    assert len(answers) == SWEPT + 1  # a bounded share at a time
    answers.build(("/new", b"2"), made(b"new"), keep_seconds=60)
    assert len(answers) == 2


def test_answers_from_before_a_change_make_room_for_new_ones(
    answers: Answers, clock: Clock, sqlite_database: Database
) -> None:
    answers.build(("/old", b""), made(b"old"), keep_seconds=60)
    insert_papers(sqlite_database, daily_row(2, MONDAY))
    clock.now += LOOK_SECONDS + 0.1
    answers.build(KEY, made(b"new"), keep_seconds=60)
    assert len(answers) == 1


def test_who_asks_for_something_else_does_not_wait(answers: Answers) -> None:
    threads = 20
    all_at_once = threading.Barrier(threads)

    def make() -> Answer:
        all_at_once.wait(5)
        return made(b"new")()

    with ThreadPoolExecutor(threads) as pool:
        keys = [("/api/papers", b"p=%d" % number) for number in range(threads)]
        found = list(pool.map(lambda key: answers.build(key, make, keep_seconds=60), keys))
    assert len(found) == threads


def test_a_thread_that_cannot_be_started_stops_no_later_look(
    answers: Answers, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    answers.build(KEY, made(b"old"), keep_seconds=60)
    clock.now += LOOK_SECONDS + 0.1
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert answers.find(KEY) is not None
    assert answers._looking.acquire(timeout=1)
    answers._looking.release()
