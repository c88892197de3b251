"""Tasks that keep lists true, called as functions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from api.runtime.state import Runtime, build_runtime
from api.services.trending import BOARD, unpack_board
from api.settings import Settings, read_settings
from api.store.engine import Database
from recommender.domain import EventKind
from tests.api.feed_world import VERSION, add_event, load_installation, planted, promote_model
from workers import feeds, processes

PAPER = int(planted().texts.paper_ids[0])


@pytest.fixture
def held(database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """Return the runtime of a worker process."""
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=database.engine.url.render_as_string(hide_password=False),
        cache_url=redis_url,
        secret_key=SecretStr("a signing secret of the tests, long enough"),
    )
    load_installation(database)
    promote_model(database, settings.models_dir)
    runtime = build_runtime(settings)
    monkeypatch.setattr(processes, "_runtime", runtime)
    read_settings.cache_clear()
    yield runtime
    monkeypatch.setattr(processes, "_runtime", None)
    runtime.close()
    read_settings.cache_clear()


def seq_of(held: Runtime, user_id: int) -> int | None:
    """Return the change that a reader's list includes."""
    feed = held.feeds.read_list(user_id, version=VERSION)
    return None if feed is None else feed.seq


def test_a_refresh_follows_the_readers_events(held: Runtime) -> None:
    add_event(held.db, 1, PAPER, EventKind.SAVE)
    feeds.refresh_feed(1)
    feed = held.feeds.read_list(1, version=VERSION)
    assert feed is not None
    assert feed.seq == 1
    assert PAPER in feed.hidden


def test_a_refresh_gives_the_claim_back_before_it_reads(held: Runtime) -> None:
    assert held.feeds.claim_refresh(1)
    feeds.refresh_feed(1)
    assert held.feeds.claim_refresh(1)


def test_a_refresh_twice_changes_nothing(held: Runtime) -> None:
    add_event(held.db, 1, PAPER, EventKind.SAVE)
    feeds.refresh_feed(1)
    first = held.feeds.read_list(1, version=VERSION)
    feeds.refresh_feed(1)
    second = held.feeds.read_list(1, version=VERSION)
    assert first is not None
    assert second is not None
    assert (second.paper_ids, second.seq) == (first.paper_ids, first.seq)


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


def test_an_unknown_reader_is_no_error(held: Runtime) -> None:
    feeds.refresh_feed(10**6)
    assert seq_of(held, 10**6) is None


def test_trending_is_put_into_the_cache(held: Runtime, redis_url: str) -> None:
    add_event(held.db, 1, PAPER, EventKind.SAVE)
    feeds.refresh_trending()
    value = held.feeds.read_trending(BOARD)
    board = None if value is None else unpack_board(value)
    assert board is not None
    assert [paper_id for paper_id, _ in board.windows["day"]] == [PAPER]
    with redis.Redis.from_url(redis_url) as cache:
        assert cache.exists("claim:trending") == 0
