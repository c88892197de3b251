"""Whatever order events arrive in, and however they are split into requests, the reader's papers end up the same."""

import itertools
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.schemas.events import Incoming
from api.services.event_parsing import parse_incoming
from api.services.feedback import record_events
from api.store.engine import Database
from api.store.events import hidden_paper_ids
from api.store.tables import LibraryItem
from api.store.users import find_user_id
from tests.api.routes.conftest import make_paper
from tests.api.slates import opener

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PAPERS = ["2401.00001", "2401.00002"]
TOGGLES = ("save", "unsave", "dismiss", "undismiss")

Act: TypeAlias = tuple[str, str, int]  # kind, paper, minute
State: TypeAlias = tuple[set[int], set[int], set[int]]


@pytest.fixture
def filled(sqlite_database: Database) -> Database:
    """Return a database with papers; the rules under test are the same statements on PostgreSQL."""
    with sqlite_database.write() as session:
        session.add_all(make_paper(external_id) for external_id in PAPERS)
    return sqlite_database


def arrive(database: Database, requests: Sequence[Sequence[Act]], *, reader: str) -> State:
    """Let requests arrive, each in a transaction of its own.

    Return the library, what the log says is hidden, and what the marks in the cache hide in the end.
    """
    marks: set[int] = set()
    for acts in requests:
        raw = [
            {
                "id": str(uuid.uuid4()),
                "kind": kind,
                "paper_id": paper,
                "occurred_at": (NOW - timedelta(days=1) + timedelta(minutes=minute)).isoformat(),
                "value": 30,
            }
            for kind, paper, minute in acts
        ]
        batch = parse_incoming(
            Incoming(raw, reader), now=NOW, future_tolerance=timedelta(hours=24), open_slate=opener({})
        )
        with database.write() as session:
            (outcome,) = record_events(session, [batch], now=NOW)
        assert not set(outcome.hide) & set(outcome.unhide)
        marks = marks.union(outcome.hide).difference(outcome.unhide)
    with database.read() as session:
        user_id = find_user_id(session, reader)
        assert user_id is not None
        saved = sa.select(LibraryItem.paper_id).where(LibraryItem.user_id == user_id, LibraryItem.is_saved)
        return set(session.scalars(saved)), set(hidden_paper_ids(session, user_id).tolist()), marks


@pytest.mark.parametrize(("on", "off"), [("save", "unsave"), ("dismiss", "undismiss")])
def test_what_was_taken_back_before_it_arrived_hides_nothing(filled: Database, on: str, off: str) -> None:
    acts = [(off, PAPERS[0], 20), (on, PAPERS[0], 10)]
    assert arrive(filled, [acts[:1], acts[1:]], reader="ada") == (set(), set(), set())
    assert arrive(filled, [acts], reader="eve") == (set(), set(), set())


def test_a_late_older_save_hides_nothing_while_a_newer_one_does(filled: Database) -> None:
    acts = [("save", PAPERS[0], 30), ("unsave", PAPERS[0], 20), ("save", PAPERS[0], 10)]
    for at, order in enumerate(itertools.permutations(acts)):
        assert arrive(filled, [[act] for act in order], reader=f"reader {at}") == ({1}, {1}, {1})


def test_a_click_keeps_hidden_what_a_late_unsave_takes_back(filled: Database) -> None:
    acts = [("save", PAPERS[0], 10), ("click", PAPERS[0], 15), ("unsave", PAPERS[0], 20)]
    for at, order in enumerate(itertools.permutations(acts)):
        assert arrive(filled, [[act] for act in order], reader=f"reader {at}") == (set(), {1}, {1})


def test_an_opening_hides_on_when_the_dismissal_around_it_was_taken_back_first(filled: Database) -> None:
    acts = [("dismiss", PAPERS[0], 10), ("click", PAPERS[0], 15), ("undismiss", PAPERS[0], 20)]
    for at, order in enumerate(itertools.permutations(acts)):
        assert arrive(filled, [[act] for act in order], reader=f"reader {at}") == (set(), {1}, {1})
    assert arrive(filled, [acts[2:], acts[:2]], reader="in two requests") == (set(), {1}, {1})


histories = st.lists(st.tuples(st.sampled_from((*TOGGLES, "click")), st.sampled_from(PAPERS)), min_size=1, max_size=7)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, data=st.data())
def test_any_order_of_arrival_gives_the_library_of_the_order_of_time(
    filled: Database, history: list[tuple[str, str]], data: st.DataObject
) -> None:
    acts: list[Act] = [(kind, paper, minute) for minute, (kind, paper) in enumerate(history)]
    shuffled = data.draw(st.permutations(acts))
    cut = data.draw(st.integers(0, len(acts)))
    in_time = arrive(filled, [acts], reader=str(uuid.uuid4()))
    requests = [[act] for act in shuffled[:cut]] + ([shuffled[cut:]] if cut < len(acts) else [])
    assert arrive(filled, requests, reader=str(uuid.uuid4())) == in_time
    assert in_time[1] == in_time[2]  # what the cache was told is what the log says
