"""Papers as cards: what they show, for whom, and what that costs."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.site.cards import CardView, Shown, byline, card_views, make_card, paper_path
from api.routes.site.last_visit import Moment
from api.routes.site.visiting import Visit
from api.runtime.state import Runtime
from api.store.paper_marks import Marks, load_marks
from api.store.papers import paper_ids_of
from recommender.domain import EventKind
from tests.api.feed_world import add_event
from tests.api.routes.site.conftest import press

WHEN = datetime(2026, 5, 1, tzinfo=UTC)
PAPER: dict[str, Any] = {
    "id": "2401.00001",
    "title": "On $x^2$ & <b>birds</b>",
    "summary": "We study birds.",
    "ai_summary": None,
    "authors": ["Ada Lovelace", "Charles Babbage"],
    "num_authors": 2,
    "organization": None,
    "daily_at": "2026-05-01T08:00:00+00:00",
    "published_at": "2026-04-30T00:00:00+00:00",
    "upvotes": 3,
    "num_comments": 1,
    "github_repo": "https://github.com/ada/birds",
    "demonstration": False,
}


def visitor(user_id: int | None = None, *, since: Moment | None = None) -> Visit:
    """Return a visit of which only this is known."""
    return Visit("ada", user_id, None, False, False, "csrf", False, since)


def shown(**changes: object) -> Shown:
    """Return a paper in a list."""
    return Shown({**PAPER, **changes}, 7)


@pytest.fixture
def statements(runtime_of_local: Runtime) -> Iterator[list[str]]:
    """Return the SQL that this test sends from here on; the service looks at its state in threads of its own."""
    sent: list[str] = []
    own = threading.get_ident()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.get_ident() == own:
            sent.append(statement)

    sa.event.listen(runtime_of_local.db.engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(runtime_of_local.db.engine, "before_cursor_execute", note)


def test_a_card_shows_what_the_api_says_of_a_paper() -> None:
    card = make_card(shown(), Marks(), visitor())
    assert card.title_html.startswith("On <math")
    assert "&amp; &lt;b&gt;birds&lt;/b&gt;" in card.title_html
    assert card.byline == (
        ("Ada Lovelace", "/authors/Ada%20Lovelace"),
        ("Charles Babbage", "/authors/Charles%20Babbage"),
    )
    assert (card.day, card.votes, card.comments, card.has_code) == ("2026-05-01", 3, 1, True)
    assert not any((card.is_saved, card.is_upvoted, card.is_dismissed, card.is_new))


def test_marks_are_of_the_papers_they_name() -> None:
    card = make_card(shown(), Marks(saved=frozenset({"2401.00001"}), upvoted=frozenset({"other"})), visitor())
    assert (card.is_saved, card.is_upvoted, card.votes) == (True, False, 3)
    card = make_card(shown(), Marks(upvoted=frozenset({"2401.00001"})), visitor())
    assert (card.is_upvoted, card.votes) == (True, 3)  # the count knows the vote


def test_a_card_adds_this_services_votes_to_those_at_the_source() -> None:
    card = make_card(replace(shown(), votes=2), Marks(), visitor())
    assert card.votes == 5


@pytest.mark.parametrize(
    ("votes", "counted", "change"),
    [
        ([], 9, 0),
        ([(5, True)], 5, 0),
        ([(5, True)], 4, 1),
        ([(3, True), (5, False)], 5, 0),
        ([(3, True), (5, False)], 4, -1),
        ([(3, True), (5, False)], 2, 0),
        ([(3, True), (5, False), (6, True)], 5, 1),
        ([(3, True), (5, False), (6, True)], 4, 0),
        ([(5, True), (3, False)], 4, 0),  # said in this order, which is not that of the log: not counted, and not now
    ],
)
def test_a_count_misses_what_the_reader_said_after_it(votes: list[tuple[int, bool]], counted: int, change: int) -> None:
    upvoted = frozenset({"p"} if votes and votes[-1][1] else ())
    assert Marks(upvoted=upvoted, votes={"p": votes}).votes_since("p", counted) == change
    assert Marks(upvoted=upvoted, votes={"p": votes}).votes_since("q", counted) == 0


@pytest.mark.parametrize(
    ("paper_id", "daily_at", "is_new"),
    [
        (8, None, True),
        (7, None, False),
        (7, "2026-05-01T08:00:01+00:00", True),
        (7, "2026-05-01T08:00:00+00:00", False),
        (None, None, False),
    ],
)
def test_papers_that_came_or_were_listed_since_the_last_visit_are_new(
    paper_id: int | None, daily_at: str | None, is_new: bool
) -> None:
    since = Moment(WHEN + timedelta(hours=8), 7)
    item = Shown({**PAPER, "daily_at": daily_at}, paper_id)
    assert make_card(item, Marks(), visitor(since=since)).is_new is is_new
    assert make_card(item, Marks(), visitor()).is_new is False


def test_a_byline_names_a_few_and_counts_the_rest() -> None:
    many = {**PAPER, "authors": ["A", "B", "C", "D"], "num_authors": 12}
    assert [name for name, _ in byline(many)] == ["A", "B", "C", "9 more"]
    assert byline({**PAPER, "authors": [], "num_authors": 5}) == (("5 authors", None),)
    assert byline({**PAPER, "authors": [], "num_authors": None}) == ()
    lab = {"name": "a/b", "fullname": "A Lab"}
    of_a_lab = byline({**PAPER, "authors": [], "num_authors": 5, "organization": lab})
    assert of_a_lab == (("A Lab", "/organizations/a%2Fb"),)


@pytest.mark.parametrize(
    ("name", "path"), [("hep-th/9901001", "/papers/hep-th/9901001"), ('"><b>?#', "/papers/%22%3E%3Cb%3E%3F%23")]
)
def test_a_paper_has_one_address_whatever_its_id(name: str, path: str) -> None:
    assert paper_path(name) == path


def test_cards_cost_one_statement_and_another_for_who_has_done_something(
    local: TestClient, runtime_of_local: Runtime, statements: list[str]
) -> None:
    with runtime_of_local.db.read() as session:
        ids = list(paper_ids_of(session, ["p1000", "p1001", "p1002"]).values())
    card_views(runtime_of_local, ids, visitor())  # rendered papers are kept from here on
    statements.clear()
    nobody = card_views(runtime_of_local, ids, visitor())
    assert len([sent for sent in statements if sent.startswith("SELECT")]) == 1
    statements.clear()
    known = card_views(runtime_of_local, ids, visitor(1))
    assert len([sent for sent in statements if sent.startswith("SELECT")]) == 2
    assert [card.paper_id for card in known] == [card.paper_id for card in nobody] == ["p1000", "p1001", "p1002"]


def test_papers_that_are_gone_are_left_out(local: TestClient, runtime_of_local: Runtime) -> None:
    with runtime_of_local.db.read() as session:
        [paper] = paper_ids_of(session, ["p1000"]).values()
    assert [card.paper_id for card in card_views(runtime_of_local, [10**9, paper], visitor())] == ["p1000"]


def test_the_last_word_on_a_paper_counts(local: TestClient, runtime_of_local: Runtime) -> None:
    for kind in ("upvote", "unvote", "dismiss", "undismiss", "dismiss", "save"):
        press(local, kind, "p1000", page="/?reader=newcomer")
    press(local, "upvote", "p1001", page="/?reader=newcomer")
    reader = runtime_of_local.access.find_user_id("newcomer")
    assert reader is not None
    with runtime_of_local.db.read() as session:
        marks = load_marks(session, reader, ["p1000", "p1001", "gone"])
        assert load_marks(session, reader, []) == Marks()
        assert load_marks(session, reader, ["p1002"]) == Marks()
    assert marks == Marks(frozenset({"p1000"}), frozenset({"p1001"}), frozenset({"p1000"}))


def test_what_was_imported_counts_as_a_word_of_the_reader(local: TestClient, runtime_of_local: Runtime) -> None:
    with runtime_of_local.db.read() as session:
        [paper] = paper_ids_of(session, ["p1000"]).values()
    add_event(runtime_of_local.db, 1, paper, EventKind.UPVOTE, number=1)
    with runtime_of_local.db.read() as session:
        assert load_marks(session, 1, ["p1000"]).upvoted == {"p1000"}


def test_equal_cards_are_written_once() -> None:
    first, second = (make_card(shown(), Marks(), visitor()) for _ in range(2))
    assert isinstance(first, CardView)
    assert first == second
    assert hash(first) == hash(second)
