"""Dead letters, and the accounts into which anonymous readers were merged."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add two empty tables."""
    op.create_table(
        "dead_letters",
        sa.Column("letter_id", _BIG_ID, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("external_user", sa.String(length=200), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("event_id", sa.String(length=64), nullable=True),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("batch_slate", sa.Text(), nullable=True),
        sa.Column("sent_at_raw", sa.String(length=64), nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("replayed_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.PrimaryKeyConstraint("letter_id", name=op.f("pk_dead_letters")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_dead_letters_fingerprint")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_dead_letters_code", "dead_letters", ["code", "letter_id"])
    op.create_index("ix_dead_letters_last", "dead_letters", ["last_at"])
    op.create_table(
        "merges",
        sa.Column("user_id", _BIG_ID, nullable=False),
        sa.Column("into_user_id", _BIG_ID, nullable=False),
        sa.Column("merged_at", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_merges_user_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["into_user_id"], ["users.user_id"], name=op.f("fk_merges_into_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_merges")),
    )
    op.create_index("ix_merges_into_user_id", "merges", ["into_user_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("merges")
    op.drop_table("dead_letters")
