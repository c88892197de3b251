"""The search index made anew beside the one that answers: `python -m api.runtime.search_rebuild`, the address on stdin.

The process ends with its parent and takes only what others leave of the processors.
"""

import logging
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, TypeAlias

import orjson
from sqlalchemy.exc import SQLAlchemyError

from api.runtime.processes import die_with_parent, yield_to_others
from api.store.engine import Database
from api.store.search_errors import IndexBroken, IndexBusy, IndexUnusable
from api.store.search_files import (
    forget_rebuild,
    new_generation,
    point_to,
    remove_old_generations,
    sole_rebuild,
    verify,
)
from api.store.search_index import SearchIndex
from api.store.search_rows import count_found, iter_documents, newest_change_us
from api.store.search_writer import SearchWriter

log = logging.getLogger(__name__)

Progress: TypeAlias = Callable[[int, int], None]  # papers done, papers in all

PAPERS_PER_STEP: Final = 2_000
BUILD_BYTES: Final = 96_000_000  # what the writer may hold: a large index in few parts
# A transaction that began before the rebuild may commit after it has passed: its papers are taken in afterwards.
OVERLAP_US: Final = 60_000_000
BUSY_EXIT: Final = 3


def rebuild(db: Database, folder: Path, progress: Progress) -> int:
    """Make a new index from SQL, let it answer, and return how many papers it has; the old one answers until then.

    IndexBusy while another process does the same. Nothing is left of a rebuild that fails.
    """
    with sole_rebuild(folder):
        generation = new_generation(folder)
        try:
            papers = _fill(db, generation, progress)
            _check(generation, papers)
            point_to(folder, generation)
        except BaseException:
            shutil.rmtree(generation, ignore_errors=True)
            raise
        forget_rebuild(folder)
        remove_old_generations(folder, keep=generation)
    return papers


def _fill(db: Database, generation: Path, progress: Progress) -> int:
    done = 0
    with db.read() as session:
        followed_to = max(newest_change_us(session) - OVERLAP_US, 0)
        total = count_found(session)
        with closing(SearchWriter.open(generation, num_bytes=BUILD_BYTES)) as writer:
            for papers in iter_documents(session, per_fetch=PAPERS_PER_STEP):
                done += writer.add(papers, are_new=True)
                progress(done, max(total, done))
            writer.commit()
            writer.note_followed(followed_to)
    return done


def _check(generation: Path, papers: int) -> None:
    """Open what was made: an index that is damaged or lacks papers shall not answer."""
    verify(generation)
    found = SearchIndex.open(generation).num_papers
    if found != papers:
        raise IndexBroken(f"the index was made of {papers:,} papers and holds {found:,}")


def main() -> int:
    """Rebuild what standard input names, with a line of progress on standard output now and then."""
    asked = orjson.loads(sys.stdin.buffer.read())
    die_with_parent(parent_pid=int(asked["parent"]))
    yield_to_others()
    db = Database(asked["database_url"])
    started = time.monotonic()
    try:
        papers = rebuild(db, Path(asked["folder"]), _say)
    except IndexBusy as error:
        _fail(error)
        return BUSY_EXIT
    except (IndexUnusable, OSError, SQLAlchemyError) as error:
        _fail(error)
        return 1
    finally:
        db.engine.dispose()
    _write({"papers": papers, "seconds": round(time.monotonic() - started, 1)})
    return 0


def _say(done: int, total: int) -> None:
    _write({"done": done, "total": total})


def _fail(error: Exception) -> None:
    _write({"problem": " ".join(f"{type(error).__name__}: {error}".split())[:300]})


def _write(line: dict[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
