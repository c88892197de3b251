"""Imported bibliographies: which papers they mean, what is saved, and what becomes of each entry."""

import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from api.services import library_import, library_pages
from api.services.bibliography import FORMATS, Reference, RejectedReference, read_text
from api.services.library_import import Outcome, count_fates
from api.store import library, shelf
from api.store.engine import Database
from api.store.papers import paper_ids_of
from api.store.tables import Event
from tests.api.services.shelf_world import ADA, NOW, add_papers, add_reader, import_all, paper, say

ENTRIES = 5_000
SECONDS = 60.0  # of the processor, for all of them, on a busy machine


@pytest.fixture
def here(database: Database) -> Database:
    """Return a database with a few papers."""
    add_papers(
        database,
        paper("2401.00001", "Looms", doi="10.1000/looms"),
        paper("2401.00002", "Engines"),
        paper("2401.00003", "Introduction"),
        paper("2401.00004", "Introduction"),
        paper(None, "A Book without an Id"),
    )
    return database


def fates(outcomes: list[Outcome]) -> list[tuple[str, str | None]]:
    return [(one.fate, one.paper_id) for one in outcomes]


def saved_ids(database: Database, user_id: int) -> list[str]:
    with database.read() as session:
        return [one.external_id for one in shelf.load_shelf(session, user_id, tag_key=None, after=None, limit=1000)]


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        (Reference("Another title", paper_id="2401.00001"), "2401.00001"),
        (Reference("x", doi="10.1000/looms"), "2401.00001"),
        (Reference("  ENGINES. "), "2401.00002"),
        (Reference("a book, without an id"), None),
        (Reference("A Book without an Id", paper_id="2401.99999"), None),
        (Reference("Introduction"), None),
        (Reference("Looms", doi="10.1000/other"), None),
        (Reference("Engines", paper_id="2401.99999"), None),
    ],
    ids=["id", "doi", "title", "title-id", "id-comes", "two", "doi-differs", "id-differs"],
)
def test_an_entry_means_the_paper_of_its_id_else_its_doi_else_its_title(
    here: Database, reference: Reference, found: str | None
) -> None:
    [outcome] = import_all(here, [reference])
    if "ithout" in reference.title:  # a paper without an id of its own is the one of that title
        assert outcome.fate == "saved"
    else:
        assert outcome.paper_id == found
        assert (outcome.fate == "saved") == (found is not None)


def test_an_import_is_in_the_log_once_however_often_it_is_made(here: Database) -> None:
    wanted = [Reference(paper_id="2401.00001", line=1), Reference(paper_id="2401.00002", line=2)]
    user_id = add_reader(here)
    assert fates(import_all(here, wanted)) == [("saved", "2401.00001"), ("saved", "2401.00002")]
    assert fates(import_all(here, wanted, user_id=user_id)) == [("there", "2401.00001"), ("there", "2401.00002")]
    with here.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Event)) == 2


def test_two_imports_at_once_count_once(here: Database) -> None:
    user_id = add_reader(here)
    wanted = [Reference(paper_id="2401.00001")]
    with here.read() as session:
        plans = [library_import.plan_import(session, ADA, user_id, references=wanted, rejected=()) for _ in range(2)]
    for plan in plans:
        for saves in library_import.saves_of(plan, now=NOW):
            with here.write() as session:
                library_import.record_saves(session, saves, now=NOW)
    with here.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Event)) == 1


def test_papers_stand_in_the_order_of_the_file_unless_it_tells_times(here: Database) -> None:
    user_id = add_reader(here)
    then = datetime(2020, 5, 1, tzinfo=UTC)
    wanted = [
        Reference(paper_id="2401.00003", saved_at=then),
        Reference(paper_id="2401.00002"),
        Reference(paper_id="2401.00001"),
        Reference(paper_id="2401.00004", saved_at=NOW + timedelta(days=9)),
    ]
    import_all(here, wanted)
    assert saved_ids(here, user_id) == ["2401.00002", "2401.00001", "2401.00004", "2401.00003"]
    with here.read() as session:
        [*_, last] = shelf.load_shelf(session, user_id, tag_key=None, after=None, limit=10)
    assert last.saved_at == then


def test_a_paper_that_was_taken_out_is_saved_again(here: Database) -> None:
    user_id = add_reader(here)
    say(here, ADA, "save", "2401.00001", at=NOW - timedelta(days=2))
    say(here, ADA, "unsave", "2401.00001", at=NOW - timedelta(days=1))
    long_ago = NOW - timedelta(days=900)
    import_all(here, [Reference(paper_id="2401.00001", saved_at=long_ago)], user_id=user_id)
    assert saved_ids(here, user_id) == ["2401.00001"]


