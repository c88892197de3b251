"""The search index made anew: beside the old one, after damage, by a process of its own."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.runtime import search_keep
from api.runtime.search_follow import SearchFollower
from api.runtime.search_rebuild import rebuild
from api.store.engine import Database
from api.store.search_errors import IndexBusy, IndexUnusable
from api.store.search_files import current_generation, sole_rebuild, wanted_rebuild
from api.store.search_writer import MARK
from tests.api.search_world import ALL, closing_follower, found, is_new, settle, write
from tests.faults.watching import until


def test_a_rebuild_answers_from_a_new_generation_and_loses_nothing(
    database: Database, folder: Path, follower: SearchFollower
) -> None:
    before = current_generation(folder)
    steps: list[tuple[int, int]] = []
    assert rebuild(database, folder, lambda done, total: steps.append((done, total))) == 10
    assert steps == [(10, 10)]
    write(database, 11, at=datetime.now(UTC))
    settle(follower)
    assert current_generation(folder) != before
    assert follower.current is not None
    assert follower.current.path == current_generation(folder)
    assert found(follower) == list(range(1, 12))


def test_two_rebuilds_at_once_are_refused(database: Database, folder: Path) -> None:
    folder.mkdir()
    with sole_rebuild(folder), pytest.raises(IndexBusy):
        rebuild(database, folder, lambda _done, _total: None)


def test_a_rebuild_that_fails_leaves_nothing(sqlite_database: Database, folder: Path) -> None:
    write(sqlite_database, 1)

    def fail(_done: int, _total: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        rebuild(sqlite_database, folder, fail)
    assert not list(folder.glob("generation-*"))


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_index_is_made_anew(sqlite_database: Database, folder: Path, damage: str) -> None:
    write(sqlite_database, *range(1, 11))
    with closing_follower(sqlite_database, folder) as follower:
        settle(follower)
        generation = current_generation(folder)
        damage_index(generation)[damage]()
        follower.poll()
        with pytest.raises(IndexUnusable):
            follower.search(ALL, limit=1)
        until(lambda: follower.poll() or is_new(follower, generation), seconds=20, what="a new index")
        assert found(follower) == list(range(1, 11))
        # The new index answers before the wish for it is taken back; a stop in between would end the rebuild.
        until(lambda: wanted_rebuild(folder) is None, seconds=20, what="the wish for a new index taken back")


@pytest.mark.slow
def test_an_index_of_another_version_is_made_anew(database: Database, folder: Path, follower: SearchFollower) -> None:
    generation = current_generation(folder)
    follower.stop()
    (generation / MARK).write_text('{"schema": "older"}', encoding="utf-8")
    with closing_follower(database, folder) as updated:
        updated.poll()
        with pytest.raises(IndexUnusable, match="another version"):
            updated.search(ALL, limit=1)
        until(lambda: updated.poll() or is_new(updated, generation), seconds=20, what="a new index")
        assert found(updated) == list(range(1, 11))


@pytest.mark.slow
def test_a_folder_that_was_removed_is_made_anew(sqlite_database: Database, folder: Path) -> None:
    write(sqlite_database, *range(1, 11))
    with closing_follower(sqlite_database, folder) as follower:
        settle(follower)
        before = current_generation(folder)
        shutil.rmtree(folder)
        write(sqlite_database, 11, at=datetime.now(UTC))
        settle(follower)
        assert found(follower) == list(range(1, 11))  # what is open goes on answering
        until(lambda: follower.poll() or is_new(follower, before), seconds=20, what="a new index")
        settle(follower)
        assert found(follower) == list(range(1, 12))


@pytest.mark.slow
def test_many_papers_are_indexed_by_a_process_of_their_own(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_keep, "SMALL", 5)
    write(database, *range(1, 21))
    with closing_follower(database, folder) as follower:
        follower.poll()
        with pytest.raises(IndexUnusable):
            follower.search(ALL, limit=1)
        until(lambda: follower.poll() or follower.current is not None, seconds=20, what="a new index")
        assert found(follower) == list(range(1, 21))


def damage_index(generation: Path) -> dict[str, Callable[[], object]]:
    """Return what disks and people do to an index."""
    file = next(generation.glob("*.idx"))
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0x5A

    def replace(by: bytes | bytearray) -> None:
        file.unlink()  # a reader has the old content mapped: cutting it off would kill the reader
        file.write_bytes(by)

    return {
        "changed": lambda: replace(content),
        "cut": lambda: replace(content[: len(content) // 2]),
        "gone": file.unlink,
    }
