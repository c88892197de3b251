"""Wanted papers by what they are known by: a paper that comes finds those who want it."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_COLUMNS = ("external_id", "doi", "title_key")


def upgrade() -> None:
    """Add an index for each."""
    for column in _COLUMNS:
        op.create_index(op.f(f"ix_wanted_papers_{column}"), "wanted_papers", [column])


def downgrade() -> None:
    """Drop them."""
    for column in _COLUMNS:
        op.drop_index(op.f(f"ix_wanted_papers_{column}"), "wanted_papers")
