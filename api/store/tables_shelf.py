"""Tables: tags of saved papers, papers that readers want and that are not here yet, and imports with their reports."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Base, BigId
from api.store.tables_base import LONGEST_EXTERNAL_ID

LONGEST_TAG: Final = 60  # characters
LONGEST_KEY: Final = LONGEST_EXTERNAL_ID + 10  # characters of an id with its kind
IS_WAITING: Final = sa.text("state = 'waiting'")


class LibraryTag(Base):
    """A word that a reader put on a saved paper; the note of a saved paper stands in `collection_items`."""

    __tablename__ = "library_tags"
    __table_args__ = (sa.Index("ix_library_tags_paper", "paper_id", "user_id"),)

    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    tag_key: Mapped[str] = mapped_column(sa.String(LONGEST_TAG), primary_key=True)  # the same for any case
    paper_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("papers.paper_id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(sa.String(LONGEST_TAG))  # as it was written
    place: Mapped[int] = mapped_column(sa.SmallInteger())  # among the tags of its paper


class WantedPaper(Base):
    """A paper that a reader wants in the library and that is not here; the row goes when the paper has come."""

    __tablename__ = "wanted_papers"
    __table_args__ = (sa.UniqueConstraint("user_id", "want_key"), {"sqlite_autoincrement": True})

    want_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"))
    want_key: Mapped[str] = mapped_column(sa.String(LONGEST_KEY))  # by what it is known: id, DOI or title
    external_id: Mapped[str | None] = mapped_column(sa.String(LONGEST_EXTERNAL_ID), index=True)
    doi: Mapped[str | None] = mapped_column(sa.String(LONGEST_EXTERNAL_ID), index=True)
    title_key: Mapped[str | None] = mapped_column(sa.String(64), index=True)  # hash of the normalised title
    reference: Mapped[dict[str, Any]]  # all that its bibliography says, tags and note included
    wanted_at: Mapped[datetime] = mapped_column(index=True)


class PaperFetch(Base):
    """An arXiv id that is asked for, once for all who want it; the row goes when the paper has come."""

    __tablename__ = "paper_fetches"
    __table_args__ = (sa.Index("ix_paper_fetches_due", "due_at", sqlite_where=IS_WAITING, postgresql_where=IS_WAITING),)

    external_id: Mapped[str] = mapped_column(sa.String(LONGEST_EXTERNAL_ID), primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(20))  # waiting, missing
    tries: Mapped[int] = mapped_column(default=0)
    wanted_at: Mapped[datetime]
    due_at: Mapped[datetime]
    asked_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(sa.Text())  # of the last try


class LibraryImport(Base):
    """An import of papers into a library and what became of each entry; one from Zotero waits for a worker first."""

    __tablename__ = "library_imports"
    __table_args__ = (
        sa.Index("ix_library_imports_user", "user_id", "import_id"),
        sa.Index("ix_library_imports_due", "due_at", sqlite_where=IS_WAITING, postgresql_where=IS_WAITING),
        {"sqlite_autoincrement": True},
    )

    import_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"))
    source: Mapped[str] = mapped_column(sa.String(20))  # the name of a format, or zotero
    state: Mapped[str] = mapped_column(sa.String(20))  # waiting, done, failed
    secret: Mapped[str | None] = mapped_column(sa.String(100))  # a key of Zotero, only while it waits
    group_id: Mapped[int | None] = mapped_column(BigId)  # of a library of Zotero; None: the key's owner's
    outcomes: Mapped[list[Any] | None]  # of each entry, once it is done
    problem: Mapped[str | None] = mapped_column(sa.Text())  # of the last try
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]  # a worker that takes it puts this off: whoever dies leaves it to the next
    finished_at: Mapped[datetime | None]
