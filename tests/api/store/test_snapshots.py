"""A snapshot on disk is whole or not there."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from api.store.snapshots import publish_directory, read_json, read_snapshot, write_json, write_snapshot
from recommender.domain import Interactions, PaperTexts
from tests.planted import plant


def test_a_snapshot_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    world = plant(is_timed=True)
    log = world.interactions
    parts = [log.select(np.arange(start, min(start + 70, len(log)))) for start in range(0, len(log), 70)]
    assert write_snapshot(tmp_path / "snapshot", interactions=parts, texts=world.texts) == len(log)
    interactions, texts = read_snapshot(tmp_path / "snapshot")
    for name in ("user_ids", "paper_ids", "kinds", "occurred_at", "values"):
        np.testing.assert_array_equal(getattr(interactions, name), getattr(log, name))
    assert texts.titles == world.texts.titles
    np.testing.assert_array_equal(texts.paper_ids, world.texts.paper_ids)
    np.testing.assert_array_equal(texts.published_at, world.texts.published_at)


def test_a_log_without_events_is_read_back_empty(tmp_path: Path) -> None:
    texts = PaperTexts(np.array([1]), ["a title\nof two lines"], ["“s”"], [""], np.array([np.nan]))
    assert write_snapshot(tmp_path / "snapshot", interactions=[], texts=texts) == 0
    interactions, read = read_snapshot(tmp_path / "snapshot")
    assert len(interactions) == 0
    assert (read.titles, read.summaries) == (["a title\nof two lines"], ["“s”"])


def test_a_snapshot_that_breaks_off_is_not_visible(tmp_path: Path) -> None:
    def parts() -> Iterator[Interactions]:
        yield Interactions.saves(np.array([1]), np.array([2]))
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_snapshot(tmp_path / "snapshot", interactions=parts(), texts=PaperTexts.empty(np.array([1])))
    assert not (tmp_path / "snapshot").exists()


def test_a_directory_that_is_already_published_wins(tmp_path: Path) -> None:
    for name, text in (("version", "first"), ("aside", "second")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(text)
    publish_directory(tmp_path / "aside", tmp_path / "version")
    assert (tmp_path / "version" / "file").read_text() == "first"
    assert not (tmp_path / "aside").exists()


def test_figures_that_are_not_numbers_become_null(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"ndcg": float("nan"), "seen": np.float32(0.5)})
    assert read_json(tmp_path / "x.json") == {"ndcg": None, "seen": 0.5}
    assert read_json(tmp_path / "y.json") is None
