"""Comments in SQL: threads, counts, reports, and what moderators look at."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import Paper, User
from api.store.tables_accounts import Account
from api.store.tables_comments import Comment, CommentReport
from api.store.upsert import insert_into

_NAME: Final = sa.func.coalesce(Account.display_name, Comment.author_name).label("author")
_SHOWN: Final = (Comment.hidden_at.is_(None), Comment.text != "")


def load_comment(session: Session, comment_id: int) -> Comment | None:
    """Return a comment that nobody else changes until the transaction ends."""
    query = sa.select(Comment).where(Comment.comment_id == comment_id).with_for_update()
    return session.scalar(query)


def load_thread(session: Session, paper_id: int, *, limit: int) -> list[tuple[Comment, str]]:
    """Return the oldest comments on a paper with their authors' names, whatever became of them."""
    query = _with_names().where(Comment.paper_id == paper_id).order_by(Comment.comment_id).limit(limit)
    return [(comment, name) for comment, name in session.execute(query)]


def load_reported(session: Session, *, limit: int) -> list[tuple[Comment, str, int, datetime]]:
    """Return the comments with open reports: how many these are, the first one's time; the longest waiting first."""
    first, count = sa.func.min(CommentReport.created_at), sa.func.count()
    waiting = (
        sa.select(CommentReport.comment_id, count.label("reports"), first.label("since"))
        .where(CommentReport.settled_at.is_(None))
        .group_by(CommentReport.comment_id)
        .order_by(first)
        .limit(limit)
        .subquery()
    )
    query = _with_names(waiting.c.reports, waiting.c.since).join(waiting, waiting.c.comment_id == Comment.comment_id)
    rows = session.execute(query.order_by(waiting.c.since, Comment.comment_id))
    return [(comment, name, reports, since) for comment, name, reports, since in rows]


def load_latest_comments(
    session: Session, *, is_hidden: bool | None, before: int | None, limit: int
) -> list[tuple[Comment, str]]:
    """Return the newest comments of all papers below a number, the hidden or the shown ones alone where asked."""
    query = _with_names().where(Comment.text != "").order_by(Comment.comment_id.desc()).limit(limit)
    if before is not None:
        query = query.where(Comment.comment_id < before)
    if is_hidden is not None:
        query = query.where(Comment.hidden_at.is_not(None) if is_hidden else Comment.hidden_at.is_(None))
    return [(comment, name) for comment, name in session.execute(query)]


def load_reasons(session: Session, comment_ids: Collection[int], *, limit: int) -> dict[int, list[str]]:
    """Return the different reasons that open reports give for each comment, the first ones first."""
    query = (
        sa.select(CommentReport.comment_id, CommentReport.reason)
        .where(
            CommentReport.comment_id.in_(comment_ids), CommentReport.settled_at.is_(None), CommentReport.reason != ""
        )
        .order_by(CommentReport.created_at)
        .limit(limit)
    )
    found: dict[int, list[str]] = {}
    for comment_id, reason in session.execute(query):
        reasons = found.setdefault(comment_id, [])
        if reason not in reasons:
            reasons.append(reason)
    return found


def count_open_reports(session: Session, *, limit: int) -> int:
    """Return how many comments wait for a moderator, `limit` at most."""
    open_ones = sa.select(CommentReport.comment_id).where(CommentReport.settled_at.is_(None)).distinct().limit(limit)
    return session.scalar(sa.select(sa.func.count()).select_from(open_ones.subquery())) or 0


def load_commented_papers(session: Session, paper_ids: Collection[int]) -> dict[int, tuple[Paper, int]]:
    """Return the papers that their source has not removed, by id, each with the number of comments everybody sees."""
    if not paper_ids:
        return {}
    found = session.execute(_commented_papers().where(Paper.paper_id.in_(paper_ids)))
    return {paper.paper_id: (paper, count) for paper, count in found}


def find_commented_paper(session: Session, external_id: str) -> tuple[Paper, int] | None:
    """Return the same of the paper that is stored under this id, None where there is none."""
    found = session.execute(_commented_papers().where(Paper.external_id == external_id)).one_or_none()
    return None if found is None else (found[0], found[1])


def _commented_papers() -> sa.Select[Any]:
    comments = sa.select(sa.func.count()).where(Comment.paper_id == Paper.paper_id, *_SHOWN)
    return sa.select(Paper, comments.correlate(Paper).scalar_subquery()).where(Paper.deleted_at.is_(None))


def lock_writer(session: Session, user_id: int) -> bool:
    """Let a reader write one comment at a time; False for one who is gone."""
    query = sa.select(User.user_id).where(User.user_id == user_id).with_for_update()
    return session.scalar(query) is not None


def times_of_comments(session: Session, user_id: int, *, since: datetime) -> list[datetime]:
    """Return when a reader wrote comments since then, oldest first."""
    query = sa.select(Comment.created_at).where(Comment.user_id == user_id, Comment.created_at > since)
    return list(session.scalars(query.order_by(Comment.created_at)))


def times_of_reports(session: Session, user_id: int, *, since: datetime) -> list[datetime]:
    """Return when a reader reported comments since then, oldest first."""
    query = sa.select(CommentReport.created_at).where(
        CommentReport.user_id == user_id, CommentReport.created_at > since
    )
    return list(session.scalars(query.order_by(CommentReport.created_at)))


def find_same(session: Session, values: dict[str, Any], *, since: datetime) -> int | None:
    """Return the comment that its author sent already, as browsers do after an answer that was lost."""
    query = sa.select(Comment.comment_id).where(Comment.created_at > since)
    for name in ("user_id", "paper_id", "parent_id", "text"):
        column = getattr(Comment, name)
        query = query.where(column.is_(None) if values[name] is None else column == values[name])
    return session.scalar(query.limit(1))


def insert_comment(session: Session, values: dict[str, Any]) -> int:
    """Store a comment and return its number."""
    comment = Comment(**values)
    session.add(comment)
    session.flush()
    return comment.comment_id


def insert_report(session: Session, values: dict[str, Any]) -> bool:
    """Store a report; False when its reader has reported the comment before."""
    statement = insert_into(session, CommentReport).values(values).on_conflict_do_nothing()
    return session.scalar(statement.returning(CommentReport.comment_id)) is not None


def settle_reports(session: Session, comment_id: int, *, now: datetime) -> None:
    """Note that a moderator has looked at what was reported about a comment."""
    query = sa.update(CommentReport).where(CommentReport.comment_id == comment_id, CommentReport.settled_at.is_(None))
    session.execute(query.values(settled_at=now))


def papers_commented_by(session: Session, user_id: int) -> list[int]:
    """Return the papers that a reader has commented on."""
    return list(session.scalars(sa.select(Comment.paper_id).where(Comment.user_id == user_id).distinct()))


def touch_papers(session: Session, paper_ids: Collection[int], *, now: datetime) -> None:
    """Let every process see within seconds that what is said about these papers has changed."""
    wanted = sorted(paper_ids)
    session.execute(sa.update(Paper).where(Paper.paper_id.in_(wanted)).values(updated_at=now))


def names_of_papers(session: Session, paper_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """Return the external id and the title of each paper, of removed ones, too."""
    query = sa.select(Paper.paper_id, Paper.external_id, Paper.title).where(Paper.paper_id.in_(paper_ids))
    return {row.paper_id: (row.external_id, row.title) for row in session.execute(query)}


def _with_names(*more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    return sa.select(Comment, _NAME, *more).outerjoin(Account, Account.user_id == Comment.user_id)
