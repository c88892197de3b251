"""Papers that readers put forward for the daily list: listed at once where they are here, else when they have come."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.errors import InvalidRequest, NotAllowed, TooManyRequests
from api.services.bibliography import find_ids
from api.services.catalog import record_papers
from api.services.comments import Writer
from api.services.pending_papers import UNREACHED, want_papers
from api.sources.records import PaperRecord
from api.store import comments, submissions, wants
from api.store.submissions import Candidate
from api.store.wants import MISSING, FetchState

READERS: Final = "readers"  # the source whose word a submission is; every other one is believed before it
MOST_AT_ONCE: Final = 20
MOST_SHOWN: Final = 50
LISTED_AT_ONCE: Final = 200  # in one transaction
HOUR: Final = timedelta(hours=1)
LAPSES_AFTER: Final = timedelta(days=30)  # arXiv announces within days
LONGEST_SHOWN: Final = 60  # characters of a word that is no id


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the papers of one form."""

    listed: tuple[str, ...]  # in today's list by now
    asked: tuple[str, ...]  # not here yet
    known: tuple[str, ...]  # in a list before, or submitted by somebody else, or withdrawn


@dataclass(frozen=True, slots=True)
class OwnSubmission:
    """A paper that a reader submitted, and in words what became of it."""

    external_id: str
    title: str | None  # None: not here
    submitted_at: datetime
    words: str


def read_submitted_ids(text: str) -> tuple[str, ...]:
    """Return the arXiv ids that a form names, each once; raises InvalidRequest for one with anything else in it."""
    found, others = find_ids(text)
    wrong = [*others, *(one.doi for one in found if one.paper_id is None and one.doi)]
    if wrong:
        shown = ", ".join(f"“{word[:LONGEST_SHOWN]}”" for word in wrong[:3])
        raise InvalidRequest(f"this is no arXiv id: {shown}. Nothing was submitted", field="ids")
    ids = tuple(dict.fromkeys(one.paper_id for one in found if one.paper_id is not None))
    if not ids:
        raise InvalidRequest("an arXiv id is needed, such as 2401.01234, or the address of a paper there", field="ids")
    if len(ids) > MOST_AT_ONCE:
        raise InvalidRequest(f"{MOST_AT_ONCE} papers at once at most: nothing was submitted", field="ids")
    return ids


def submit_papers(
    session: Session, ids: Collection[str], *, writer: Writer, most_hourly: int, now: datetime
) -> Outcome:
    """Put papers forward for today's list; what is not here is asked for and listed when it comes.

    Raises TooManyRequests beyond the writer's limit: then none of them is submitted.
    """
    if not comments.lock_writer(session, writer.user_id):
        raise NotAllowed("this reader is not known here any more: sign in again")
    here = submissions.load_candidates(session, ids)
    wanted = [one for one in ids if one not in here or _may_be_listed(here[one])]
    new = submissions.insert_submissions(session, wanted, user_id=writer.user_id, author_name=writer.name, now=now)
    _check_turn(session, writer, most_hourly=most_hourly, now=now)
    listed = [here[one] for one in ids if one in new and one in here]
    _list(session, listed, now=now)
    asked = tuple(one for one in ids if one in new and one not in here)
    want_papers(session, asked, None, now=now)
    named = tuple(one.external_id for one in listed)
    return Outcome(named, asked, tuple(one for one in ids if one not in new))


def list_arrived(session: Session, *, now: datetime) -> int:
    """Put submitted papers that have come into today's list, a part of them; return how many there were."""
    submissions.delete_lapsed(session, submitted_before=now - LAPSES_AFTER)
    arrived = submissions.load_arrived(session, limit=LISTED_AT_ONCE)
    if arrived:
        _list(session, arrived, now=now)
    return len(arrived)


def list_own(session: Session, user_id: int | None) -> list[OwnSubmission]:
    """Return what a reader submitted last, newest first."""
    if user_id is None:
        return []
    rows = submissions.load_submissions(session, user_id, limit=MOST_SHOWN)
    fetches = wants.load_fetches(session, [row.external_id for row in rows if row.title is None])
    return [
        OwnSubmission(
            row.external_id,
            row.title,
            row.submitted_at,
            _words(fetches.get(row.external_id), is_here=row.title is not None),
        )
        for row in rows
    ]


def _list(session: Session, papers: Sequence[Candidate], *, now: datetime) -> None:
    """Say of these papers what a source of daily lists would say; one that says more replaces it."""
    for is_demo in (False, True):
        records = [
            PaperRecord(title=one.title, source=READERS, external_id=one.external_id, daily_at=now)
            for one in papers
            if one.is_demo is is_demo and _may_be_listed(one)
        ]
        if records:
            record_papers(session, records, now=now, is_demo=is_demo)
    submissions.mark_listed(session, [one.external_id for one in papers], now=now)


def _may_be_listed(paper: Candidate) -> bool:
    return paper.daily_at is None and paper.withdrawn_at is None


def _check_turn(session: Session, writer: Writer, *, most_hourly: int, now: datetime) -> None:
    times = submissions.times_of_submissions(session, writer.user_id, since=now - HOUR)
    if len(times) > most_hourly:
        wait = int((times[0] + HOUR - now).total_seconds()) + 1
        raise TooManyRequests(
            f"you may submit {most_hourly} papers an hour: nothing was submitted, wait {max(wait // 60, 1)} minutes",
            retry_after_seconds=wait,
        )


def _words(fetch: FetchState | None, *, is_here: bool) -> str:
    if is_here:
        return "is here"
    if fetch is not None and fetch.state == MISSING:
        return f"not found: {fetch.problem or 'arXiv has no paper of this id'}"
    if fetch is not None and fetch.problem:
        return UNREACHED
    return "to be fetched from arXiv"
