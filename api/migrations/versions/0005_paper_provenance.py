"""Papers know their version, their end, their place in the literature, and which source said what."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_LISTED = sa.text("deleted_at IS NULL AND withdrawn_at IS NULL")
_UNLISTED = sa.text("deleted_at IS NOT NULL OR withdrawn_at IS NOT NULL")
_KNOWN = sa.text("doi IS NOT NULL")


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
        op.add_column("papers", column)
    op.drop_index("ix_papers_listed", table_name="papers")
    ends = ["deleted_at", "withdrawn_at"]
    listed = ["listed_at", "paper_id", *ends]
    op.create_index("ix_papers_listed", "papers", listed, sqlite_where=_LISTED, postgresql_where=_LISTED)
    unlisted = ["paper_id", *ends]
    op.create_index("ix_papers_unlisted", "papers", unlisted, sqlite_where=_UNLISTED, postgresql_where=_UNLISTED)
    op.create_index("ix_papers_doi", "papers", ["doi"], sqlite_where=_KNOWN, postgresql_where=_KNOWN)


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
