"""Items of a collection in their order, and libraries that say themselves when they changed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_CHANGED = "(SELECT max(changed_at) FROM library WHERE library.user_id = collections.user_id)"


def upgrade() -> None:
    """Add an index, and bring the rows of libraries up to the saves in them."""
    op.create_index("ix_collection_items_order", "collection_items", ["collection_id", "position", "paper_id"])
    update = f"UPDATE collections SET updated_at = {_CHANGED} WHERE is_library AND {_CHANGED} > updated_at"  # noqa: S608 - our own names
    op.execute(sa.text(update))


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_collection_items_order", "collection_items")
