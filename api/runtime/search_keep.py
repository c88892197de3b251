"""Who writes the search index: one process at a time, following SQL, and making the index anew when it has to be."""

import logging
import os
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from api.runtime.processes import LOWEST_PRIORITY
from api.runtime.search_child import RebuildChild
from api.store.engine import Database
from api.store.paper_changes import existing_paper_ids
from api.store.search_documents import PaperDocument
from api.store.search_errors import IndexBroken, IndexMissing, IndexUnusable
from api.store.search_files import (
    WRITER_LOCK,
    FolderLock,
    forget_rebuild,
    is_rebuilding,
    new_generation,
    point_to,
    remove_old_generations,
    want_rebuild,
    wanted_rebuild,
    write_status,
)
from api.store.search_index import SearchIndex
from api.store.search_rows import changes_since, count_rows, load_documents, versions_after
from api.store.search_writer import SearchWriter, read_mark

log = logging.getLogger(__name__)

PAPERS_PER_STEP: Final = 1_000  # taken in at once: readers see the first of many after a second
SMALL: Final = 5_000  # so many papers are indexed without a process of their own
# A writer's `updated_at` is older than its commit, by as long as it waited for the database.
OVERLAP_US: Final = 60_000_000
OVERLAP_MOST: Final = 20_000  # papers looked at again; in a long ingest the comparison finds the rest
OVERLAP_EVERY_SECONDS: Final = 5.0
TIDY_EVERY_SECONDS: Final = 10.0
COMPARE_EVERY_SECONDS: Final = 60.0
PAPERS_PER_COMPARISON: Final = 5_000
IDS_PER_LOOK: Final = 20_000  # numbers looked up at once for removed papers
_HIGHEST_ID: Final = 2**62


