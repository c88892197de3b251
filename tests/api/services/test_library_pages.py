"""A library as pages and as a file."""

import pytest
from sqlalchemy import event

from api.errors import Conflict, InvalidCursor
from api.runtime.keys import KeyRing, open_key_ring
from api.services import library_pages, saving
from api.services.bibliography import Reference
from api.services.library_pages import ShelfPage
from api.settings import Settings
from api.store.engine import Database
from tests.api.services.shelf_world import ADA, NOW, add_papers, add_reader, import_all, paper, say


@pytest.fixture
def keys() -> KeyRing:
    """Return keys that sign cursors."""
    return open_key_ring(Settings(secret_key="a signing secret of the tests, long enough"))


@pytest.fixture
def reader(database: Database) -> int:
    """Return a reader with thirty saved papers, the first of them last saved."""
    add_papers(database, *(paper(f"2401.{number:05}", f"Paper {number:02}") for number in range(30)))
    user_id = add_reader(database)
    import_all(
        database,
        [Reference(paper_id=f"2401.{number:05}", tags=("even",) if number % 2 == 0 else ()) for number in range(30)],
    )
    return user_id


def read(database: Database, keys: KeyRing, user_id: int | None, **asked: object) -> ShelfPage:
    with database.read() as session:
        return library_pages.read_shelf(session, keys, user_id, **{"limit": 7, **asked})  # type: ignore[arg-type] # a test's


def titles(database: Database, keys: KeyRing, user_id: int, **asked: object) -> list[str]:
    """Return all papers of all pages."""
    found: list[str] = []
    cursor = None
    while True:
        page = read(database, keys, user_id, cursor=cursor, **asked)
        found += [one.paper.external_id for one in page.items]
        cursor = page.following
        if cursor is None:
            return found


def test_pages_hold_every_paper_once_in_order(database: Database, keys: KeyRing, reader: int) -> None:
    assert titles(database, keys, reader) == [f"2401.{number:05}" for number in range(30)]
    assert titles(database, keys, reader, tag="EVEN") == [f"2401.{number:05}" for number in range(0, 30, 2)]
    assert titles(database, keys, reader, words="paper 1") == [
        f"2401.{number:05}" for number in range(30) if "1" in f"{number:02}"
    ]


def test_papers_of_unknown_time_come_last_and_are_paged_too(database: Database, keys: KeyRing, reader: int) -> None:
    from api.store.tables import LibraryItem

    with database.write() as session:
        for row in session.query(LibraryItem).order_by(LibraryItem.paper_id).limit(10):
            row.saved_at = None
    found = titles(database, keys, reader)
    assert len(found) == len(set(found)) == 30
    assert set(found[-10:]) == {f"2401.{number:05}" for number in range(10)}


def test_a_page_takes_a_fixed_number_of_statements(sqlite_database: Database, keys: KeyRing) -> None:
    add_papers(sqlite_database, *(paper(f"2401.{number:05}", f"Paper {number}") for number in range(50)))
    user_id = add_reader(sqlite_database)
    import_all(sqlite_database, [Reference(paper_id=f"2401.{number:05}", tags=("a",)) for number in range(50)])
    counts = []
    for asked in ({"limit": 2}, {"limit": 40}, {"limit": 40, "words": "paper"}):
        statements: list[str] = []

        def note(*args: object, into: list[str] = statements) -> None:
            into.append(str(args[2]))

        event.listen(sqlite_database.engine, "before_cursor_execute", note)
        read(sqlite_database, keys, user_id, **asked)
        event.remove(sqlite_database.engine, "before_cursor_execute", note)
        counts.append(len([one for one in statements if one.startswith("SELECT")]))
    assert counts[0] == counts[1] <= 5
    assert counts[2] <= 6


def test_a_cursor_is_for_its_list_and_its_reader_alone(database: Database, keys: KeyRing, reader: int) -> None:
    cursor = read(database, keys, reader).following
    assert cursor is not None
    other = add_reader(database, "eve")
    for user_id, asked in ((other, {}), (reader, {"tag": "even"}), (reader, {"words": "paper"}), (None, {})):
        with pytest.raises(InvalidCursor):
            read(database, keys, user_id, cursor=cursor, **asked)


def test_counts_and_tags_follow_what_is_saved(database: Database, keys: KeyRing, reader: int) -> None:
    say(database, ADA, "unsave", "2401.00000", at=NOW)
    page = read(database, keys, reader)
    assert (page.saved, [(one.tag, one.papers) for one in page.tags]) == (29, [("even", 14)])


@pytest.mark.parametrize(
    ("words", "is_found"),
    [("LOOM", True), ("ünïcode", True), ("unicode", True), ("abstract thought", True), ("lovelace loom", True),
     ("tagged", True), ("noted", True), ("loom absent", False)],
)  # fmt: skip
def test_a_search_looks_everywhere_and_minds_neither_case_nor_accents(
    sqlite_database: Database, keys: KeyRing, words: str, is_found: bool
) -> None:
    add_papers(
        sqlite_database,
        paper("2401.00001", "The Ünicode Loom", summary="An abstract of a thought.", authors=("Ada Lovelace",)),
    )
    user_id = add_reader(sqlite_database)
    import_all(sqlite_database, [Reference(paper_id="2401.00001", tags=("Tagged",), note="It is noted.")])
    assert bool(read(sqlite_database, keys, user_id, words=words).items) is is_found


def test_nothing_is_written_about_what_is_not_saved(sqlite_database: Database) -> None:
    add_papers(sqlite_database, paper("2401.00001", "Looms"))
    user_id = add_reader(sqlite_database)
    for whose in (user_id, None):
        with sqlite_database.read() as session, pytest.raises(Conflict):
            library_pages.find_saved(session, whose, "2401.00001")


def test_tags_and_note_are_replaced_as_a_whole(database: Database, keys: KeyRing, reader: int) -> None:
    with database.write() as session:
        paper_id = library_pages.find_saved(session, reader, "2401.00000")
        assert saving.write_tags(session, reader, paper_id, ["new, Other"]) == ()
        saving.write_note(session, reader, paper_id, "one\r\ntwo  ", now=NOW)
    first = read(database, keys, reader).items[0]
    assert (first.tags, first.paper.note) == (("new", "Other"), "one\ntwo")
    with database.write() as session:
        saving.write_tags(session, reader, paper_id, [""])
        saving.write_note(session, reader, paper_id, "", now=NOW)
    first = read(database, keys, reader).items[0]
    assert (first.tags, first.paper.note) == ((), None)
