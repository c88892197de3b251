"""Papers know their version, their end, their place in the literature, and which source said what."""

import sqlalchemy as sa
from alembic import op

from api.migrations.building import PartialIndex, build_indexes, is_postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_LISTED = "deleted_at IS NULL AND withdrawn_at IS NULL"
_UNLISTED = "deleted_at IS NOT NULL OR withdrawn_at IS NOT NULL"
_ENDS = ("deleted_at", "withdrawn_at")


def upgrade() -> None:
    """Add empty columns, which rewrites no row, and leave out of "latest" what was deleted or withdrawn."""
    for column in (
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("revised_at", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("doi", sa.String(length=200), nullable=True),
        sa.Column("journal_ref", sa.Text(), nullable=True),
        sa.Column("citations", sa.Integer(), nullable=True),
        sa.Column("references_count", sa.Integer(), nullable=True),
        sa.Column("fields", sa.JSON(), nullable=True),
        sa.Column("provenance", sa.JSON(), nullable=True),
    ):
        # They are there already when an earlier upgrade was broken off while it built the indexes.
        op.add_column("papers", column, if_not_exists=is_postgresql())
    listed = "ix_papers_listed_new" if is_postgresql() else "ix_papers_listed"  # SQLite cannot rename an index
    if not is_postgresql():
        op.drop_index("ix_papers_listed", table_name="papers")
    build_indexes(
        PartialIndex(listed, "papers", ("listed_at", "paper_id", *_ENDS), _LISTED),
        PartialIndex("ix_papers_unlisted", "papers", ("paper_id", *_ENDS), _UNLISTED),
        PartialIndex("ix_papers_doi", "papers", ("doi",), "doi IS NOT NULL"),
    )
    if is_postgresql():  # the old one serves until the new one is whole
        op.drop_index("ix_papers_listed", table_name="papers")
        op.execute("ALTER INDEX ix_papers_listed_new RENAME TO ix_papers_listed")


def downgrade() -> None:
    """Drop what `upgrade` added."""
    op.drop_index("ix_papers_doi", table_name="papers")
    op.drop_index("ix_papers_unlisted", table_name="papers")
    op.drop_index("ix_papers_listed", table_name="papers")
    op.create_index("ix_papers_listed", "papers", ["listed_at", "paper_id"])
    for name in (
        "provenance",
        "fields",
        "references_count",
        "citations",
        "journal_ref",
        "doi",
        "deleted_at",
        "withdrawn_at",
        "revised_at",
        "version",
    ):
        op.drop_column("papers", name)
