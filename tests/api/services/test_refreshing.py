"""Lists that follow what readers did: written, then noted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from api.runtime.serving import Served
from api.services.feed import build_list
from api.services.refreshing import find_stale, note_refreshed, refresh_lists
from api.store.engine import Database
from api.store.feed_codec import FeedList
from api.store.feeds import FeedStore
from recommender.domain import EventKind
from tests.api.feed_world import NOW, VERSION, add_event, planted

PAPERS = [int(paper_id) for paper_id in planted().texts.paper_ids[:3]]


@pytest.fixture
def feeds(redis_url: str) -> Iterator[FeedStore]:
    """Return an empty cache."""
    store = FeedStore(redis_url)
    yield store
    store.close()


def refresh(database: Database, feeds: FeedStore, served: Served, *user_ids: int) -> list[FeedList]:
    """Write the lists of these readers."""
    with database.read() as session:
        return refresh_lists(session, feeds, served, user_ids, now=NOW)


def stale(database: Database) -> list[int]:
    """Return the readers whose list is older than what they did."""
    with database.read() as session:
        return find_stale(session, limit=10)


def test_a_refresh_writes_the_list_and_notes_the_change(world: Database, served: Served, feeds: FeedStore) -> None:
    with world.read() as session:
        paper = build_list(session, served, 1, now=NOW, size=20).paper_ids[0]
    add_event(world, 1, paper, EventKind.SAVE)
    assert stale(world) == [1]
    lists = refresh(world, feeds, served, 1)
    with world.write() as session:
        assert note_refreshed(session, lists)
    stored = feeds.read_list(1, version=VERSION)

    assert stored is not None
    assert stored.seq == 1
    assert paper in stored.hidden
    assert paper not in stored.paper_ids
    assert stale(world) == []


def test_several_readers_are_written_and_noted_together(world: Database, served: Served, feeds: FeedStore) -> None:
    for user_id in (3, 1, 2):
        add_event(world, user_id, PAPERS[0], EventKind.CLICK)
    lists = refresh(world, feeds, served, 3, 1, 2)
    with world.write() as session:
        assert note_refreshed(session, lists)
    assert [feed.user_id for feed in lists] == [3, 1, 2]
    assert stale(world) == []


def test_an_event_during_a_refresh_leaves_the_list_stale(world: Database, served: Served, feeds: FeedStore) -> None:
    add_event(world, 1, PAPERS[0], EventKind.CLICK)
    lists = refresh(world, feeds, served, 1)
    add_event(world, 1, PAPERS[1], EventKind.CLICK)
    with world.write() as session:
        assert note_refreshed(session, lists)
    assert stale(world) == [1]


def test_a_list_of_a_replaced_version_does_not_count_as_refreshed(
    world: Database, served: Served, feeds: FeedStore
) -> None:
    add_event(world, 1, PAPERS[0], EventKind.CLICK)
    lists = refresh(world, feeds, Served("older", served.model), 1)
    with world.write() as session:
        assert not note_refreshed(session, lists)
    assert stale(world) == [1]


def test_without_a_cache_nothing_counts_as_refreshed(world: Database, served: Served, tmp_path: Path) -> None:
    assert refresh(world, FeedStore(f"unix://{tmp_path / 'nothing.sock'}"), served, 1) == []


def test_an_unknown_reader_is_not_refreshed(world: Database, served: Served, feeds: FeedStore, redis_url: str) -> None:
    assert refresh(world, feeds, served, 12345) == []
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
