"""Papers that readers want are found when they come, by looking at what is new, and nothing is missed."""

import threading
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from api.services import arrivals, pending_papers
from api.services.arrivals import OVERLAP, ROUND_EVERY
from api.services.bibliography import Reference
from api.services.catalog import record_papers
from api.services.pending_papers import Settled
from api.sources.records import PaperRecord
from api.store.engine import Database
from api.store.tables import Event, Paper
from tests.api.routes.conftest import make_paper
from tests.api.services.shelf_world import NOW, add_reader, paper

ID = "2401.01234"
SOON = timedelta(seconds=10)
LATER = NOW + 3 * OVERLAP  # what was wanted at first is not new any more


def bring(database: Database, *records: PaperRecord, at: datetime) -> None:
    with database.write() as session:
        record_papers(session, records, now=at)


def want(database: Database, user_id: int, *references: Reference, at: datetime = NOW) -> None:
    with database.write() as session:
        pending_papers.keep_references(session, user_id, references, now=at)


def settle(database: Database, at: datetime) -> Settled:
    with database.write() as session:
        return pending_papers.settle(session, now=at)


def settle_all(database: Database, at: datetime) -> list[int]:
    """Settle until there is no more, as the task does; return how many came each time."""
    came = []
    for _ in range(20):
        done = settle(database, at)
        came.append(done.papers)
        if done.is_last:
            return came
    raise AssertionError(f"no end: {came}")


def is_news(database: Database, at: datetime) -> bool:
    with database.read() as session:
        return pending_papers.look(session, now=at)[0]


@pytest.fixture
def ada(database: Database) -> int:
    """Return a reader who waits for a paper that never comes, at a service that has looked around a moment ago."""
    user_id = add_reader(database)
    bring(database, paper("2301.00001", "Here since long"), at=NOW - timedelta(days=9))
    want(database, user_id, Reference(paper_id="2401.99999"), at=NOW - timedelta(days=1))
    assert settle_all(database, NOW) == [0]
    return user_id


def test_where_nothing_is_new_there_is_nothing_to_look_at(database: Database, ada: int) -> None:
    assert not is_news(database, NOW + SOON)
    bring(database, paper("2401.00001", "Another one"), at=NOW + SOON)
    assert is_news(database, NOW + SOON)
    settle(database, NOW + SOON)
    assert is_news(database, NOW + SOON)  # what commits late is looked for yet
    later = NOW + SOON + OVERLAP
    settle(database, later)
    assert not is_news(database, later + SOON)


def test_nobody_who_waits_is_nothing_to_look_at(database: Database) -> None:
    bring(database, paper("2401.00001", "Wanted by nobody"), at=NOW)
    assert not is_news(database, NOW)
    assert settle_all(database, NOW) == [0]


def test_a_look_walks_through_neither_papers_nor_wants(sqlite_database: Database) -> None:
    user_id = add_reader(sqlite_database)
    want(sqlite_database, user_id, Reference(paper_id=ID), Reference("On Engines", doi="10.1000/engines"))
    settle(sqlite_database, NOW)
    bring(sqlite_database, paper("2401.00001", "Another one"), at=NOW + SOON)
    asked: list[tuple[str, object]] = []

    def note(_c: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, values))

    sa.event.listen(sqlite_database.engine, "before_cursor_execute", note)
    assert is_news(sqlite_database, NOW + SOON)
    assert settle(sqlite_database, NOW + SOON).papers == 0
    sa.event.remove(sqlite_database.engine, "before_cursor_execute", note)
    assert len(asked) > 10
    with sqlite_database.read() as session:
        for statement, values in asked:
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type] # as they came
            assert not [row[3] for row in plan if row[3].startswith("SCAN")], statement


def test_a_paper_that_commits_late_is_found(database: Database, ada: int) -> None:
    want(database, ada, Reference(paper_id=ID), at=NOW + SOON)
    bring(database, paper("2401.00001", "First"), at=NOW + 2 * SOON)
    assert settle_all(database, NOW + 2 * SOON) == [0]
    bring(database, paper(ID, "Begun before"), at=NOW + SOON)
    assert settle_all(database, NOW + 3 * SOON) == [1]


def test_what_is_written_by_an_open_transaction_is_found_after_its_commit(postgres_database: Database) -> None:
    user_id = add_reader(postgres_database)
    want(postgres_database, user_id, Reference(paper_id=ID))
    with postgres_database.write() as session:
        slow = make_paper(ID)
        slow.updated_at = NOW
        session.add(slow)
        session.flush()
        with postgres_database.write() as other:
            quick = make_paper("2401.00001")
            quick.updated_at = NOW + SOON
            other.add(quick)
        assert settle_all(postgres_database, NOW + SOON) == [0]
    assert settle_all(postgres_database, NOW + 2 * SOON) == [1]


