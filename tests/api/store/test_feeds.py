"""Prepared lists in a real Redis, and without one."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from api.store.feed_cache import CachedList, hidden_key
from api.store.feed_codec import Entry, FeedList, Reason, ReasonKind, Source, list_of
from api.store.feeds import AsyncFeedStore, FeedStore

BUILT = datetime(2026, 5, 1, tzinfo=UTC)


def make(*paper_ids: int, user_id: int = 7, seq: int = 1, hidden: tuple[int, ...] = ()) -> FeedList:
    """Return a list."""
    reason = Reason(ReasonKind.TASTE)
    items = [Entry(paper_id, 1.0 / (at + 1), Source.PERSONAL, reason) for at, paper_id in enumerate(paper_ids)]
    return list_of(items, user_id=user_id, version="v1", seq=seq, built_at=BUILT, hidden=frozenset(hidden))


def shown(feeds: FeedStore, user_id: int = 7) -> list[int] | None:
    """Return what a page would show."""
    feed = feeds.read_list(user_id, version="v1")
    return None if feed is None else [paper_id for paper_id in feed.paper_ids if paper_id not in feed.hidden]


def test_a_written_list_is_read_back(feeds: FeedStore) -> None:
    assert feeds.write_list(make(1, 2, 3, hidden=(9,)))
    feed = feeds.read_list(7, version="v1")
    assert feed is not None
    assert feed.paper_ids == [1, 2, 3]
    assert 9 in feed.hidden


def test_lists_of_other_versions_and_readers_are_misses(feeds: FeedStore) -> None:
    feeds.write_list(make(1))
    assert feeds.read_list(7, version="v2") is None
    assert feeds.read_list(8, version="v1") is None


def test_an_older_list_never_replaces_a_newer_one(feeds: FeedStore) -> None:
    feeds.write_list(make(1, seq=5))
    assert feeds.write_list(make(2, seq=4))
    assert shown(feeds) == [1]
    feeds.write_list(make(3, seq=5))
    assert shown(feeds) == [3]


def test_sequences_beyond_32_bits_are_compared_as_numbers(feeds: FeedStore) -> None:
    feeds.write_list(make(1, seq=2**40 + 1))
    feeds.write_list(make(2, seq=2**40))
    assert shown(feeds) == [1]


def test_a_corrupt_value_is_replaced(feeds: FeedStore, cache: Any) -> None:
    cache.set("feed:v1:7", b"x")
    assert shown(feeds) is None
    feeds.write_list(make(1))
    assert shown(feeds) == [1]


def test_a_marked_paper_is_hidden_at_once_and_shows_again_when_unmarked(feeds: FeedStore) -> None:
    feeds.write_list(make(1, 2))
    feeds.mark_hidden(7, [1])
    assert shown(feeds) == [2]
    feeds.unmark_hidden(7, [1])
    assert shown(feeds) == [1, 2]


def test_a_paper_marked_while_the_list_was_built_stays_hidden(feeds: FeedStore) -> None:
    feeds.write_list(make(1, 2, seq=1))
    seen = feeds.read_hidden(7)  # a builder begins
    feeds.mark_hidden(7, [1])  # its reader saves a paper
    feeds.write_list(make(1, 2, seq=1), seen=seen)
    assert shown(feeds) == [2]


def test_what_a_builder_saw_hidden_and_is_not_any_more_shows_again(feeds: FeedStore) -> None:
    feeds.write_list(make(2, seq=1, hidden=(1,)))
    seen = feeds.read_hidden(7)
    feeds.write_list(make(1, 2, seq=2), seen=seen)
    assert shown(feeds) == [1, 2]


def test_a_list_whose_hidden_papers_were_evicted_is_a_miss(feeds: FeedStore, cache: Any) -> None:
    feeds.write_list(make(1, 2))
    cache.delete(hidden_key(7))
    feeds.mark_hidden(7, [1])  # a mark alone does not make the set whole
    assert shown(feeds) is None


def test_a_dropped_list_is_a_miss(feeds: FeedStore) -> None:
    feeds.write_list(make(1))
    feeds.drop_list(7)
    assert shown(feeds) is None


def test_every_key_expires(feeds: FeedStore, cache: Any) -> None:
    feeds.write_list(make(1))
    feeds.mark_hidden(8, [1])
    feeds.claim("sweep", seconds=60)
    feeds.write_trending("board", b"{}", seconds=60)
    assert all(cache.ttl(key) > 0 for key in cache.scan_iter())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cache as little time as in real life."""
    monkeypatch.setattr("api.store.feeds.TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr("api.store.feeds.WAIT_SECONDS", 0.1)


@pytest.fixture
def attempts(impatient: None, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the times at which the client tries to connect to the cache."""
    made: list[float] = []
    connect: Any = redis.UnixDomainSocketConnection._connect

    def note(self: redis.UnixDomainSocketConnection) -> Any:
        made.append(time.monotonic())
        return connect(self)

    monkeypatch.setattr(redis.UnixDomainSocketConnection, "_connect", note)
    return made


def test_a_stopped_cache_is_a_miss_and_costs_nothing(tmp_path: Path, attempts: list[float]) -> None:
    feeds = FeedStore(f"unix://{tmp_path / 'nothing.sock'}")
    started = time.monotonic()
    for _ in range(200):
        assert feeds.read_list(7, version="v1") is None
        assert not feeds.write_list(make(1))
        assert not feeds.claim("sweep", seconds=1)
        assert feeds.read_trending("board") is None
    assert 1 <= len(attempts) <= 1 + time.monotonic() - started
    assert not feeds.ping()


def test_a_hanging_cache_is_asked_once_a_second(short_dir: Path, attempts: list[float]) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(short_dir / "hangs.sock"))
        server.listen(50)  # accepts and never answers
        feeds = FeedStore(f"unix://{short_dir / 'hangs.sock'}")
        started = time.monotonic()
        for _ in range(50):
            assert feeds.read_list(7, version="v1") is None
        assert 1 <= len(attempts) <= 1 + time.monotonic() - started
        feeds.close()


def test_a_cache_that_comes_back_is_used_again(redis_url: str, tmp_path: Path, short_dir: Path) -> None:
    link = short_dir / "moved.sock"
    feeds = FeedStore(f"unix://{link}")
    assert not feeds.write_list(make(1))
    link.symlink_to(redis_url.removeprefix("unix://"))
    deadline = time.monotonic() + 60
    while not feeds.write_list(make(1)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert shown(feeds) == [1]
    feeds.close()
    link.unlink()


def run(redis_url: str, scenario: Any) -> Any:
    """Run a scenario with an asynchronous store."""

    async def main() -> Any:
        store = AsyncFeedStore(redis_url)
        try:
            return await scenario(store)
        finally:
            await store.aclose()

    return asyncio.run(main())


def test_the_asynchronous_store_sees_the_same(feeds: FeedStore, redis_url: str) -> None:
    feeds.write_list(make(1, 2))

    async def scenario(store: AsyncFeedStore) -> None:
        assert await store.mark_hidden(7, [1])
        feed = await store.read_list(7, version="v1")
        assert feed is not None
        assert feed.papers.paper_ids == [1, 2]
        assert feed.hidden == {1}
        assert await store.read_hidden(7) == feed.hidden
        assert await store.unmark_hidden(7, [1])
        assert await store.drop_list(7)
        assert await store.read_list(7, version="v1") is None

    run(redis_url, scenario)


def test_a_cancelled_read_never_gives_the_next_caller_somebody_elses_list(feeds: FeedStore, redis_url: str) -> None:
    for user_id in range(1, 21):
        feeds.write_list(make(*range(user_id * 100, user_id * 100 + 50), user_id=user_id))

    async def scenario(store: AsyncFeedStore) -> list[CachedList | None]:
        await store.read_list(1, version="v1")
        for attempt in range(60):
            task = asyncio.create_task(store.read_list(1 + attempt % 20, version="v1"))
            for _ in range(attempt % 12):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            feed = await store.read_list(2, version="v1")
            assert feed is None or (feed.papers.user_id, feed.papers.paper_ids[0]) == (2, 200)
        return list(await asyncio.gather(*(store.read_list(user_id, version="v1") for user_id in range(1, 21))))

    found = run(redis_url, scenario)
    assert [feed.papers.user_id for feed in found if feed is not None] == list(range(1, 21))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("turns", range(6))
def test_a_busy_process_does_not_take_its_cache_for_dead(feeds: FeedStore, redis_url: str, turns: int) -> None:
    feeds.write_list(make(1, 2))

    async def scenario(store: AsyncFeedStore) -> None:
        await store.read_list(7, version="v1")
        task = asyncio.create_task(store.mark_hidden(7, [1]))
        for _ in range(turns):
            await asyncio.sleep(0)
        time.sleep(0.6)  # noqa: ASYNC251 - as when another thread has the processor, for longer than an answer may take
        assert await task
        assert await store.read_list(7, version="v1") is not None

    run(redis_url, scenario)


def test_after_a_lost_mark_the_cached_list_is_not_trusted(redis_url: str, short_dir: Path, feeds: FeedStore) -> None:
    feeds.write_list(make(1, 2))
    link = short_dir / "later.sock"

    async def scenario(store: AsyncFeedStore) -> None:
        assert not await store.mark_hidden(7, [1])
        link.symlink_to(redis_url.removeprefix("unix://"))
        await asyncio.sleep(1.1)
        assert await store.read_list(8, version="v1") is None  # the cache is back
        assert await store.read_list(7, version="v1") is None

    run(f"unix://{link}", scenario)
    link.unlink()
