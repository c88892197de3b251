"""The task that makes sentence vectors, where no encoder can run."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from api import queue
from api.runtime.encoders import is_library_installed
from api.runtime.state import Runtime
from api.services.embedding import STATE_KEY
from api.settings import Settings
from api.store.engine import Database
from api.store.state import read_state
from tests.planted import plant
from tests.workers.in_process import configured_worker
from tests.workers.worlds import load_papers
from workers.app import build_schedule
from workers.embedding import embed_papers
from workers.first_start import start_first

pytestmark = pytest.mark.skipif(is_library_installed(), reason="shows what happens without the library")


@pytest.fixture
def held(database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """Return a worker's runtime with a sentence encoder that is not installed."""
    url = database.engine.url.render_as_string(hide_password=False)
    with configured_worker(tmp_path, url, redis_url, monkeypatch, PAPERFEED_TEXT_ENCODER="all-MiniLM-L6-v2") as runtime:
        yield runtime


def test_an_encoder_that_cannot_run_is_one_error_that_is_remembered(
    held: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    load_papers(held.db, plant(papers=5).texts)
    with caplog.at_level(logging.ERROR):
        assert [embed_papers(), embed_papers()] == [0, 0]
    assert [record.message for record in caplog.records] == ["papers go without sentence vectors"]
    with held.db.read() as session:
        state = read_state(session, STATE_KEY) or {}
    assert state["encoder"] == "all-MiniLM-L6-v2"
    assert "make embeddings" in state["problem"]


def test_one_worker_at_a_time_encodes_and_gives_the_turn_back(held: Runtime, redis_url: str) -> None:
    load_papers(held.db, plant(papers=5).texts)
    assert held.feeds.claim("embed", seconds=60)
    embed_papers()
    with held.db.read() as session:
        assert read_state(session, STATE_KEY) is None
    held.feeds.release("embed")
    embed_papers()
    with redis.Redis.from_url(redis_url) as client:
        assert not list(client.scan_iter("*embed*"))


def test_without_a_missing_vector_no_encoder_is_opened(held: Runtime) -> None:
    assert embed_papers() == 0
    with held.db.read() as session:
        assert read_state(session, STATE_KEY) is None


def test_the_sweep_is_scheduled_with_an_encoder_only() -> None:
    assert queue.EMBED_PAPERS not in build_schedule(Settings())
    entry = build_schedule(Settings(text_encoder="all-MiniLM-L6-v2"))[queue.EMBED_PAPERS]
    assert entry["options"] == {"queue": queue.TRAIN_QUEUE, "expires": 60.0}


def test_the_first_model_waits_for_the_first_vectors(held: Runtime, redis_url: str) -> None:
    load_papers(held.db, plant(papers=5).texts)
    start_first(held.settings, held.db, is_empty=False)
    with redis.Redis.from_url(redis_url) as client:
        queued = client.lrange(queue.TRAIN_QUEUE, 0, -1)
    tasks = [json.loads(message)["headers"]["task"] for message in queued]
    assert tasks[::-1] == [queue.EMBED_PAPERS, queue.RUN_TRAINING]  # taken from the end
