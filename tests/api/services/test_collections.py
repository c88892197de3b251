"""Collections under several writers, and what becomes of them when papers and readers go."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.errors import Conflict, InvalidRequest, NotFound
from api.services import collection_items, collections
from api.services.collection_items import Addition
from api.services.collections import Shown, Viewer
from api.store.engine import Database
from api.store.tables import LibraryItem, Paper, User
from api.store.tables_collections import CollectionItem, PaperCollection
from api.store.users import ensure_users
from tests.api.routes.conftest import NOW, count_rows, make_paper

WRITERS = 6
PAPERS = 8


@pytest.fixture
def ada(database: Database) -> Viewer:
    """Return a reader who has done nothing, in a database with papers."""
    with database.write() as session:
        session.add_all(make_paper(f"2401.{number:05}") for number in range(PAPERS))
        return Viewer(ensure_users(session, ["ada"], now=NOW)[0]["ada"], "ada")


def make(session: Session, title: str) -> tuple[Shown, bool]:
    return collections.create_collection(
        session, "ada", title=title, description=None, is_private=False, theme="blue", now=NOW
    )


def put(session: Session, ada: Viewer, slug: str, paper_id: int, *, note: str | None = None) -> Shown:
    addition = Addition(paper_id, f"paper {paper_id}", is_saved=True)
    return collection_items.add_paper(session, ada, "ada", slug, addition=addition, note=note, now=NOW)


def save(database: Database, ada: Viewer, paper_ids: list[int]) -> None:
    with database.write() as session:
        session.add_all(LibraryItem(user_id=ada.user_id, paper_id=one, is_saved=True) for one in paper_ids)


def at_once(database: Database, work: Callable[[Session], Any]) -> list[Any]:
    """Return what each of several writers at the same time came to."""

    def one(_: int) -> Any:
        try:
            with database.write() as session:
                return work(session)
        except Conflict as error:
            return error

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(one, range(WRITERS)))


def slug_of(shown: Shown) -> str:
    return shown.facts.public_id


def test_writers_at_the_same_time_make_one_collection_and_one_library(database: Database, ada: Viewer) -> None:
    made = at_once(database, lambda session: make(session, "List"))
    assert sorted(is_new for _, is_new in made) == [False] * (WRITERS - 1) + [True]
    assert len({shown.facts.public_id for shown, _ in made}) == 1
    assert count_rows(database, PaperCollection) == 2


def test_a_paper_put_in_by_several_writers_at_once_is_in_once(database: Database, ada: Viewer) -> None:
    with database.write() as session:
        slug = slug_of(make(session, "List")[0])
    outcomes = at_once(database, lambda session: put(session, ada, slug, 1))
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == WRITERS - 1
    assert count_rows(database, CollectionItem) == 1


def test_papers_moved_by_several_writers_at_once_are_all_still_there(database: Database, ada: Viewer) -> None:
    with database.write() as session:
        slug = slug_of(make(session, "List")[0])
        for paper_id in range(1, PAPERS + 1):
            put(session, ada, slug, paper_id)
    places = iter([3, 0, 7, 2, 5, 1])
    papers = iter([8, 1, 4, 4, 2, 6])

    def move(session: Session) -> None:
        item = collection_items.object_id(next(papers))
        collection_items.change_item(session, ada, "ada", slug, item=item, note=None, position=next(places), now=NOW)

    at_once(database, move)
    with database.read() as session:
        shown = collections.read_collection(session, ada, "ada", slug)
    assert sorted(item.paper_id for item in shown.items) == list(range(1, PAPERS + 1))


def test_a_library_says_what_was_saved_before_it_had_a_row(database: Database, ada: Viewer) -> None:
    save(database, ada, [3, 1])
    with database.write() as session:
        before = collections.read_collection(session, ada, "ada", "library")
        make(session, "List")
        after = collections.read_collection(session, ada, "ada", "library")
    assert [item.paper_id for item in before.items] == [item.paper_id for item in after.items] == [1, 3]


def test_notes_and_places_of_a_library_count_only_while_a_paper_is_saved(database: Database, ada: Viewer) -> None:
    save(database, ada, [1, 2, 3])
    with database.write() as session:
        item = collection_items.object_id(3)
        collection_items.change_item(session, ada, "ada", "library", item=item, note="x", position=0, now=NOW)
        session.execute(sa.update(LibraryItem).where(LibraryItem.paper_id == 3).values(is_saved=False))
        shown = collections.read_collection(session, ada, "ada", "library")
        assert [one.paper_id for one in shown.items] == [1, 2]


def test_a_removed_paper_leaves_every_collection(database: Database, ada: Viewer) -> None:
    with database.write() as session:
        slug = slug_of(make(session, "List")[0])
        for paper_id in (1, 2):
            put(session, ada, slug, paper_id)
        session.execute(sa.delete(Paper).where(Paper.paper_id == 1))
    with database.read() as session:
        assert [one.paper_id for one in collections.read_collection(session, ada, "ada", slug).items] == [2]
    assert count_rows(database, CollectionItem) == 1


def test_a_removed_reader_takes_their_collections_along(database: Database, ada: Viewer) -> None:
    with database.write() as session:
        put(session, ada, slug_of(make(session, "List")[0]), 1)
        session.execute(sa.delete(User).where(User.user_id == ada.user_id))
    assert count_rows(database, PaperCollection) == count_rows(database, CollectionItem) == 0


def test_collections_and_their_papers_are_bounded(
    database: Database, ada: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collections, "MOST_COLLECTIONS", 2)
    monkeypatch.setattr(collection_items, "MOST_ITEMS", 1)
    with database.write() as session:
        slug = slug_of(make(session, "List")[0])
        put(session, ada, slug, 1)
        with pytest.raises(InvalidRequest, match="at most"):
            make(session, "One too many")
        with pytest.raises(InvalidRequest, match="at most"):
            put(session, ada, slug, 2)


def wait_for_lock(database: Database, work: Future[Any]) -> None:
    """Return when a writer waits for another one; SQLite has it wait before its first statement."""
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    while not database.is_sqlite:
        with database.read() as session:
            if session.execute(waiting).scalar_one():
                return
        assert not work.done(), "nothing kept it from going on"
        time.sleep(0.01)


def changes(session: Session, ada: Viewer, slug: str) -> dict[str, Callable[[], Any]]:
    """Return every way to change a collection that holds the first paper."""
    item = collection_items.object_id(1)
    removal = collection_items.Removal(1, "paper 1", is_unsave=False)
    return {
        "put": lambda: put(session, ada, slug, 2),
        "note": lambda: collection_items.change_item(
            session, ada, "ada", slug, item=item, note="x", position=None, now=NOW
        ),
        "remove": lambda: collection_items.remove_paper(session, ada, "ada", slug, removal=removal, now=NOW),
        "rename": lambda: collections.change_collection(
            session, ada, "ada", slug, changes={"title": "Other"}, position=0, now=NOW
        ),
        "delete": lambda: collections.delete_collection(session, ada, "ada", slug),
    }


@pytest.mark.parametrize("change", ["put", "note", "remove", "rename", "delete"])
def test_a_change_to_a_collection_that_is_deleted_at_the_same_time_finds_nothing(
    database: Database, ada: Viewer, change: str
) -> None:
    with database.write() as session:
        slug = slug_of(make(session, "List")[0])
        put(session, ada, slug, 1)

    def work() -> None:
        with database.write() as session:
            changes(session, ada, slug)[change]()

    with ThreadPoolExecutor(1) as pool:
        with database.write() as session:
            collections.delete_collection(session, ada, "ada", slug)
            late = pool.submit(work)
            wait_for_lock(database, late)
        with pytest.raises(NotFound):
            late.result()
    assert count_rows(database, CollectionItem) == 0


def test_a_note_for_a_paper_that_is_taken_out_at_the_same_time_does_not_bring_it_back(
    database: Database, ada: Viewer
) -> None:
    with database.write() as session:
        slug = slug_of(make(session, "List")[0])
        put(session, ada, slug, 1)

    def work() -> None:
        with database.write() as session:
            changes(session, ada, slug)["note"]()

    with ThreadPoolExecutor(1) as pool:
        with database.write() as session:
            changes(session, ada, slug)["remove"]()
            late = pool.submit(work)
            wait_for_lock(database, late)
        with pytest.raises(NotFound):
            late.result()
    assert count_rows(database, CollectionItem) == 0


def test_a_list_begins_each_library_and_collection_as_they_begin_when_read_whole(
    database: Database, ada: Viewer
) -> None:
    save(database, ada, list(range(1, PAPERS + 1)))
    with database.write() as session:
        timed = sa.update(LibraryItem).where(LibraryItem.paper_id.in_([3, 6])).values(saved_at=NOW)
        session.execute(timed)
        slug = slug_of(make(session, "List")[0])
        for paper_id in (5, 2, 7, 1, 4):
            put(session, ada, slug, paper_id, note=f"note {paper_id}")
        session.execute(sa.update(Paper).where(Paper.paper_id == 2).values(deleted_at=NOW))
        check_beginnings(session, ada)
        for paper_id, place in ((6, 0), (8, 2), (3, 0), (7, 6)):
            item = collection_items.object_id(paper_id)
            collection_items.change_item(session, ada, "ada", "library", item=item, note="x", position=place, now=NOW)
            check_beginnings(session, ada)


def check_beginnings(session: Session, ada: Viewer) -> None:
    listed, _ = collections.list_collections(session, ada, collections.Search(), after=None, limit=10)
    assert len(listed) == 2
    for shown in listed:
        whole = collections.show(session, shown.facts).items
        assert len(whole) >= 4
        assert list(shown.items) == list(whole[:4])
