"""Hidden papers beside a reader's list in a real Redis: how many are kept, and what they take."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from api.store.feed_cache import MOST_HIDDEN, feed_key, hidden_key
from api.store.feed_codec import Entry, FeedList, Reason, ReasonKind, Source, list_of
from api.store.feeds import AsyncFeedStore, FeedStore
from api.store.hidden_codec import LONGEST

BUILT = datetime(2026, 5, 1, tzinfo=UTC)


def make(*paper_ids: int, hidden: tuple[int, ...] = ()) -> FeedList:
    """Return a list."""
    items = [Entry(paper_id, 1.0, Source.PERSONAL, Reason(ReasonKind.TASTE)) for paper_id in paper_ids]
    return list_of(items, user_id=7, version="v1", seq=1, built_at=BUILT, hidden=frozenset(hidden))


def shown(feeds: FeedStore) -> list[int] | None:
    """Return what a page would show."""
    feed = feeds.read_list(7, version="v1")
    return None if feed is None else [paper_id for paper_id in feed.paper_ids if paper_id not in feed.hidden]


async def read_hidden(redis_url: str) -> frozenset[int] | None:
    """Return what pages of older lists leave out."""
    store = AsyncFeedStore(redis_url)
    try:
        return await store.read_hidden(7)
    finally:
        await store.aclose()


def test_a_reader_with_thousands_of_hidden_papers_takes_less_than_2500_bytes(feeds: FeedStore, cache: Any) -> None:
    most = 2**24  # papers of an installation; where there are more, ids take another byte
    reasons = [Reason(ReasonKind.SAVED, paper_id=most - at) for at in range(1, 201)]
    papers = [Entry(most - at, 3.0 - at / 100, Source.PERSONAL, reasons[at - 1]) for at in range(1, 201)]
    version, hidden, pool = "20240501-030000-7", frozenset(range(9000, 12_000)), list(range(most - 300, most - 250))
    facts = {"user_id": 7, "version": version, "seq": 5, "built_at": BUILT}
    feeds.write_list(list_of(papers, **facts, hidden=hidden, pool=pool))  # type: ignore[arg-type]
    assert cache.memory_usage(hidden_key(7)) + cache.memory_usage(feed_key(version, 7)) < 2500


def test_of_many_hidden_papers_those_marked_last_are_kept(feeds: FeedStore, redis_url: str) -> None:
    feeds.write_list(make(1, 2))
    feeds.mark_hidden(7, [1, 2])
    feeds.write_list(make(3, hidden=(1, 2, *range(1000, 1500))), seen=feeds.read_hidden(7))
    found = feeds.read_list(7, version="v1")
    assert found is not None
    assert found.hidden >= {1, 2}
    assert len(found.hidden) == MOST_HIDDEN
    # Pages of an older list may show what was left out: they ask elsewhere.
    assert asyncio.run(read_hidden(redis_url)) is None


def test_marks_without_end_make_the_list_a_miss_that_is_written_anew(feeds: FeedStore) -> None:
    feeds.write_list(make(1, 2))
    for _ in range(LONGEST // 5000):
        feeds.mark_hidden(7, [1] * 1000)
    assert shown(feeds) is None
    feeds.write_list(make(2, hidden=(1,)), seen=feeds.read_hidden(7))
    assert shown(feeds) == [2]
