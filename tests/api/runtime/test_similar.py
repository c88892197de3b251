"""Papers like a paper, for pages: found once, forgotten in time, and never waited for by many."""

import threading
import time
from pathlib import Path

import pytest

from api.runtime import similar as module
from api.runtime.serving import ServingModel
from api.runtime.similar import MOST_SIMILAR, SimilarPapers
from api.store.engine import Database
from tests.api.feed_world import planted, promote_model


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def serving(sqlite_database: Database, tmp_path_factory: pytest.TempPathFactory) -> ServingModel:
    """Return a promoted model."""
    return promote_model(sqlite_database, tmp_path_factory.mktemp("models"))


def test_papers_of_the_same_topic_are_found_and_not_the_paper_itself(serving: ServingModel) -> None:
    world = planted()
    topics = dict(zip(world.texts.paper_ids.tolist(), world.topic_of_paper.tolist(), strict=True))
    similar = SimilarPapers(serving)
    for paper_id in list(topics)[:20]:
        found = similar.find(paper_id)
        assert found is not None
        assert len(found) == MOST_SIMILAR
        assert paper_id not in found
        assert sum(topics[one] == topics[paper_id] for one in found) >= 0.8 * MOST_SIMILAR


def test_without_a_model_and_of_an_unknown_paper_there_are_none(
    serving: ServingModel, sqlite_database: Database, tmp_path: Path
) -> None:
    assert SimilarPapers(ServingModel(sqlite_database, tmp_path)).find(1000) == ()
    similar = SimilarPapers(serving)
    assert similar.find(10**9) == ()
    assert not similar._kept  # the model learns of a new paper within seconds


def test_what_was_found_is_kept_for_a_while(serving: ServingModel) -> None:
    clock = Clock()
    similar = SimilarPapers(serving, clock=clock)
    found = similar.find(1000)
    similar._looking.acquire()  # from here on nobody else can look
    assert similar.find(1000) == found
    clock.now = module.KEEP_SECONDS + 1
    assert similar.find(1000) is None


def test_who_comes_while_others_look_waits_a_moment_and_does_without(
    serving: ServingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    similar = SimilarPapers(serving)
    similar._looking.acquire()
    began = time.monotonic()
    assert similar.find(1000) is None
    assert time.monotonic() - began >= 0.05
    similar._looking.release()
    assert similar.find(1000) is not None


def test_many_at_once_look_once(serving: ServingModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 10.0)
    similar = SimilarPapers(serving)
    looks: list[int] = []
    look = similar._look

    def count(paper_id: int, served: object) -> tuple[int, ...]:
        looks.append(paper_id)
        return look(paper_id, served)  # type: ignore[arg-type] # passed through

    monkeypatch.setattr(similar, "_look", count)
    threads = [threading.Thread(target=similar.find, args=(1000,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert looks == [1000]


def test_memory_is_bounded(serving: ServingModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 3)
    similar = SimilarPapers(serving)
    for paper_id in range(1000, 1010):
        similar.find(paper_id)
    assert list(similar._kept) == [1007, 1008, 1009]
