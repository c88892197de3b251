"""Votes of readers by paper, and daily papers by who submitted them."""

from alembic import op

from api.migrations.building import PartialIndex, build_indexes

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_VOTES = ("paper_id", "user_id", "occurred_at", "event_pk", "kind")


def upgrade() -> None:
    """Add two partial indexes."""
    build_indexes(
        PartialIndex("ix_events_votes", "events", _VOTES, "kind IN (4, 5)"),
        PartialIndex("ix_papers_submitter", "papers", ("submitted_by", "daily_at"), "submitted_by IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_papers_submitter", "papers")
    op.drop_index("ix_events_votes", "events")