class IndexKeeper:
    """Keeps one index like SQL, while this process is the one that writes; others may look on."""

    def __init__(self, db: Database, folder: Path) -> None:
        self._db = db
        self._folder = folder
        self._lock = FolderLock(folder / WRITER_LOCK)
        self._child = RebuildChild(db.url, folder)
        self._writer: SearchWriter | None = None
        self._followed_to = 0
        self._due: dict[str, float] = {}
        self._compared_to = 0
        self._rows = -1  # at the last look: fewer now means that papers were removed
        self.problem = ""  # why SQL cannot be followed

    @property
    def is_writer(self) -> bool:
        """True while this process is the one that writes."""
        return self._lock.is_held

    def step(self, current: SearchIndex | None, trouble: IndexUnusable | None) -> bool:
        """Do what is due, `trouble` being why there is no sound index; True when there is more to do at once."""
        if not self._lock.take():
            return False
        if (ended := self._child.finished()) is not None:
            level = logging.WARNING if self._child.problem else logging.INFO
            log.log(level, "search index rebuilt" if not self._child.problem else "rebuild failed", extra=dict(ended))
        reason = str(trouble) if trouble is not None else wanted_rebuild(self._folder)
        if current is None and isinstance(trouble, IndexMissing) and self._are_papers_few():
            self._start_small()
            return True
        if reason is not None:
            self._renew(reason)
        is_behind = False
        if current is not None and current.path.exists():
            is_behind = self._follow(current)
        self._tidy(current)
        return is_behind

    def close(self) -> None:
        """Let another process write."""
        self._child.stop()
        self._let_go()
        self._lock.free()

    def _renew(self, reason: str) -> None:
        """Start a rebuild unless there is one, or the last one failed a moment ago."""
        if is_rebuilding(self._folder):
            return
        if wanted_rebuild(self._folder) is None:
            want_rebuild(self._folder, reason)
        if self._child.start():
            log.info("search index is made anew", extra={"reason": reason})

    def _are_papers_few(self) -> bool:
        with self._db.read() as session:
            return count_rows(session) <= SMALL

    def _start_small(self) -> None:
        """Fill a new generation with the few papers there are: nobody is answered from it before."""
        self._let_go()
        generation = new_generation(self._folder)
        self._writer = _open_with_low_priority(generation)
        with self._db.read() as session:
            versions = versions_after(session, 0, limit=SMALL)
            papers = load_documents(session, list(versions))
        self._writer.add(papers)
        self._writer.commit()
        self._followed_to = max(versions.values(), default=0)
        self._writer.note_followed(self._followed_to)
        point_to(self._folder, generation)
        forget_rebuild(self._folder)
        log.info("search index started", extra={"generation": generation.name, "papers": len(papers)})

    def _follow(self, current: SearchIndex) -> bool:
        writer = self._writer_of(current)
        with self._db.read() as session:
            changes = changes_since(session, self._followed_to + 1, limit=PAPERS_PER_STEP)
            is_behind = len(changes) >= PAPERS_PER_STEP
            newest = max((at for _, at in changes), default=self._followed_to)
            if not is_behind and self._is_due("overlap", OVERLAP_EVERY_SECONDS):
                changes += changes_since(session, self._followed_to - OVERLAP_US, limit=OVERLAP_MOST)
            versions = dict(changes)
            known = current.versions_of(list(versions)) if versions else {}
            stale = [paper_id for paper_id, at in versions.items() if known.get(paper_id) != at]
            papers = load_documents(session, stale)
        gone = (set(stale) - {paper.paper_id for paper in papers}) & known.keys()
        if papers or gone:
            self._write(writer, current, papers, gone)
        if newest > self._followed_to:
            writer.note_followed(newest)
            self._followed_to = newest
        return is_behind

    def _write(
        self, writer: SearchWriter, current: SearchIndex, papers: list[PaperDocument], gone: Collection[int]
    ) -> None:
        """Write and look whether it is there: a writer whose disk was full for a moment loses papers in silence."""
        writer.add(papers)
        writer.delete(gone)
        writer.commit()
        current.reload()
        known = current.versions_of([paper.paper_id for paper in papers])
        lost = sum(known.get(paper.paper_id) != paper.updated_us for paper in papers)
        if lost:
            raise IndexBroken(f"{lost:,} papers were not taken in")

    def _tidy(self, current: SearchIndex | None) -> None:
        if not self._is_due("tidy", TIDY_EVERY_SECONDS):
            return
        if current is not None and self._writer is not None and self._writer.path == current.path:
            self._compare(current)
            if not is_rebuilding(self._folder):
                remove_old_generations(self._folder, keep=current.path)
        write_status(
            self._folder,
            {
                "at": time.time(),
                "papers": None if current is None else current.num_papers,
                "followed_to_us": self._followed_to,
                "problem": self._child.problem or self.problem,
                "rebuilding": self._child.progress if self._child.is_running else None,
            },
        )

    def _compare(self, current: SearchIndex) -> None:
        """Take out what SQL no longer has, all at once after papers were removed, and look at a part of the rest."""
        with self._db.read() as session:
            rows = count_rows(session)
            if rows < self._rows or self._rows < 0:
                self._put_right(current, [], _removed(session, current))
            self._rows = rows
            if not self._is_due("compare", COMPARE_EVERY_SECONDS):
                return
            wanted = versions_after(session, self._compared_to, limit=PAPERS_PER_COMPARISON)
            last = max(wanted) if len(wanted) == PAPERS_PER_COMPARISON else _HIGHEST_ID
            known = current.versions(first_id=self._compared_to + 1, last_id=last)
            stale = [paper_id for paper_id, at in wanted.items() if known.get(paper_id) != at]
            papers = load_documents(session, stale)
        self._compared_to = 0 if last == _HIGHEST_ID else last
        self._put_right(current, papers, known.keys() - wanted.keys())

    def _put_right(self, current: SearchIndex, papers: list[PaperDocument], gone: Collection[int]) -> None:
        if (papers or gone) and self._writer is not None:
            self._write(self._writer, current, papers, gone)
            log.info("search index put right", extra={"papers": len(papers), "taken_out": len(gone)})

    def _writer_of(self, current: SearchIndex) -> SearchWriter:
        if self._writer is None or self._writer.path != current.path:
            self._let_go()
            writer = _open_with_low_priority(current.path)
            self._followed_to = int(read_mark(current.path).get("followed_to_us", 0))
            self._rows = -1
            self._writer = writer
        return self._writer

    def let_go_of_index(self) -> None:
        """Drop the writer, as after an error: what it had not committed is written again by the next one."""
        self._let_go()

    def _let_go(self) -> None:
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None

    def _is_due(self, work: str, seconds: float) -> bool:
        if time.monotonic() < self._due.get(work, 0.0):
            return False
        self._due[work] = time.monotonic() + seconds
        return True


def _removed(session: Session, current: SearchIndex) -> set[int]:
    """Return the papers of the index that SQL has no more, a range of numbers after the other."""
    removed: set[int] = set()
    for first in range(0, current.highest_paper_id() + 1, IDS_PER_LOOK):
        known = current.versions(first_id=first, last_id=first + IDS_PER_LOOK - 1).keys()
        removed |= known - existing_paper_ids(session, known)
    return removed


def _open_with_low_priority(path: Path) -> SearchWriter:
    """Open a writer whose own threads, which write and merge, take what requests leave of the processors."""
    opened: list[SearchWriter] = []
    failed: list[BaseException] = []

    def open_it() -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
            opened.append(SearchWriter.open(path))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
            failed.append(error)

    thread = threading.Thread(target=open_it, name="search-writer")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return opened[0]
