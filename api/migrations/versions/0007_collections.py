"""Collections: saved lists beside the library."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IS_LIBRARY = sa.text("is_library")
_IS_PUBLIC = sa.text("NOT is_private")


def upgrade() -> None:
    """Add two empty tables."""
    op.create_table(
        "collections",
        sa.Column("collection_id", _BIG_ID, nullable=False),
        sa.Column("user_id", _BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(length=24), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("title_key", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("is_library", sa.Boolean(), nullable=False),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("theme", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_collections_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", name=op.f("pk_collections")),
        sa.UniqueConstraint("public_id", name=op.f("uq_collections_public_id")),
        sa.UniqueConstraint("user_id", "title_key", name=op.f("uq_collections_user_id_title_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_collections_library",
        "collections",
        ["user_id"],
        unique=True,
        sqlite_where=_IS_LIBRARY,
        postgresql_where=_IS_LIBRARY,
    )
    op.create_index(
        "ix_collections_public", "collections", ["updated_at"], sqlite_where=_IS_PUBLIC, postgresql_where=_IS_PUBLIC
    )
    op.create_table(
        "collection_items",
        sa.Column("collection_id", _BIG_ID, nullable=False),
        sa.Column("paper_id", _BIG_ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.collection_id"],
            name=op.f("fk_collection_items_collection_id_collections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["paper_id"], ["papers.paper_id"], name=op.f("fk_collection_items_paper_id_papers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "paper_id", name=op.f("pk_collection_items")),
    )
    op.create_index("ix_collection_items_paper_id", "collection_items", ["paper_id"])


def downgrade() -> None:
    """Drop them; the library itself is untouched."""
    op.drop_table("collection_items")
    op.drop_table("collections")
