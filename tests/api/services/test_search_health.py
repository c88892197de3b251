"""What `/readyz` and `doctor` say about the search index."""

from pathlib import Path

import pytest

from api.services.search_health import read_search
from api.store.search_files import new_generation, point_to, want_rebuild, write_status
from api.store.search_writer import MARK
from tests.api.search_world import document, write_index


@pytest.fixture
def generation(tmp_path: Path) -> Path:
    """Return an index of one paper that answers."""
    made = write_index(new_generation(tmp_path), [document(1, "First")])
    point_to(tmp_path, made)
    write_status(tmp_path, {"papers": 1, "problem": "", "rebuilding": None})
    return made


def test_a_sound_index_says_how_many_papers_it_has(tmp_path: Path, generation: Path) -> None:
    assert read_search(tmp_path) == ("ok", "1 papers indexed")


def test_no_index_says_who_makes_it_and_how_far_that_is(tmp_path: Path) -> None:
    state, detail = read_search(tmp_path)
    assert state == "degraded"
    assert "paperfeed reindex" in detail
    write_status(tmp_path, {"rebuilding": [1000, 4000]})
    assert "1,000 of 4,000" in read_search(tmp_path)[1]


def test_an_index_of_another_version_is_told(tmp_path: Path, generation: Path) -> None:
    (generation / MARK).write_text('{"schema": "older"}', encoding="utf-8")
    assert "another version" in read_search(tmp_path)[1]
    (generation / MARK).write_text("{", encoding="utf-8")
    assert read_search(tmp_path)[0] == "degraded"


def test_an_index_that_is_gone_is_told(tmp_path: Path, generation: Path) -> None:
    (generation / "meta.json").unlink()
    assert "gone" in read_search(tmp_path)[1]


def test_damage_and_a_full_disk_are_told(tmp_path: Path, generation: Path) -> None:
    want_rebuild(tmp_path, "a file is damaged")
    assert "a file is damaged" in read_search(tmp_path)[1]
    write_status(tmp_path, {"papers": 1, "problem": "No space left on device"})
    assert read_search(tmp_path) == ("degraded", "new papers are not found yet: No space left on device")
