"""Tasks that keep lists true, called as functions."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

from api.runtime.metrics import LISTS_REPAIRED
from api.runtime.state import Runtime, build_runtime
from api.services.trending import BOARD, unpack_board
from api.store.feed_codec import FeedList
from api.store.tables import User
from recommender.domain import EventKind
from tests.api.feed_world import VERSION, add_event, planted
from workers import feeds, processes
from workers.refreshing import refresh

PAPER = int(planted().texts.paper_ids[0])


def seq_of(held: Runtime, user_id: int) -> int | None:
    """Return the change that a reader's list includes."""
    feed = held.feeds.read_list(user_id, version=VERSION)
    return None if feed is None else feed.seq


def test_the_sweep_repairs_every_list_whose_message_was_lost(held: Runtime) -> None:
    for user_id in (1, 2, 3):
        add_event(held.db, user_id, PAPER, EventKind.CLICK)
    assert feeds.sweep_feeds() == 3
    assert [seq_of(held, user_id) for user_id in (1, 2, 3, 4)] == [1, 1, 1, None]
    assert feeds.sweep_feeds() == 0


def test_the_sweep_takes_more_readers_than_a_batch(held: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "SWEEP_BATCH", 2)
    for user_id in range(1, 6):
        add_event(held.db, user_id, PAPER, EventKind.CLICK)
    assert feeds.sweep_feeds() == 5


def test_two_sweeps_do_not_overlap(held: Runtime) -> None:
    add_event(held.db, 1, PAPER, EventKind.CLICK)
    assert held.feeds.claim("sweep", seconds=10)
    assert feeds.sweep_feeds() == 0
    held.feeds.release("sweep")
    assert feeds.sweep_feeds() == 1


def test_a_sweep_without_a_cache_leaves_the_lists_stale_for_the_next_one(
    held: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add_event(held.db, 1, PAPER, EventKind.CLICK)
    away = build_runtime(held.settings.model_copy(update={"cache_url": f"unix://{tmp_path / 'no.sock'}"}))
    monkeypatch.setattr(processes, "_runtime", away)
    assert feeds.sweep_feeds() == 0
    away.close()
    monkeypatch.setattr(processes, "_runtime", held)
    assert feeds.sweep_feeds() == 1


def test_the_sweep_begins_with_readers_who_are_active(held: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "READERS_PER_BATCH", 1)
    order: list[int] = []

    def watched(runtime: Runtime, user_ids: Sequence[int]) -> tuple[list[FeedList], bool]:
        order.extend(user_ids)
        return refresh(runtime, user_ids)

    monkeypatch.setattr(feeds, "refresh", watched)
    for user_id in (1, 2, 3):
        add_event(held.db, user_id, PAPER, EventKind.CLICK)
    with held.db.write() as session:
        long_ago = datetime.now(UTC) - timedelta(minutes=held.settings.refresh_active_minutes + 1)
        session.execute(sa.update(User).where(User.user_id < 3).values(last_active_at=long_ago))
        session.execute(sa.update(User).where(User.user_id == 3).values(last_active_at=datetime.now(UTC)))
    assert feeds.sweep_feeds() == 3
    assert order == [3, 1, 2]


def test_what_the_sweep_repairs_is_counted(held: Runtime) -> None:
    before = LISTS_REPAIRED._value.get()
    add_event(held.db, 1, PAPER, EventKind.CLICK)
    feeds.sweep_feeds()
    assert LISTS_REPAIRED._value.get() == before + 1


def test_trending_is_put_into_the_cache(held: Runtime, redis_url: str) -> None:
    add_event(held.db, 1, PAPER, EventKind.SAVE)
    feeds.refresh_trending()
    value = held.feeds.read_trending(BOARD)
    board = None if value is None else unpack_board(value)
    assert board is not None
    assert [paper_id for paper_id, _ in board.windows["day"]] == [PAPER]
    with redis.Redis.from_url(redis_url) as cache:
        assert cache.exists("claim:trending") == 0
