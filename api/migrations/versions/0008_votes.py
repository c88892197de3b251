"""Votes of readers by paper, and daily papers by who submitted them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_IS_VOTE = sa.text("kind IN (4, 5)")
_HAS_SUBMITTER = sa.text("submitted_by IS NOT NULL")


def upgrade() -> None:
    """Add two partial indexes."""
    op.create_index(
        "ix_events_votes",
        "events",
        ["paper_id", "user_id", "occurred_at", "event_pk", "kind"],
        sqlite_where=_IS_VOTE,
        postgresql_where=_IS_VOTE,
    )
    op.create_index(
        "ix_papers_submitter",
        "papers",
        ["submitted_by", "daily_at"],
        sqlite_where=_HAS_SUBMITTER,
        postgresql_where=_HAS_SUBMITTER,
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_papers_submitter", "papers")
    op.drop_index("ix_events_votes", "events")
