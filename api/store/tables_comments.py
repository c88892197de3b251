"""Tables: comments, reports about them, and papers that readers submit."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables_base import LONGEST_EXTERNAL_ID, Base, BigId

IS_OPEN: Final = sa.text("settled_at IS NULL")
IS_UNLISTED: Final = sa.text("listed_at IS NULL")


class Comment(Base):
    """What a reader says about a paper, in markdown, or answers to another comment."""

    __tablename__ = "comments"
    __table_args__ = (
        sa.Index("ix_comments_paper", "paper_id", "comment_id"),
        sa.Index("ix_comments_user", "user_id", "created_at"),
        sa.Index("ix_comments_parent", "parent_id"),
        {"sqlite_autoincrement": True},  # an address of a comment leads to no other one
    )

    comment_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    paper_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("papers.paper_id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"))
    # What answers a comment of a reader who was erased stays, as a comment of its own.
    parent_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("comments.comment_id", ondelete="SET NULL"))
    author_name: Mapped[str] = mapped_column(sa.String(LONGEST_EXTERNAL_ID))  # of readers without an account
    text: Mapped[str] = mapped_column(sa.Text())  # empty: taken back by its author, kept for what answers it
    created_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    edits: Mapped[int] = mapped_column(default=0)
    hidden_at: Mapped[datetime | None]  # by a moderator
    hidden_by: Mapped[str | None] = mapped_column(sa.String(LONGEST_EXTERNAL_ID))


class CommentReport(Base):
    """One reader's word that a comment should be looked at."""

    __tablename__ = "comment_reports"
    __table_args__ = (
        sa.Index("ix_comment_reports_open", "created_at", sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
        sa.Index("ix_comment_reports_user", "user_id", "created_at"),
    )

    comment_id: Mapped[int] = mapped_column(
        BigId, sa.ForeignKey("comments.comment_id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    reason: Mapped[str] = mapped_column(sa.Text(), default="")
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]  # when a moderator had looked


class Submission(Base):
    """A paper that a reader put forward for the daily list, by its arXiv id; the first one counts."""

    __tablename__ = "submissions"
    __table_args__ = (
        sa.Index("ix_submissions_user", "user_id", "submitted_at"),
        sa.Index("ix_submissions_unlisted", "submitted_at", sqlite_where=IS_UNLISTED, postgresql_where=IS_UNLISTED),
    )

    external_id: Mapped[str] = mapped_column(sa.String(LONGEST_EXTERNAL_ID), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"))
    author_name: Mapped[str] = mapped_column(sa.String(LONGEST_EXTERNAL_ID))  # of readers without an account
    submitted_at: Mapped[datetime]
    listed_at: Mapped[datetime | None]  # null: the paper has not come yet
