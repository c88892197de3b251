"""The place that a loading reached is committed with the papers before it, and belongs to one process."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from datetime import UTC, datetime

import pytest

from api.errors import Conflict
from api.services import backfill
from api.services.backfill import Part, Position
from api.services.catalog import IngestCounts
from api.sources.records import PaperRecord
from api.store.engine import Database
from api.store.papers import count_papers

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FIRST = Part([PaperRecord("One", "arxiv", external_id="1"), PaperRecord("Two", "arxiv", external_id="2")], 1, 300, 3)
SECOND = Part([PaperRecord("Two", "arxiv", external_id="2")], 0, 400, 4)


def begin(database: Database, fingerprint: str = "f", *, run: str = "r1", is_anew: bool = False) -> Position:
    with database.write() as session:
        return backfill.begin(session, fingerprint=fingerprint, run=run, now=NOW, is_anew=is_anew)


def record(database: Database, position: Position, part: Part) -> Position:
    with database.write() as session:
        return backfill.record_part(session, position, part, now=NOW)


def test_a_loading_goes_on_where_it_was_broken_off_and_keeps_its_counts(database: Database) -> None:
    record(database, begin(database), FIRST)
    again = begin(database, run="r2")
    assert (again.offset, again.line, again.rejected, again.counts) == (300, 3, 1, IngestCounts(inserted=2))
    assert record(database, again, SECOND).counts == IngestCounts(inserted=2, unchanged=1)


def test_papers_and_place_are_committed_together_or_not_at_all(database: Database) -> None:
    position = begin(database)
    with database.write() as session:
        backfill.record_part(session, position, FIRST, now=NOW)
        session.rollback()
    with database.read() as session:
        assert (count_papers(session), backfill.read_position(session)) == (0, position)


def test_another_file_is_refused_until_told_otherwise(database: Database) -> None:
    record(database, begin(database), FIRST)
    with pytest.raises(Conflict, match="ended at line 3"):
        begin(database, "another")
    assert begin(database, "another", is_anew=True).line == 0


def test_after_the_end_of_one_file_any_other_one_may_begin(database: Database) -> None:
    position = record(database, begin(database), FIRST)
    with database.write() as session:
        backfill.finish(session, position, now=NOW)
    assert begin(database).is_complete
    assert begin(database, "another").line == 0


def test_a_process_whose_loading_was_taken_over_writes_no_more(database: Database) -> None:
    former = record(database, begin(database), FIRST)
    begin(database, run="r2")
    with pytest.raises(Conflict, match="another process"):
        record(database, former, SECOND)
    with pytest.raises(Conflict, match="another process"), database.write() as session:
        backfill.finish(session, former, now=NOW)


def test_a_loading_that_is_taken_over_goes_on_behind_the_part_that_is_being_written(database: Database) -> None:
    former = begin(database)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as session:
            backfill.record_part(session, former, FIRST, now=NOW)
            taken = pool.submit(begin, database, run="r2")
            with pytest.raises(NotYet):
                taken.result(0.3)
        assert taken.result(10).line == 3


def test_a_part_that_meets_a_take_over_is_refused(database: Database) -> None:
    former = begin(database)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as session:
            backfill.begin(session, fingerprint="f", run="r2", now=NOW)
            late = pool.submit(record, database, former, FIRST)
            with pytest.raises(NotYet):
                late.result(0.3)
        with pytest.raises(Conflict, match="another process"):
            late.result(10)
    with database.read() as session:
        assert count_papers(session) == 0
