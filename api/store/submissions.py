"""Papers that readers submit, in SQL."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import Paper
from api.store.tables_accounts import Account
from api.store.tables_comments import Submission
from api.store.upsert import insert_into

_NO_SYNC: Final = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A paper that is here, as far as it matters for a daily list."""

    external_id: str
    title: str
    is_demo: bool
    daily_at: datetime | None
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """What one reader submitted, and the paper if it is here."""

    external_id: str
    submitted_at: datetime
    listed_at: datetime | None
    title: str | None


def load_candidates(session: Session, external_ids: Collection[str]) -> dict[str, Candidate]:
    """Return those of these papers that are here."""
    query = sa.select(*_CANDIDATE).where(Paper.external_id.in_(external_ids), Paper.deleted_at.is_(None))
    return {row[0]: Candidate(*row) for row in session.execute(query)}


def load_arrived(session: Session, *, limit: int) -> list[Candidate]:
    """Return papers that were submitted and have come, longest submitted first."""
    query = (
        sa.select(*_CANDIDATE)
        .join(Submission, Submission.external_id == Paper.external_id)
        .where(Submission.listed_at.is_(None), Paper.deleted_at.is_(None))
        .order_by(Submission.submitted_at, Submission.external_id)
        .limit(limit)
    )
    return [Candidate(*row) for row in session.execute(query)]


def insert_submissions(
    session: Session, external_ids: Collection[str], *, user_id: int, author_name: str, now: datetime
) -> set[str]:
    """Store submissions and return those that nobody had made before."""
    rows = [
        {"external_id": one, "user_id": user_id, "author_name": author_name, "submitted_at": now}
        for one in sorted(external_ids)
    ]
    if not rows:
        return set()
    statement = insert_into(session, Submission).values(rows).on_conflict_do_nothing()
    return set(session.scalars(statement.returning(Submission.external_id)))


def mark_listed(session: Session, external_ids: Collection[str], *, now: datetime) -> None:
    """Note that the papers are in a daily list, or need not be."""
    statement = sa.update(Submission).where(Submission.external_id.in_(external_ids)).values(listed_at=now)
    session.execute(statement.execution_options(**_NO_SYNC))


def delete_lapsed(session: Session, *, submitted_before: datetime) -> None:
    """Forget submissions whose papers never came."""
    old = (Submission.listed_at.is_(None), Submission.submitted_at < submitted_before)
    session.execute(sa.delete(Submission).where(*old).execution_options(**_NO_SYNC))


def times_of_submissions(session: Session, user_id: int, *, since: datetime) -> list[datetime]:
    """Return when a reader submitted papers since then, oldest first."""
    query = sa.select(Submission.submitted_at).where(Submission.user_id == user_id, Submission.submitted_at > since)
    return list(session.scalars(query.order_by(Submission.submitted_at)))


def load_submissions(session: Session, user_id: int, *, limit: int) -> list[SubmissionRow]:
    """Return what a reader submitted, newest first."""
    query = (
        sa.select(Submission.external_id, Submission.submitted_at, Submission.listed_at, Paper.title)
        .outerjoin(Paper, sa.and_(Paper.external_id == Submission.external_id, Paper.deleted_at.is_(None)))
        .where(Submission.user_id == user_id)
        .order_by(Submission.submitted_at.desc(), Submission.external_id)
        .limit(limit)
    )
    return [SubmissionRow(*row) for row in session.execute(query)]


def find_submitter(session: Session, external_id: str) -> str | None:
    """Return the name of the reader who submitted a paper, None for one who is gone."""
    query = (
        sa.select(sa.func.coalesce(Account.display_name, Submission.author_name))
        .select_from(Submission)
        .outerjoin(Account, Account.user_id == Submission.user_id)
        .where(Submission.external_id == external_id)
    )
    return session.scalar(query)


_CANDIDATE: Final = (Paper.external_id, Paper.title, Paper.is_demo, Paper.daily_at, Paper.withdrawn_at)