def test_tags_and_notes_are_added_to_those_that_are_there(here: Database) -> None:
    user_id = add_reader(here)
    import_all(here, [Reference(paper_id="2401.00001", tags=("a", "B"), note="first")])
    again = [Reference(paper_id="2401.00001", tags=("b", "c"), note="second")]
    for _ in range(2):
        import_all(here, again, user_id=user_id)
    with here.read() as session:
        paper_id = paper_ids_of(session, ["2401.00001"])["2401.00001"]
        assert shelf.load_tags(session, user_id, [paper_id])[paper_id] == ("a", "B", "c")
        assert shelf.load_notes(session, user_id, [paper_id])[paper_id] == "first\n\nsecond"


def test_an_entry_that_stands_twice_is_one_paper_with_the_words_of_both(here: Database) -> None:
    user_id = add_reader(here)
    outcomes = import_all(
        here,
        [
            Reference(paper_id="2401.00001", line=1, tags=("a",), note="one"),
            Reference(doi="10.1000/looms", line=5, tags=("b",), note="two"),
            Reference("Not here", line=7),
            Reference("not here!", line=9),
        ],
    )
    assert [(one.fate, one.reason) for one in outcomes if one.line in {5, 9}] == [
        ("there", "the same paper as in line 1"),
        ("there", "the same paper as in line 7"),
    ]
    with here.read() as session:
        paper_id = paper_ids_of(session, ["2401.00001"])["2401.00001"]
        assert shelf.load_tags(session, user_id, [paper_id])[paper_id] == ("a", "b")
        assert shelf.load_notes(session, user_id, [paper_id])[paper_id] == "one\n\ntwo"


def test_every_entry_has_one_outcome_in_the_order_of_the_file(here: Database) -> None:
    outcomes = import_all(
        here,
        [Reference(paper_id="2401.00001", line=9), Reference(paper_id="2402.00001", line=3), Reference("T", line=5)],
        rejected=[RejectedReference(7, "broken", "@misc{")],
    )
    assert [(one.line, one.fate) for one in outcomes] == [
        (3, "fetching"),
        (5, "pending"),
        (7, "unreadable"),
        (9, "saved"),
    ]
    assert sum(count_fates(outcomes).values()) == 4


def test_words_that_find_no_room_are_told(here: Database) -> None:
    user_id = add_reader(here)
    many = tuple(f"tag {number}" for number in range(50))
    import_all(here, [Reference(paper_id="2401.00001", tags=many, note="x" * 9_990)])
    [outcome] = import_all(
        here, [Reference(paper_id="2401.00001", tags=("one more",), note="y" * 100)], user_id=user_id
    )
    assert len(outcome.remarks) == 2
    assert "no room" in outcome.remarks[1]


@pytest.mark.parametrize("name", ["bib", "ris", "csl.json", "json"])
def test_an_exported_library_is_the_same_one_in_another_readers_hands(here: Database, name: str) -> None:
    ada, eve = add_reader(here), add_reader(here, "eve")
    then = datetime(2024, 5, 1, 10, 30, 1, 123456, tzinfo=UTC)
    import_all(
        here,
        [
            Reference(paper_id="2401.00001", tags=("ünusual", "a b"), note="$x_1$ & {y}\n\n  two % #", saved_at=then),
            Reference("A Book without an Id", tags=("book",)),
            Reference(paper_id="2402.00001", title="Not here", note="wait"),
            Reference("Nor this", doi="10.1000/nor", authors=("Ada Lovelace", "van Gogh, V."), tags=("x",)),
        ],
    )
    write = FORMATS[name].write
    assert write is not None
    text = "".join(write(library_pages.export_library(here, ada)))
    found, rejected = read_text(text, name=name)
    assert rejected == []
    import_all(here, found, name="eve")
    for first, second in zip(
        library_pages.export_library(here, ada), library_pages.export_library(here, eve), strict=True
    ):
        assert replace(first, key="") == replace(second, key="")


@pytest.mark.slow
def test_five_thousand_entries_take_bounded_time_and_statements(sqlite_database: Database) -> None:
    add_papers(sqlite_database, *(paper(f"2401.{number:05}", f"Paper {number}") for number in range(ENTRIES // 2)))
    references = [
        Reference(f"Paper {number}", paper_id=f"2401.{number:05}", tags=("a", f"t{number % 7}"), note=f"n{number}")
        for number in range(ENTRIES)
    ]
    write = FORMATS["bib"].write
    assert write is not None
    text = "".join(write(references))
    statements: Counter[str] = Counter()
    event.listen(sqlite_database.engine, "before_cursor_execute", lambda *args: statements.update([str(args[2])[:30]]))
    started = time.process_time()
    found, rejected = read_text(text, name="bib")
    outcomes = import_all(sqlite_database, found, rejected=rejected)
    assert time.process_time() - started < SECONDS
    assert count_fates(outcomes) == {"saved": 2_500, "there": 0, "fetching": 2_500, "pending": 0, "unreadable": 0}
    assert statements.total() < 500
    with sqlite_database.read() as session:
        assert library.saved_among(session, {(1, 1)}) == {(1, 1)}
