"""Tables of papers."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from api.sentences import LONGEST_NAME, TEXT_HASH_LENGTH, sentence_text, text_hash
from api.store.tables_base import LONGEST_EXTERNAL_ID, Base, BigId


def _listed_at(context: DefaultExecutionContext) -> datetime:
    row = context.get_current_parameters()  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types
    known: datetime = row.get("daily_at") or row.get("published_at") or row["created_at"]
    return known


def _text_hash(context: DefaultExecutionContext) -> str:
    row = context.get_current_parameters()  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types
    return text_hash(sentence_text(row["title"], row.get("summary") or ""))


# What lists show: neither deleted by its source nor withdrawn by its authors.
IS_LISTED: Final = sa.text("deleted_at IS NULL AND withdrawn_at IS NULL")
IS_UNLISTED: Final = sa.text("deleted_at IS NOT NULL OR withdrawn_at IS NOT NULL")
_ENDS: Final = ("deleted_at", "withdrawn_at")
HAS_DOI: Final = sa.text("doi IS NOT NULL")
HAS_SUBMITTER: Final = sa.text("submitted_by IS NOT NULL")


class Paper(Base):
    """A paper; `external_id` is its arXiv id without version, or any other string id."""

    __tablename__ = "papers"
    __table_args__ = (
        sa.Index("ix_papers_published", "published_at", "paper_id"),
        sa.Index("ix_papers_daily", "daily_at", "paper_id"),
        # SQLite looks at the columns of the condition, too, before it answers from an index alone.
        sa.Index(
            "ix_papers_listed",
            *("listed_at", "paper_id", *_ENDS),
            sqlite_where=IS_LISTED,
            postgresql_where=IS_LISTED,
        ),
        sa.Index("ix_papers_unlisted", "paper_id", *_ENDS, sqlite_where=IS_UNLISTED, postgresql_where=IS_UNLISTED),
        sa.Index("ix_papers_doi", "doi", sqlite_where=HAS_DOI, postgresql_where=HAS_DOI),
        sa.Index(
            "ix_papers_submitter",
            "submitted_by",
            "daily_at",
            sqlite_where=HAS_SUBMITTER,
            postgresql_where=HAS_SUBMITTER,
        ),
        # A number is never given twice, also after papers were removed: models and prepared lists refer to it.
        {"sqlite_autoincrement": True},
    )

    paper_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    external_id: Mapped[str] = mapped_column(sa.String(LONGEST_EXTERNAL_ID), unique=True)
    title: Mapped[str] = mapped_column(sa.Text())
    title_key: Mapped[str] = mapped_column(sa.String(64), index=True)  # hash of the normalised title
    id_from_title: Mapped[bool] = mapped_column(default=False)  # the source gave no id; a real one may replace it
    summary: Mapped[str] = mapped_column(sa.Text(), default="")
    authors: Mapped[list[Any]] = mapped_column(default=list)  # names in order
    num_authors: Mapped[int | None]  # where only the count is known
    categories: Mapped[list[Any]] = mapped_column(default=list)  # primary first
    keywords: Mapped[list[Any]] = mapped_column(default=list)
    organization: Mapped[dict[str, Any] | None]  # {"name", "fullname"}
    published_at: Mapped[datetime | None]  # first version
    daily_at: Mapped[datetime | None]  # when it entered a daily list
    submitted_by: Mapped[str | None] = mapped_column(sa.String(200))
    upvotes: Mapped[int] = mapped_column(default=0)  # the source's count
    num_comments: Mapped[int] = mapped_column(default=0)
    project_page: Mapped[str | None] = mapped_column(sa.Text())
    github_repo: Mapped[str | None] = mapped_column(sa.Text())
    github_stars: Mapped[int | None]
    thumbnail: Mapped[str | None] = mapped_column(sa.Text())
    ai_summary: Mapped[str | None] = mapped_column(sa.Text())
    source: Mapped[str] = mapped_column(sa.String(40))  # who named the paper first
    provenance: Mapped[dict[str, Any] | None]  # {field: source} of the fields that another source than `source` gave
    version: Mapped[int | None]  # of the text, where its source counts versions
    revised_at: Mapped[datetime | None]  # that version
    withdrawn_at: Mapped[datetime | None]  # by its authors: still found and shown with a mark, but in no list
    deleted_at: Mapped[datetime | None]  # by its source: shown nowhere; the row stays because events refer to it
    doi: Mapped[str | None] = mapped_column(sa.String(LONGEST_EXTERNAL_ID))  # lower case, of the published paper
    journal_ref: Mapped[str | None] = mapped_column(sa.Text())
    citations: Mapped[int | None]
    references_count: Mapped[int | None]
    fields: Mapped[list[Any] | None]  # of study
    is_demo: Mapped[bool] = mapped_column(default=False)
    content_hash: Mapped[str] = mapped_column(sa.String(64))  # of all fields above: unchanged rows are not written
    # Of title and summary; None for papers of older versions until vectors are made.
    text_hash: Mapped[str | None] = mapped_column(sa.String(TEXT_HASH_LENGTH), default=_text_hash)
    # Place in "latest": daily_at, else published_at, else created_at; never in the future.
    listed_at: Mapped[datetime] = mapped_column(default=_listed_at)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(index=True)


class PaperCategory(Base):
    """One category of one listed paper, for lists by category; repeats `listed_at` so that one index answers them."""

    __tablename__ = "paper_categories"
    __table_args__ = (
        sa.Index("ix_paper_categories_paper", "paper_id"),
        sa.Index("ix_paper_categories_listed", "category", "listed_at", "paper_id"),
    )

    category: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    paper_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("papers.paper_id", ondelete="CASCADE"), primary_key=True)
    listed_at: Mapped[datetime]


class PaperVector(Base):
    """What a sentence encoder made of a text: once per text and encoder, whatever papers have that text."""

    __tablename__ = "paper_vectors"

    encoder: Mapped[str] = mapped_column(sa.String(LONGEST_NAME), primary_key=True)
    text_hash: Mapped[str] = mapped_column(sa.String(TEXT_HASH_LENGTH), primary_key=True)
    dim: Mapped[int]
    vector: Mapped[bytes] = mapped_column(sa.LargeBinary())  # dim little-endian float16, of length 1 or all zero
