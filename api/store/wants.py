"""Papers that readers want and that are not here yet, and what is asked for on their behalf."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import Paper
from api.store.tables_comments import Submission
from api.store.tables_shelf import PaperFetch, WantedPaper
from api.store.upsert import insert_into

WAITING: Final = "waiting"
MISSING: Final = "missing"  # arXiv has no paper of this id
IDS_PER_QUERY: Final = 5_000
_NO_SYNC: Final = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Want:
    """A paper that a reader is to have, by what it is known."""

    user_id: int
    want_key: str
    external_id: str | None
    doi: str | None
    title_key: str | None
    reference: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FetchState:
    """How the search for an arXiv id goes."""

    external_id: str
    state: str  # waiting, missing
    tries: int
    asked_at: datetime | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class WantedRow:
    """A paper that a reader waits for, and how the search for it goes where one is made."""

    want_id: int
    reference: Mapping[str, Any]
    wanted_at: datetime
    fetch: FetchState | None


def insert_wants(session: Session, wants: Sequence[Want], *, now: datetime) -> None:
    """Keep these wants; one of the same key is replaced by what is said now."""
    rows = [
        {
            "user_id": want.user_id,
            "want_key": want.want_key,
            "external_id": want.external_id,
            "doi": want.doi,
            "title_key": want.title_key,
            "reference": dict(want.reference),
            "wanted_at": now,
        }
        for want in wants
    ]
    if rows:
        statement = insert_into(session, WantedPaper)
        changed = {name: statement.excluded[name] for name in ("external_id", "doi", "title_key", "reference")}
        statement = statement.on_conflict_do_update(index_elements=["user_id", "want_key"], set_=changed)
        session.connection().execute(statement, rows)


def load_wanted(session: Session, user_id: int, *, after: int, limit: int) -> list[WantedRow]:
    """Return what a reader waits for in the order in which it was wanted, behind the number `after`."""
    query = (
        sa.select(WantedPaper.want_id, WantedPaper.reference, WantedPaper.wanted_at, *_FETCH)
        .outerjoin(PaperFetch, PaperFetch.external_id == WantedPaper.external_id)
        .where(WantedPaper.user_id == user_id, WantedPaper.want_id > after)
        .order_by(WantedPaper.want_id)
        .limit(limit)
    )
    return [
        WantedRow(want_id, reference, wanted_at, None if fetch[0] is None else FetchState(*fetch))
        for want_id, reference, wanted_at, *fetch in session.execute(query)
    ]


def wanted_references(session: Session, user_id: int, want_keys: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Return what a reader waits for already among these keys."""
    found: dict[str, Mapping[str, Any]] = {}
    keys = sorted(want_keys)
    for start in range(0, len(keys), IDS_PER_QUERY):
        part = keys[start : start + IDS_PER_QUERY]
        query = sa.select(WantedPaper.want_key, WantedPaper.reference).where(WantedPaper.user_id == user_id)
        rows = session.execute(query.where(WantedPaper.want_key.in_(part)))
        found.update((row.want_key, row.reference) for row in rows)
    return found


def count_wanted(session: Session, user_id: int) -> int:
    """Return how many papers a reader waits for."""
    query = sa.select(sa.func.count()).where(WantedPaper.user_id == user_id)
    return session.execute(query).scalar_one()


def delete_wants(session: Session, want_ids: Collection[int], *, user_id: int | None = None) -> int:
    """Forget these wants, of one reader if told; return how many there were."""
    statement = sa.delete(WantedPaper).where(WantedPaper.want_id.in_(want_ids))
    if user_id is not None:
        statement = statement.where(WantedPaper.user_id == user_id)
    gone = session.execute(statement.returning(WantedPaper.want_id).execution_options(**_NO_SYNC))
    return len(gone.all())


def insert_fetches(session: Session, external_ids: Collection[str], *, now: datetime, asked_before: datetime) -> None:
    """Have these ids asked for; one that was missing is asked for again when that was before `asked_before`."""
    rows = [
        {"external_id": one, "state": WAITING, "tries": 0, "wanted_at": now, "due_at": now}
        for one in sorted(set(external_ids))
    ]
    if not rows:
        return
    statement = insert_into(session, PaperFetch)
    statement = statement.on_conflict_do_update(
        index_elements=["external_id"],
        set_={"state": WAITING, "tries": 0, "due_at": statement.excluded.due_at, "problem": None},
        where=sa.and_(PaperFetch.state == MISSING, PaperFetch.asked_at < asked_before),
    )
    session.connection().execute(statement, rows)


def load_fetches(session: Session, external_ids: Collection[str]) -> dict[str, FetchState]:
    """Return how the search for each of these ids goes that is searched for."""
    query = sa.select(*_FETCH).where(PaperFetch.external_id.in_(external_ids))
    return {row[0]: FetchState(*row) for row in session.execute(query)}


def due_fetches(session: Session, *, now: datetime, limit: int) -> list[str]:
    """Return ids that are to be asked for now, longest due first."""
    query = (
        sa.select(PaperFetch.external_id)
        .where(PaperFetch.due_at <= now, sa.text("paper_fetches.state = 'waiting'"))
        .order_by(PaperFetch.due_at, PaperFetch.external_id)
        .limit(limit)
    )
    return list(session.scalars(query))


def update_fetches(session: Session, external_ids: Collection[str], values: Mapping[str, Any]) -> None:
    """Write how the search for these ids goes."""
    statement = sa.update(PaperFetch).where(PaperFetch.external_id.in_(external_ids)).values(**values)
    session.execute(statement.execution_options(**_NO_SYNC))


def delete_fetches(session: Session, external_ids: Collection[str]) -> None:
    """Forget ids whose papers are here."""
    statement = sa.delete(PaperFetch).where(PaperFetch.external_id.in_(external_ids))
    session.execute(statement.execution_options(**_NO_SYNC))


def delete_known_fetches(session: Session) -> None:
    """Forget ids whose papers another source brought."""
    known = sa.exists().where(Paper.external_id == PaperFetch.external_id, Paper.deleted_at.is_(None))
    session.execute(sa.delete(PaperFetch).where(known).execution_options(**_NO_SYNC))


def delete_unwanted_fetches(session: Session, *, last_asked_before: datetime) -> int:
    """Forget ids that neither a reader nor a submission waits for and nobody asked for since; return how many."""
    wanted = sa.select(WantedPaper.external_id).where(WantedPaper.external_id.is_not(None))
    submitted = sa.select(Submission.external_id).where(Submission.listed_at.is_(None))
    is_old = sa.func.coalesce(PaperFetch.asked_at, PaperFetch.wanted_at) < last_asked_before
    statement = sa.delete(PaperFetch).where(
        is_old, PaperFetch.external_id.not_in(wanted), PaperFetch.external_id.not_in(submitted)
    )
    gone = session.execute(statement.returning(PaperFetch.external_id).execution_options(**_NO_SYNC))
    return len(gone.all())


_FETCH: Final = (
    PaperFetch.external_id,
    PaperFetch.state,
    PaperFetch.tries,
    PaperFetch.asked_at,
    PaperFetch.problem,
)
