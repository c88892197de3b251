"""What readers mute and forget."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add an empty table."""
    op.create_table(
        "reader_tastes",
        sa.Column("user_id", _BIG_ID, autoincrement=False, nullable=False),
        sa.Column("muted", sa.JSON(), nullable=False),
        sa.Column("is_personal", sa.Boolean(), nullable=False),
        sa.Column("silent", sa.JSON(), nullable=False),
        sa.Column("reset_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_reader_tastes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_reader_tastes")),
    )


def downgrade() -> None:
    """Drop it: nothing is muted then, and all events teach."""
    op.drop_table("reader_tastes")
