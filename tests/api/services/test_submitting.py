"""Papers that readers put forward for the daily list."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.errors import InvalidRequest, NotAllowed, TooManyRequests
from api.services.catalog import record_papers
from api.services.comments import Writer
from api.services.pending_papers import note_answer, take_due
from api.services.submitting import (
    LAPSES_AFTER,
    MOST_AT_ONCE,
    Outcome,
    list_arrived,
    list_own,
    read_submitted_ids,
    submit_papers,
)
from api.sources.records import PaperRecord
from api.store.engine import Database
from api.store.submissions import find_submitter
from api.store.tables import Paper
from api.store.tables_comments import Submission
from tests.api.hub_world import MONDAY, daily_row, insert_papers, insert_readers

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ADA, GRACE = Writer(1, "Ada"), Writer(2, "Grace")
HERE, IN_A_LIST, WITHDRAWN, ABSENT = "2512.00001", "2512.00002", "2512.00003", "2601.00009"


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """Return a transaction on a database with papers of three kinds and two readers."""
    insert_papers(
        database,
        daily_row(1, None, paper_id=1001),
        daily_row(2, MONDAY, paper_id=1002),
        daily_row(3, None, paper_id=1003, withdrawn_at=MONDAY),
    )
    insert_readers(database, 1, 2)
    with database.write() as session:
        yield session


def submit(session: Session, *ids: str, writer: Writer = ADA, most: int = 100, at: datetime = NOW) -> Outcome:
    """Submit papers."""
    return submit_papers(session, ids, writer=writer, most_hourly=most, now=at)


def paper(session: Session, external_id: str) -> Paper:
    """Return a paper as it is stored."""
    session.expire_all()
    return session.scalars(sa.select(Paper).where(Paper.external_id == external_id)).one()


def arrive(session: Session, external_id: str, **fields: object) -> None:
    """Let a source bring a paper."""
    record = PaperRecord(title="A paper that came", source="arxiv", external_id=external_id, **fields)  # type: ignore[arg-type]
    record_papers(session, [record], now=NOW)


def test_a_paper_that_is_here_is_in_the_list_of_the_day_at_once(session: Session) -> None:
    assert submit(session, HERE) == Outcome((HERE,), (), ())
    found = paper(session, HERE)
    assert (found.daily_at, found.listed_at) == (NOW, NOW)
    assert (found.title, found.authors, found.source) == (
        "Ladders of kind 1",
        ["Ada Lovelace", "Alan Turing"],
        "huggingface",
    )
    assert find_submitter(session, HERE) == "Ada"


def test_a_paper_that_is_not_here_is_asked_for_and_listed_on_the_day_it_comes(session: Session) -> None:
    assert submit(session, ABSENT) == Outcome((), (ABSENT,), ())
    assert take_due(session, now=NOW) == [ABSENT]
    assert list_own(session, 1)[0].words == "to be fetched from arXiv"
    assert list_arrived(session, now=NOW) == 0
    arrive(session, ABSENT)
    tomorrow = NOW + timedelta(days=1)
    assert list_arrived(session, now=tomorrow) == 1
    assert paper(session, ABSENT).daily_at == tomorrow
    assert list_arrived(session, now=tomorrow + timedelta(days=1)) == 0
    [own] = list_own(session, 1)
    assert (own.title, own.words) == ("A paper that came", "is here")


def test_what_arxiv_does_not_have_is_said(session: Session) -> None:
    submit(session, ABSENT)
    note_answer(session, [ABSENT], found=[], now=NOW)
    assert list_own(session, 1)[0].words == "not found: arXiv has no paper of this id"


@pytest.mark.parametrize("external_id", [IN_A_LIST, WITHDRAWN])
def test_a_paper_of_another_day_or_withdrawn_stays_where_it_is(session: Session, external_id: str) -> None:
    before = paper(session, external_id).daily_at
    assert submit(session, external_id) == Outcome((), (), (external_id,))
    assert paper(session, external_id).daily_at == before
    assert session.scalars(sa.select(Submission)).all() == []


def test_the_first_who_submits_a_paper_is_its_submitter(session: Session) -> None:
    submit(session, ABSENT)
    assert submit(session, ABSENT, HERE, writer=GRACE) == Outcome((HERE,), (), (ABSENT,))
    assert (find_submitter(session, ABSENT), find_submitter(session, HERE)) == ("Ada", "Grace")


def test_the_list_of_a_source_is_believed_before_readers(session: Session) -> None:
    submit(session, HERE)
    record = PaperRecord(
        title="Ladders of kind 1", source="huggingface", external_id=HERE, daily_at=MONDAY, submitted_by="grace"
    )
    record_papers(session, [record], now=NOW)
    found = paper(session, HERE)
    assert (found.daily_at, found.submitted_by) == (MONDAY, "grace")


def test_a_paper_that_came_with_a_day_of_its_own_keeps_it(session: Session) -> None:
    submit(session, ABSENT)
    arrive(session, ABSENT, daily_at=MONDAY)
    assert list_arrived(session, now=NOW) == 1
    assert paper(session, ABSENT).daily_at == MONDAY


def test_whoever_submits_too_many_is_told_when_to_go_on(session: Session) -> None:
    submit(session, HERE, most=2)
    submit(session, ABSENT, most=2, at=NOW + timedelta(minutes=10))
    with pytest.raises(TooManyRequests, match="2 papers an hour"):
        submit(session, "2601.00010", most=2, at=NOW + timedelta(minutes=59))
    session.rollback()


def test_an_erased_reader_cannot_submit(session: Session) -> None:
    with pytest.raises(NotAllowed):
        submit(session, HERE, writer=Writer(99, "Nobody"))


def test_a_submission_whose_paper_never_came_is_forgotten(session: Session) -> None:
    submit(session, ABSENT)
    submit(session, HERE)
    list_arrived(session, now=NOW + LAPSES_AFTER + timedelta(seconds=1))
    assert session.scalars(sa.select(Submission.external_id)).all() == [HERE]


@pytest.mark.parametrize(
    "text",
    ["2401.01234", "arXiv:2401.01234v2", "https://arxiv.org/abs/2401.01234 2401.01234", " \n2401.01234,\n"],
)
def test_ids_are_read_in_every_form_and_once(text: str) -> None:
    assert read_submitted_ids(text) == ("2401.01234",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ladders",
        "2401.01234 and something else",
        "10.1000/182",
        "https://evil.test/2401.01234",
        " ".join(f"2401.{number:05d}" for number in range(MOST_AT_ONCE + 1)),
    ],
)
def test_a_form_with_anything_else_submits_nothing_and_says_why(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_submitted_ids(text)
