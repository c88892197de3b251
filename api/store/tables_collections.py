"""Saved lists beside the library, and what the library alone does not hold: its notes, order and appearance."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Base, BigId

IS_LIBRARY: Final = sa.text("is_library")
IS_PUBLIC: Final = sa.text("NOT is_private")


class PaperCollection(Base):
    """A named list of one reader; one of them is the library, whose row is made when something is said about it."""

    __tablename__ = "collections"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "title_key"),
        sa.Index(
            "ix_collections_library", "user_id", unique=True, sqlite_where=IS_LIBRARY, postgresql_where=IS_LIBRARY
        ),
        sa.Index("ix_collections_public", "updated_at", sqlite_where=IS_PUBLIC, postgresql_where=IS_PUBLIC),
        {"sqlite_autoincrement": True},  # pages of a list go on after a number
    )

    collection_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"))
    public_id: Mapped[str] = mapped_column(sa.String(24), unique=True)  # ends the slug, whatever the title becomes
    title: Mapped[str] = mapped_column(sa.Text())
    title_key: Mapped[str] = mapped_column(sa.String(64))  # hash of the normalised title
    description: Mapped[str | None] = mapped_column(sa.Text())
    is_library: Mapped[bool] = mapped_column(default=False)
    is_private: Mapped[bool]
    theme: Mapped[str] = mapped_column(sa.String(20))
    position: Mapped[int]  # orders the reader's collections; gaps mean nothing
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]  # of the library, also when a save or an unsave changed it last


class CollectionItem(Base):
    """A paper in a collection; of the library only what was said beside the save, which stands in `library`."""

    __tablename__ = "collection_items"
    __table_args__ = (
        sa.Index("ix_collection_items_paper_id", "paper_id"),
        sa.Index("ix_collection_items_order", "collection_id", "position", "paper_id"),
    )

    collection_id: Mapped[int] = mapped_column(
        BigId, sa.ForeignKey("collections.collection_id", ondelete="CASCADE"), primary_key=True
    )
    paper_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("papers.paper_id", ondelete="CASCADE"), primary_key=True)
    # Orders the items; gaps mean nothing. Null: in the library, after those that were moved, by the time of the save.
    position: Mapped[int | None]
    note: Mapped[str | None] = mapped_column(sa.Text())
    added_at: Mapped[datetime]
