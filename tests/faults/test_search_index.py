"""One search index and several real processes: a killed writer, a killed rebuild, a disk that is full."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.runtime.search_follow import SearchFollower
from api.runtime.search_rebuild import rebuild
from api.store.engine import Database
from api.store.search_errors import IndexUnusable
from api.store.search_files import current_generation, is_rebuilding
from api.store.search_query import Everything, SearchQuery
from api.store.tables import Paper
from tests.api.feed_world import LONG_AGO, paper_row
from tests.faults.watching import until

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ALL = SearchQuery(Everything())
FOLLOW = """
import sys, time
from pathlib import Path
from api.runtime.search_follow import SearchFollower
from api.store.engine import Database
follower = SearchFollower(Database(sys.argv[1]), Path(sys.argv[2]))
follower.start(0.1)
while not follower.is_writer or follower.current is None:
    time.sleep(0.05)
print("writes", flush=True)
time.sleep(600)
"""
REBUILD = """
import sys, time
from pathlib import Path
from api.runtime.search_rebuild import rebuild
from api.store.engine import Database
def pause(done, total):
    print("rebuilds", flush=True)
    time.sleep(600)
rebuild(Database(sys.argv[1]), Path(sys.argv[2]), pause)
"""
FULL_DISK = """
import resource, signal, sys, time
from pathlib import Path
from api.runtime.search_follow import SearchFollower
from api.store.engine import Database
from api.store.search_query import Everything, SearchQuery
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
follower = SearchFollower(Database(sys.argv[1]), Path(sys.argv[2]))
while follower.current is None or follower.current.num_papers < 10:
    follower.poll()
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
print("full", flush=True)
sys.stdin.readline()
while not follower.failure:
    follower.poll()
print(follower.failure, flush=True)
print(follower.search(SearchQuery(Everything()), limit=1).total, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
while follower.failure or follower.current.num_papers < 310:
    follower.poll()
    time.sleep(0.1)
print(follower.current.num_papers, flush=True)
"""


@contextmanager
def running(program: str, database: Database, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run a program on this database and index until the block ends, and have read its first line."""
    command = [sys.executable, "-c", program, database.url, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert read_line(child)
            yield child
        finally:
            child.kill()


def read_line(child: "subprocess.Popen[str]") -> str:
    """Return the next line of its output."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def write(database: Database, first: int, last: int) -> None:
    """Write papers of a moment ago with these numbers."""
    rows = [
        {**paper_row(at, title=f"Title {at}", category="cs.IR", listed_at=LONG_AGO), "updated_at": datetime.now(UTC)}
        for at in range(first, last + 1)
    ]
    with database.write() as session:
        session.execute(sa.insert(Paper), rows)


def total(follower: SearchFollower) -> int:
    """Return how many papers are found, -1 without an index."""
    try:
        return follower.search(ALL, limit=1).total
    except IndexUnusable:
        return -1


@pytest.fixture
def papers(sqlite_database: Database) -> Database:
    """Return a database with ten papers."""
    write(sqlite_database, 1, 10)
    return sqlite_database


def test_a_killed_writer_is_followed_by_another_process(papers: Database, tmp_path: Path) -> None:
    folder = tmp_path / "search"
    with running(FOLLOW, papers, folder) as writer:
        follower = SearchFollower(papers, folder)
        follower.start(0.1)
        until(lambda: total(follower) == 10, seconds=20, what="what the other process wrote")
        assert not follower.is_writer
        writer.kill()
        writer.wait()
        write(papers, 11, 12)
        until(lambda: total(follower) == 12, seconds=20, what="new papers after the writer's death")
        assert follower.is_writer
        follower.stop()


def test_a_killed_rebuild_leaves_the_old_index_and_room_for_another(papers: Database, tmp_path: Path) -> None:
    folder = tmp_path / "search"
    rebuild(papers, folder, lambda _done, _total: None)
    before = current_generation(folder)
    with running(REBUILD, papers, folder) as child:
        assert is_rebuilding(folder)
        child.kill()
        child.wait()
    assert current_generation(folder) == before
    assert rebuild(papers, folder, lambda _done, _total: None) == 10
    assert current_generation(folder) != before


def test_a_full_disk_stops_new_papers_alone_and_only_while_it_lasts(papers: Database, tmp_path: Path) -> None:
    with running(FULL_DISK, papers, tmp_path / "search") as child:
        write(papers, 11, 310)
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
        assert "too large" in read_line(child).lower()
        assert read_line(child) == "10"
        assert read_line(child) == "310"