def test_what_was_late_by_more_than_a_look_goes_back_is_found_in_time(database: Database, ada: int) -> None:
    want(database, ada, Reference(paper_id=ID), at=NOW + SOON)
    assert settle_all(database, LATER) == [0]
    bring(database, paper(ID, "From a host whose clock is wrong"), at=NOW - timedelta(hours=3))
    assert settle_all(database, LATER + SOON) == [0]
    assert settle_all(database, LATER + ROUND_EVERY) == [1]


def test_all_wants_are_gone_through_in_time_a_part_after_the_other(
    database: Database, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "WANTS_PER_ROUND", 2)
    ids = [f"2401.0000{number}" for number in range(5)]
    want(database, ada, *(Reference(paper_id=one) for one in ids), at=NOW + SOON)
    assert settle_all(database, LATER) == [0]
    bring(database, *(paper(one, one) for one in ids), at=NOW - timedelta(hours=3))
    came = [sum(settle_all(database, LATER + number * ROUND_EVERY)) for number in range(1, 6)]
    assert sum(came) == len(ids)
    assert max(came) == 2


@pytest.mark.parametrize(
    "change",
    [paper(ID, "Old name", doi="10.1000/engines"), paper(ID, "On Engines")],
    ids=["doi", "title"],
)
def test_a_paper_that_gets_another_doi_or_title_is_found(database: Database, ada: int, change: PaperRecord) -> None:
    doi = change.doi
    want(database, ada, Reference("x", doi=doi) if doi else Reference("On Engines"), at=NOW + SOON)
    bring(database, paper(ID, "Old name"), at=NOW - timedelta(days=3))
    assert settle_all(database, NOW + SOON) == [0]
    bring(database, change, at=NOW + 2 * SOON)
    assert settle_all(database, NOW + 2 * SOON) == [1]


def test_a_title_is_found_when_the_other_paper_of_that_name_goes(database: Database, ada: int) -> None:
    want(database, ada, Reference("Introduction"), at=NOW + SOON)
    bring(database, paper("2401.00001", "Introduction"), paper("2401.00002", "Introduction"), at=NOW + SOON)
    assert settle_all(database, NOW + SOON) == [0]
    later = NOW + timedelta(seconds=50)
    with database.write() as session:
        gone = sa.update(Paper).where(Paper.external_id == "2401.00002")
        session.execute(gone.values(deleted_at=later, updated_at=later))
    assert settle_all(database, later) == [1]


def test_a_want_of_a_paper_that_was_here_before_is_found(database: Database, ada: int) -> None:
    want(database, ada, Reference(paper_id="2301.00001", title="x"), at=NOW + SOON)
    want(database, ada, Reference("HERE since long"), at=NOW + SOON)
    assert settle_all(database, NOW + SOON) == [2]


def test_more_than_fits_into_a_step_is_found_in_further_ones(
    database: Database, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "ROWS_PER_STEP", 2)
    ids = [f"2401.0000{number}" for number in range(7)]
    want(database, ada, *(Reference(paper_id=one) for one in ids), at=NOW + SOON)
    for number, one in enumerate(ids):
        bring(database, paper(one, one), at=NOW + SOON + timedelta(seconds=number))
    came = settle_all(database, NOW + 2 * SOON)
    assert sum(came) == len(ids)
    assert len(came) > 1


def test_a_limit_in_the_middle_leaves_nothing_out(
    database: Database, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_papers, "SETTLED_AT_ONCE", 20)
    readers = [add_reader(database, f"r{number}") for number in range(45)]
    for reader in readers:
        want(database, reader, Reference(paper_id=ID), at=NOW + SOON)
    bring(database, paper(ID, "Wanted by all"), at=NOW + SOON)
    assert settle_all(database, NOW + SOON) == [20, 20, 5]
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Event)) == len(readers)


def test_who_dies_in_the_middle_leaves_all_to_the_next(database: Database, ada: int) -> None:
    want(database, ada, Reference(paper_id=ID), at=NOW + SOON)
    bring(database, paper(ID, "It came"), at=NOW + SOON)
    with database.write() as session:
        assert pending_papers.settle(session, now=NOW + SOON).papers == 1
        session.rollback()
    assert settle_all(database, NOW + 9 * OVERLAP) == [1]


def test_two_workers_at_once_save_each_paper_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_papers, "SETTLED_AT_ONCE", 20)
    readers = [add_reader(database, f"r{number}") for number in range(30)]
    for reader in readers:
        want(database, reader, Reference(paper_id=ID))
    bring(database, paper(ID, "Wanted by all"), at=NOW)
    came: list[int] = []
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        came.extend(settle_all(database, NOW))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(came) == len(readers)
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Event)) == len(readers)


def test_a_clock_that_was_wrong_for_a_while_loses_nothing(database: Database, ada: int) -> None:
    bring(database, paper("2401.00001", "Any"), at=NOW)
    assert settle_all(database, NOW + timedelta(days=365)) == [0]
    want(database, ada, Reference(paper_id=ID), at=NOW + SOON)
    bring(database, paper(ID, "It came"), at=NOW + SOON)
    assert is_news(database, NOW + SOON)
    assert settle_all(database, NOW + SOON) == [1]
