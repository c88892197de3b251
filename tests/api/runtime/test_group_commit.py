"""Requests that arrive together share a transaction, and nobody hears before it is committed."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.errors import Unavailable
from api.runtime.group_commit import GroupCommit
from api.store.engine import Database
from api.store.tables import Base, LibraryItem, ServiceState

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Recorder:
    """Work that stores a row for each item and notes which items shared a transaction."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    def __call__(self, session: Session, items: list[str]) -> list[str]:
        self.groups.append(items)
        self.begun.set()
        self.gate.wait(60)
        session.execute(sa.insert(ServiceState), [{"key": item, "value": {}, "updated_at": NOW} for item in items])
        return [item.upper() for item in items]


@pytest.fixture
def recorder() -> Recorder:
    """Return the work."""
    return Recorder()


@pytest.fixture
def commits(database: Database, recorder: Recorder) -> Iterator[GroupCommit[str, str]]:
    """Return a running group commit."""
    commits = GroupCommit(database, recorder)
    commits.start()
    yield commits
    recorder.gate.set()
    commits.close()


T = TypeVar("T")


def in_loop(scene: Callable[[], Awaitable[T]]) -> T:
    """Run a scene in a loop of its own."""

    async def bounded() -> T:
        return await asyncio.wait_for(scene(), 60)

    return asyncio.run(bounded())


async def submit_together(
    commits: GroupCommit[str, str], recorder: Recorder, items: list[str]
) -> "list[asyncio.Future[str]]":
    """Submit items while the writer is held up by a first one, so that they share the next transaction."""
    recorder.gate.clear()
    first = commits.submit("first")
    async with asyncio.timeout(60):
        await asyncio.to_thread(recorder.begun.wait)
    futures = [commits.submit(item) for item in items]
    recorder.gate.set()
    assert await first == "FIRST"
    return futures


def stored(database: Database) -> set[str]:
    """Return the keys that are committed."""
    with database.read() as session:
        return set(session.scalars(sa.select(ServiceState.key)))


def test_an_answer_comes_after_the_commit(database: Database, commits: GroupCommit[str, str]) -> None:
    async def scene() -> tuple[str, set[str]]:
        return await commits.submit("a"), stored(database)

    assert in_loop(scene) == ("A", {"a"})


def test_requests_that_arrive_together_share_a_transaction(commits: GroupCommit[str, str], recorder: Recorder) -> None:
    async def scene() -> list[str]:
        return await asyncio.gather(*await submit_together(commits, recorder, ["a", "b", "c"]))

    assert in_loop(scene) == ["A", "B", "C"]
    assert recorder.groups == [["first"], ["a", "b", "c"]]


def test_one_bad_request_does_not_fail_the_others(
    database: Database, commits: GroupCommit[str, str], recorder: Recorder
) -> None:
    async def scene() -> list[str | BaseException]:
        futures = await submit_together(commits, recorder, ["a", "first", "b"])
        return await asyncio.gather(*futures, return_exceptions=True)

    good, bad, last = in_loop(scene)
    assert (good, last) == ("A", "B")
    assert isinstance(bad, sa.exc.IntegrityError)
    assert stored(database) == {"first", "a", "b"}


def test_a_caller_that_goes_away_harms_nobody(
    database: Database, commits: GroupCommit[str, str], recorder: Recorder
) -> None:
    async def scene() -> list[str]:
        futures = await submit_together(commits, recorder, ["a"])
        commits.submit("gone").cancel()
        return [await commits.submit("b"), await futures[0]]

    assert in_loop(scene) == ["B", "A"]
    assert {"a", "b"} <= stored(database)


def test_a_loop_that_has_ended_harms_nobody(
    database: Database, commits: GroupCommit[str, str], recorder: Recorder
) -> None:
    async def leave() -> None:
        recorder.gate.clear()
        commits.submit("left behind")

    async def scene() -> str:
        recorder.gate.set()
        return await commits.submit("b")

    in_loop(leave)
    assert in_loop(scene) == "B"
    assert stored(database) == {"left behind", "b"}


def test_a_lost_database_fails_all_at_once(
    commits: GroupCommit[str, str], recorder: Recorder, database: Database
) -> None:
    async def scene() -> str:
        return await commits.submit("a")

    with database.write() as session:
        session.execute(sa.text("DROP TABLE service_state"))
    before = len(recorder.groups)
    with pytest.raises(sa.exc.DBAPIError):
        in_loop(scene)
    assert len(recorder.groups) == before + 1


def test_what_follows_a_commit_comes_after_it_and_before_the_answers(database: Database, recorder: Recorder) -> None:
    followed: list[tuple[Sequence[str], set[str], bool]] = []
    futures: list[asyncio.Future[str]] = []
    commits = GroupCommit(database, recorder)

    def follow(outcomes: Sequence[str]) -> None:
        followed.append((outcomes, stored(database), any(future.done() for future in futures)))
        raise RuntimeError("what follows may fail")

    async def scene() -> list[str]:
        futures.extend(commits.submit(item) for item in "ab")
        commits.start(follow)
        return await asyncio.gather(*futures)

    commits._thread = threading.current_thread()  # what is submitted now waits for the start
    assert in_loop(scene) == ["A", "B"]
    commits.close()
    assert followed == [(["A", "B"], {"a", "b"}, False)]


def test_what_waits_is_committed_before_the_end(database: Database, recorder: Recorder) -> None:
    commits = GroupCommit(database, recorder)

    async def scene() -> list[str]:
        commits.start()
        futures = [commits.submit(str(number)) for number in range(50)]
        commits.close()
        return await asyncio.gather(*futures)

    assert len(in_loop(scene)) == len(stored(database)) == 50
    with pytest.raises(Unavailable):
        commits.submit("late")


def test_a_row_removed_between_look_up_and_insert_is_looked_up_again(postgres_url: str) -> None:
    database = Database(postgres_url)
    Base.metadata.create_all(database.engine)
    looks: list[int] = []

    def work(session: Session, items: list[str]) -> list[str]:
        looks.append(len(items))
        if len(looks) == 1:  # the reader was there a moment ago
            session.execute(sa.insert(LibraryItem).values(user_id=1, paper_id=1, is_saved=True, changed_pk=1))
        return ["unknown" for _ in items]

    commits = GroupCommit(database, work)
    commits.start()

    async def scene() -> str:
        return await commits.submit("a")

    try:
        assert in_loop(scene) == "unknown"
    finally:
        commits.close()
        database.engine.dispose()
    assert looks == [1, 1]


def test_while_the_database_is_read_only_nobody_is_tried_apart(postgres_database: Database, recorder: Recorder) -> None:
    url = sa.make_url(postgres_database.url).update_query_dict({"options": "-c default_transaction_read_only=on"})
    own = Database(url.render_as_string(hide_password=False))
    commits = GroupCommit(own, recorder)
    commits.start()
    recorder.gate.clear()

    async def scene() -> list[object]:
        first = commits.submit("first")
        await asyncio.to_thread(recorder.begun.wait)
        others = [commits.submit(name) for name in ("a", "b", "c")]
        recorder.gate.set()
        return list(await asyncio.gather(first, *others, return_exceptions=True))

    ended = in_loop(scene)
    commits.close()
    own.engine.dispose()
    assert all(isinstance(one, sa.exc.InternalError) for one in ended), ended
    assert recorder.groups == [["first"], ["a", "b", "c"]]
