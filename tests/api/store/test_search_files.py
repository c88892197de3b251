"""The folder of search indexes: which generation answers, who may write, and whether files are whole."""

import subprocess
import sys
from pathlib import Path

import pytest

from api.store.search_errors import IndexBroken, IndexBusy, IndexMissing
from api.store.search_files import (
    POINTER,
    FolderLock,
    current_generation,
    is_rebuilding,
    new_generation,
    point_to,
    read_status,
    remove_old_generations,
    sole_rebuild,
    verify,
    want_rebuild,
    wanted_rebuild,
    write_status,
)
from api.store.search_index import SearchIndex
from tests.api.search_world import document, write_index

HOLD = """
import sys, time
from pathlib import Path
from api.store.search_files import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print(lock.take(), flush=True)
time.sleep(60)
"""


def make_generation(folder: Path) -> Path:
    """Make an index of two papers and return its path."""
    return write_index(new_generation(folder), [document(1, "First"), document(2, "Second")])


def test_the_pointer_says_which_generation_answers(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing):
        current_generation(tmp_path)
    first, second = make_generation(tmp_path), make_generation(tmp_path)
    point_to(tmp_path, first)
    assert current_generation(tmp_path) == first
    point_to(tmp_path, second)
    assert current_generation(tmp_path) == second
    remove_old_generations(tmp_path, keep=second)
    assert first.exists()  # a reader may be about to open it
    remove_old_generations(tmp_path, keep=second, older_than=0)
    assert not first.exists()
    assert second.exists()


@pytest.mark.parametrize("said", ["generation-gone", "../elsewhere", "", "generation-x/../.."])
def test_a_pointer_to_nothing_is_damage(tmp_path: Path, said: str) -> None:
    (tmp_path / POINTER).write_text(said, encoding="utf-8")
    with pytest.raises(IndexBroken):
        current_generation(tmp_path)


@pytest.mark.parametrize("suffix", ["idx", "pos", "term", "fast", "fieldnorm", "store"])
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_any_damaged_file_is_found(tmp_path: Path, suffix: str, damage: str) -> None:
    generation = make_generation(tmp_path)
    verify(generation)
    [file] = generation.glob(f"*.{suffix}")
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0x5A
    file.unlink()
    if damage != "gone":
        file.write_bytes(content if damage == "changed" else content[: len(content) // 2])
    with pytest.raises(IndexBroken, match=suffix):
        verify(generation)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"segments": [3]}'])
def test_a_damaged_list_of_files_is_found(tmp_path: Path, content: bytes) -> None:
    generation = make_generation(tmp_path)
    (generation / "meta.json").write_bytes(content)
    with pytest.raises(IndexBroken, match=r"meta\.json"):
        verify(generation)
    with pytest.raises(IndexBroken):
        SearchIndex.open(generation)


def test_an_open_index_sees_that_a_file_of_it_was_touched(tmp_path: Path) -> None:
    generation = make_generation(tmp_path)
    index = SearchIndex.open(generation)
    assert not index.is_touched()
    next(generation.glob("*.idx")).write_bytes(b"something else")
    assert index.is_touched()


def test_a_killed_holder_frees_its_lock(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "lock")
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "lock"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "True\n"
        assert not lock.take()
        child.kill()
    assert lock.take()
    assert lock.is_held
    lock.free()
    assert not lock.is_held


def test_one_rebuild_at_a_time(tmp_path: Path) -> None:
    assert not is_rebuilding(tmp_path)
    with sole_rebuild(tmp_path):
        assert is_rebuilding(tmp_path)
        with pytest.raises(IndexBusy), sole_rebuild(tmp_path):
            pass
    assert not is_rebuilding(tmp_path)


def test_a_wish_and_a_status_are_kept_for_other_processes(tmp_path: Path) -> None:
    assert wanted_rebuild(tmp_path) is None
    want_rebuild(tmp_path / "search", "damaged")
    assert wanted_rebuild(tmp_path / "search") == "damaged"
    assert read_status(tmp_path) == {}
    write_status(tmp_path, {"papers": 3})
    assert read_status(tmp_path) == {"papers": 3}
