"""Comments, reports about them, and papers that readers submit."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IS_OPEN = sa.text("settled_at IS NULL")
_IS_UNLISTED = sa.text("listed_at IS NULL")


def upgrade() -> None:
    """Add three empty tables."""
    _add_comments()
    _add_reports()
    _add_submissions()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("submissions")
    op.drop_table("comment_reports")
    op.drop_table("comments")


def _add_comments() -> None:
    op.create_table(
        "comments",
        sa.Column("comment_id", _BIG_ID, nullable=False),
        sa.Column("paper_id", _BIG_ID, nullable=False),
        sa.Column("user_id", _BIG_ID, nullable=False),
        sa.Column("parent_id", _BIG_ID, nullable=True),
        sa.Column("author_name", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("edited_at", sa.BigInteger(), nullable=True),
        sa.Column("edits", sa.Integer(), nullable=False),
        sa.Column("hidden_at", sa.BigInteger(), nullable=True),
        sa.Column("hidden_by", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["paper_id"], ["papers.paper_id"], name=op.f("fk_comments_paper_id_papers"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_comments_user_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["comments.comment_id"], name=op.f("fk_comments_parent_id_comments"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("comment_id", name=op.f("pk_comments")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_comments_paper", "comments", ["paper_id", "comment_id"])
    op.create_index("ix_comments_user", "comments", ["user_id", "created_at"])
    op.create_index("ix_comments_parent", "comments", ["parent_id"])


def _add_reports() -> None:
    op.create_table(
        "comment_reports",
        sa.Column("comment_id", _BIG_ID, nullable=False),
        sa.Column("user_id", _BIG_ID, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["comment_id"],
            ["comments.comment_id"],
            name=op.f("fk_comment_reports_comment_id_comments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_comment_reports_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("comment_id", "user_id", name=op.f("pk_comment_reports")),
    )
    op.create_index(
        "ix_comment_reports_open",
        "comment_reports",
        ["created_at"],
        sqlite_where=_IS_OPEN,
        postgresql_where=_IS_OPEN,
    )
    op.create_index("ix_comment_reports_user", "comment_reports", ["user_id", "created_at"])


def _add_submissions() -> None:
    op.create_table(
        "submissions",
        sa.Column("external_id", sa.String(length=200), nullable=False),
        sa.Column("user_id", _BIG_ID, nullable=False),
        sa.Column("author_name", sa.String(length=200), nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), nullable=False),
        sa.Column("listed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_submissions_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("external_id", name=op.f("pk_submissions")),
    )
    op.create_index("ix_submissions_user", "submissions", ["user_id", "submitted_at"])
    op.create_index(
        "ix_submissions_unlisted",
        "submissions",
        ["submitted_at"],
        sqlite_where=_IS_UNLISTED,
        postgresql_where=_IS_UNLISTED,
    )
