"""Mails to be sent and digests."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IS_WAITING = sa.text("state IN ('queued', 'handing_over')")
IS_URGENT = sa.text("state IN ('queued', 'handing_over') AND kind <> 'digest'")
IS_FOR_NOBODY = sa.text("user_id IS NULL")
HAS_BOUNCED = sa.text("stop_reason = 'bounced'")


def upgrade() -> None:
    """Add three empty tables."""
    op.create_table(
        "digests",
        sa.Column("digest_id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=True),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("secret", sa.String(length=32), nullable=False),
        sa.Column("cadence", sa.String(length=10), nullable=False),
        sa.Column("weekday", sa.SmallInteger(), nullable=False),
        sa.Column("hour", sa.SmallInteger(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("confirm_hash", sa.String(length=64), nullable=True),
        sa.Column("confirm_until", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("last_period", sa.String(length=10), nullable=True),
        sa.Column("bounces", sa.Integer(), nullable=False),
        sa.Column("stopped_at", sa.BigInteger(), nullable=True),
        sa.Column("stop_reason", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_digests_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest_id", name=op.f("pk_digests")),
        sa.UniqueConstraint("user_id", name=op.f("uq_digests_user_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_digests_recipient",
        "digests",
        ["recipient"],
        unique=True,
        sqlite_where=IS_FOR_NOBODY,
        postgresql_where=IS_FOR_NOBODY,
    )
    op.create_index("ix_digests_due", "digests", ["due_at"])
    op.create_index(
        "ix_digests_bounced", "digests", ["user_id"], sqlite_where=HAS_BOUNCED, postgresql_where=HAS_BOUNCED
    )
    _create_mails()
    op.create_table(
        "mailed_papers",
        sa.Column("digest_id", BIG_ID, nullable=False),
        sa.Column("paper_id", BIG_ID, nullable=False),
        sa.Column("mail_id", BIG_ID, nullable=True),
        sa.Column("mailed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest_id"], ["digests.digest_id"], name=op.f("fk_mailed_papers_digest_id_digests"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.paper_id"], name=op.f("fk_mailed_papers_paper_id_papers")),
        sa.ForeignKeyConstraint(
            ["mail_id"], ["mails.mail_id"], name=op.f("fk_mailed_papers_mail_id_mails"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("digest_id", "paper_id", name=op.f("pk_mailed_papers")),
    )
    op.create_index("ix_mailed_papers_mail", "mailed_papers", ["mail_id"])


def _create_mails() -> None:
    op.create_table(
        "mails",
        sa.Column("mail_id", BIG_ID, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("user_id", BIG_ID, nullable=True),
        sa.Column("digest_id", BIG_ID, nullable=True),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("useful_until", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(length=100), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("fencing_token", sa.Integer(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_mails_user_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["digest_id"], ["digests.digest_id"], name=op.f("fk_mails_digest_id_digests"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mail_id", name=op.f("pk_mails")),
        sa.UniqueConstraint("key", name=op.f("uq_mails_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_mails_waiting", "mails", ["due_at", "mail_id"], sqlite_where=IS_WAITING, postgresql_where=IS_WAITING
    )
    op.create_index(
        "ix_mails_urgent", "mails", ["due_at", "mail_id"], sqlite_where=IS_URGENT, postgresql_where=IS_URGENT
    )
    op.create_index("ix_mails_recipient", "mails", ["recipient"])
    op.create_index("ix_mails_user", "mails", ["user_id"])
    op.create_index("ix_mails_digest", "mails", ["digest_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("mailed_papers")
    op.drop_table("mails")
    op.drop_table("digests")
