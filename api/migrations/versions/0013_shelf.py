"""Tags of saved papers, papers that are wanted, and imports."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IS_WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    """Add four empty tables."""
    op.create_table(
        "library_tags",
        sa.Column("user_id", _BIG_ID, nullable=False),
        sa.Column("tag_key", sa.String(length=60), nullable=False),
        sa.Column("paper_id", _BIG_ID, nullable=False),
        sa.Column("tag", sa.String(length=60), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_library_tags_user_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["paper_id"], ["papers.paper_id"], name=op.f("fk_library_tags_paper_id_papers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "tag_key", "paper_id", name=op.f("pk_library_tags")),
    )
    op.create_index("ix_library_tags_paper", "library_tags", ["paper_id", "user_id"])
    op.create_table(
        "wanted_papers",
        sa.Column("want_id", _BIG_ID, nullable=False),
        sa.Column("user_id", _BIG_ID, nullable=False),
        sa.Column("want_key", sa.String(length=210), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("doi", sa.String(length=200), nullable=True),
        sa.Column("title_key", sa.String(length=64), nullable=True),
        sa.Column("reference", sa.JSON(), nullable=False),
        sa.Column("wanted_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_wanted_papers_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("want_id", name=op.f("pk_wanted_papers")),
        sa.UniqueConstraint("user_id", "want_key", name=op.f("uq_wanted_papers_user_id_want_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_wanted_papers_wanted_at"), "wanted_papers", ["wanted_at"])
    op.create_table(
        "paper_fetches",
        sa.Column("external_id", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("wanted_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("external_id", name=op.f("pk_paper_fetches")),
    )
    op.create_index(
        "ix_paper_fetches_due", "paper_fetches", ["due_at"], sqlite_where=_IS_WAITING, postgresql_where=_IS_WAITING
    )
    op.create_table(
        "library_imports",
        sa.Column("import_id", _BIG_ID, nullable=False),
        sa.Column("user_id", _BIG_ID, nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("secret", sa.String(length=100), nullable=True),
        sa.Column("group_id", _BIG_ID, nullable=True),
        sa.Column("outcomes", sa.JSON(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_library_imports_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_library_imports")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_library_imports_user", "library_imports", ["user_id", "import_id"])
    op.create_index(
        "ix_library_imports_due", "library_imports", ["due_at"], sqlite_where=_IS_WAITING, postgresql_where=_IS_WAITING
    )


def downgrade() -> None:
    """Drop them; what was saved stays."""
    op.drop_table("library_imports")
    op.drop_table("paper_fetches")
    op.drop_table("wanted_papers")
    op.drop_table("library_tags")
