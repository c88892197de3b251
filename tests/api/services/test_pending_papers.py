"""Papers that readers want: asked for, kept, saved when they come."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from api.errors import Conflict
from api.services import pending_papers
from api.services.bibliography import Reference
from api.services.comments import Writer
from api.services.merging import merge_reader
from api.services.pending_papers import FIRST_WAIT, MOST_WANTED, Pending
from api.services.submitting import submit_papers
from api.store import library, shelf, wants
from api.store.engine import Database
from api.store.papers import paper_ids_of
from api.store.tables import Event
from tests.api.services.shelf_world import NOW, add_papers, add_reader, paper, say

ID = "2401.01234"
OLD_ID = "hep-th/9901001"


def want(database: Database, user_id: int, *references: Reference) -> None:
    with database.write() as session:
        assert pending_papers.keep_references(session, user_id, references, now=NOW) == len(references)


def waiting(database: Database, user_id: int) -> list[Pending]:
    with database.read() as session:
        return pending_papers.list_pending(session, user_id, limit=100)[0]


def settle(database: Database) -> int:
    with database.write() as session:
        return pending_papers.settle(session, now=NOW).papers


def saved(database: Database, user_id: int, *external_ids: str) -> set[str]:
    with database.read() as session:
        numbers = paper_ids_of(session, external_ids)
        found = library.saved_among(session, {(user_id, number) for number in numbers.values()})
    return {name for name, number in numbers.items() if (user_id, number) in found}


def test_an_unknown_id_is_asked_for_and_a_known_one_is_not(database: Database) -> None:
    add_papers(database, paper("2401.00001", "Known"))
    with database.write() as session:
        states = pending_papers.want_papers(session, ["2401.00001", ID, OLD_ID], None, now=NOW)
    assert {name: state.state for name, state in states.items()} == {ID: "waiting", OLD_ID: "waiting"}
    with database.write() as session:
        assert pending_papers.take_due(session, now=NOW) == [ID, OLD_ID]


def test_a_wanted_paper_is_saved_when_it_comes_and_only_once(database: Database) -> None:
    user_id = add_reader(database)
    with database.write() as session:
        pending_papers.want_papers(session, [ID], user_id, now=NOW)
    assert [one.state for one in waiting(database, user_id)] == ["fetching"]
    add_papers(database, paper(ID, "It came"))
    with database.read() as session:
        assert pending_papers.look(session, now=NOW)[0]
    assert (settle(database), settle(database)) == (1, 0)
    assert saved(database, user_id, ID) == {ID}
    assert waiting(database, user_id) == []
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Event)) == 1
        assert pending_papers.look(session, now=NOW) == (False, False)


def test_what_comes_brings_its_tags_and_its_note(database: Database) -> None:
    user_id = add_reader(database)
    want(database, user_id, Reference(paper_id=ID, tags=("Engines", "later"), note="Read chapter two."))
    add_papers(database, paper(ID, "It came"))
    settle(database)
    with database.read() as session:
        number = paper_ids_of(session, [ID])[ID]
        assert shelf.load_tags(session, user_id, [number]) == {number: ("Engines", "later")}
        assert shelf.load_notes(session, user_id, [number]) == {number: "Read chapter two."}


@pytest.mark.parametrize(
    "reference",
    [Reference("On Engines", doi="10.1000/engines"), Reference("ON engines."), Reference("x", doi="10.1000/engines")],
    ids=["both", "title", "doi"],
)
def test_a_paper_without_an_id_is_known_by_its_doi_or_its_title(database: Database, reference: Reference) -> None:
    user_id = add_reader(database)
    want(database, user_id, reference)
    assert [(one.state, one.reference.title) for one in waiting(database, user_id)] == [("kept", reference.title)]
    add_papers(database, paper("2401.00009", "On Engines", doi="10.1000/engines"))
    assert settle(database) == 1
    assert saved(database, user_id, "2401.00009") == {"2401.00009"}


def test_two_papers_of_one_title_are_no_answer_to_it(database: Database) -> None:
    user_id = add_reader(database)
    want(database, user_id, Reference("Introduction"))
    add_papers(database, paper("2401.00001", "Introduction"), paper("2401.00002", "Introduction"))
    assert settle(database) == 0
    assert len(waiting(database, user_id)) == 1


def test_another_doi_is_another_paper_though_its_title_is_the_same(database: Database) -> None:
    user_id = add_reader(database)
    want(database, user_id, Reference("Introduction", doi="10.1000/a"))
    add_papers(database, paper("2401.00001", "Introduction", doi="10.1000/b"))
    assert settle(database) == 0


def test_wanting_again_adds_what_is_said_and_takes_no_second_place(database: Database) -> None:
    user_id = add_reader(database)
    want(database, user_id, Reference(paper_id=ID, tags=("a",), note="first"))
    want(database, user_id, Reference(paper_id=ID, tags=("b",)))
    [one] = waiting(database, user_id)
    assert (one.reference.tags, one.reference.note) == (("a", "b"), "first")


def test_what_is_too_much_finds_no_room_and_says_so(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_WANTED >= 5_000
    monkeypatch.setattr(pending_papers, "MOST_WANTED", 2)
    user_id = add_reader(sqlite_database)
    with sqlite_database.write() as session:
        wanted = [Reference(f"Paper {number}") for number in range(3)]
        assert pending_papers.keep_references(session, user_id, wanted, now=NOW) == 2


def test_an_id_that_arxiv_does_not_have_is_shown_as_missing_and_asked_again_when_wanted_anew(
    database: Database,
) -> None:
    user_id = add_reader(database)
    want(database, user_id, Reference(paper_id=ID))
    with database.write() as session:
        pending_papers.note_answer(session, [ID], found=[], now=NOW)
    [one] = waiting(database, user_id)
    assert (one.state, one.words) == ("missing", "arXiv has no paper of this id")
    with database.write() as session:
        pending_papers.want_papers(session, [ID], user_id, now=NOW)
        assert pending_papers.take_due(session, now=NOW) == []
        later = NOW + timedelta(days=2)
        pending_papers.want_papers(session, [ID], user_id, now=later)
        assert pending_papers.take_due(session, now=later) == [ID]


def test_a_failure_puts_off_twice_as_long_each_time_and_is_told(database: Database) -> None:
    user_id = add_reader(database)
    want(database, user_id, Reference(paper_id=ID))
    waits = []
    for _ in range(3):
        with database.write() as session:
            problem = "export.arxiv.org cannot be read: ConnectError: no route\nto host"
            pending_papers.note_failure(session, [ID], problem, retry_after_seconds=None, now=NOW)
        due = NOW
        with database.read() as session:
            while not pending_papers.look(session, now=due)[1]:
                due += FIRST_WAIT
        waits.append((due - NOW) // FIRST_WAIT)
    assert waits == [1, 2, 4]
    assert waiting(database, user_id)[0].words == (
        "arXiv could not be reached, or its answer could not be read: it will be asked again"
    )


def test_a_host_that_asks_for_more_time_gets_it(database: Database) -> None:
    with database.write() as session:
        pending_papers.want_papers(session, [ID], None, now=NOW)
        pending_papers.note_failure(session, [ID], "busy", retry_after_seconds=7200.0, now=NOW)
    with database.read() as session:
        assert not pending_papers.look(session, now=NOW + timedelta(seconds=7199))[1]
        assert pending_papers.look(session, now=NOW + timedelta(seconds=7201))[1]


def test_what_another_source_brought_is_asked_for_no_longer(database: Database) -> None:
    with database.write() as session:
        pending_papers.want_papers(session, [ID], None, now=NOW)
    add_papers(database, paper(ID, "It came by another way"))
    with database.write() as session:
        assert pending_papers.take_due(session, now=NOW) == []


def test_a_paper_that_was_unsaved_before_is_saved_when_it_was_wanted_since(database: Database) -> None:
    user_id = add_reader(database)
    add_papers(database, paper(ID, "It was here"))
    say(database, "ada", "save", ID, at=NOW - timedelta(days=2))
    say(database, "ada", "unsave", ID, at=NOW - timedelta(days=1))
    want(database, user_id, Reference(paper_id=ID))
    settle(database)
    assert saved(database, user_id, ID) == {ID}


def test_a_reader_who_signs_in_meanwhile_has_it_in_the_account(database: Database) -> None:
    user_id = add_reader(database, "anon-0123456789abcdef0123456789abcdef")
    want(database, user_id, Reference(paper_id=ID))
    with database.write() as session:
        merged = merge_reader(session, "anon-0123456789abcdef0123456789abcdef", external_user="account-1", now=NOW)
    assert [one.state for one in waiting(database, merged.user_id)] == ["fetching"]
    add_papers(database, paper(ID, "It came"))
    settle(database)
    assert saved(database, merged.user_id, ID) == {ID}


def test_nobody_waits_for_what_they_forgot_and_nobody_forgets_for_others(database: Database) -> None:
    ada, eve = add_reader(database), add_reader(database, "eve")
    want(database, ada, Reference(paper_id=ID))
    [one] = waiting(database, ada)
    for stranger in (eve, None):
        with database.write() as session, pytest.raises(Conflict):
            pending_papers.forget_pending(session, stranger, one.want_id)
    with database.write() as session:
        pending_papers.forget_pending(session, ada, one.want_id)
    add_papers(database, paper(ID, "It came"))
    assert settle(database) == 0
    assert saved(database, ada, ID) == set()


def test_pages_of_what_is_waited_for_have_no_gaps(sqlite_database: Database) -> None:
    user_id = add_reader(sqlite_database)
    want(sqlite_database, user_id, *(Reference(f"Paper {number}") for number in range(5)))
    titles: list[str] = []
    after: int | None = 0
    with sqlite_database.read() as session:
        while after is not None:
            part, after = pending_papers.list_pending(session, user_id, after=after, limit=2)
            titles += [one.reference.title for one in part]
    assert titles == [f"Paper {number}" for number in range(5)]


def test_an_id_that_nobody_waits_for_any_more_is_forgotten_after_a_while(database: Database) -> None:
    user_id = add_reader(database)
    want(database, user_id, Reference(paper_id=ID))
    ada = Writer(user_id, "Ada")
    with database.write() as session:
        submit_papers(session, [OLD_ID], writer=ada, most_hourly=9, now=NOW)
        pending_papers.want_papers(session, ["2401.00077"], None, now=NOW)
        pending_papers.note_answer(session, [ID, OLD_ID, "2401.00077"], found=[], now=NOW)

    def left(at: timedelta) -> set[str]:
        with database.write() as session:
            wants.delete_unwanted_fetches(session, last_asked_before=NOW + at)
            return set(wants.load_fetches(session, [ID, OLD_ID, "2401.00077"]))

    assert left(timedelta(0)) == {ID, OLD_ID, "2401.00077"}
    assert left(timedelta(seconds=1)) == {ID, OLD_ID}
    with database.write() as session:
        pending_papers.forget_pending(session, user_id, waiting(database, user_id)[0].want_id)
    assert left(timedelta(seconds=1)) == {OLD_ID}
