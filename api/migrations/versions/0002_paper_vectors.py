"""Sentence vectors, and the fingerprint of each paper's text by which they are found."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add an empty table and an empty column: papers get their fingerprints before they get vectors."""
    op.create_table(
        "paper_vectors",
        sa.Column("encoder", sa.String(length=200), nullable=False),
        sa.Column("text_hash", sa.String(length=32), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("encoder", "text_hash", name=op.f("pk_paper_vectors")),
    )
    op.add_column("papers", sa.Column("text_hash", sa.String(length=32), nullable=True))


def downgrade() -> None:
    """Drop what `upgrade` added."""
    op.drop_column("papers", "text_hash")
    op.drop_table("paper_vectors")
