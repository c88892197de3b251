"""Tables of mails to be sent, of who wants a digest and when, and of what was in the digests before."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Base, BigId

LONGEST_KEY: Final = 200  # characters that name the one occasion of a mail
LONGEST_ADDRESS: Final = 254  # RFC 5321 with its erratum 1690
LONGEST_ZONE: Final = 64

QUEUED: Final = "queued"
HANDING_OVER: Final = "handing_over"  # the mail server has all but the last line: what became of it may stay unknown
SENT: Final = "sent"
FAILED: Final = "failed"
UNKNOWN: Final = "unknown"  # handed over, and no answer was heard: never sent again

DIGEST: Final = "digest"  # the kind of mail that is an issue: for all others somebody waits

IS_WAITING: Final = sa.text("state IN ('queued', 'handing_over')")
IS_URGENT: Final = sa.text("state IN ('queued', 'handing_over') AND kind <> 'digest'")
IS_FOR_NOBODY: Final = sa.text("user_id IS NULL")
HAS_BOUNCED: Final = sa.text("stop_reason = 'bounced'")


class QueuedMail(Base):
    """One mail, from the moment somebody wants it; its key lets there be one, whatever is repeated."""

    __tablename__ = "mails"
    __table_args__ = (
        sa.Index("ix_mails_waiting", "due_at", "mail_id", sqlite_where=IS_WAITING, postgresql_where=IS_WAITING),
        sa.Index("ix_mails_urgent", "due_at", "mail_id", sqlite_where=IS_URGENT, postgresql_where=IS_URGENT),
        sa.Index("ix_mails_recipient", "recipient"),
        sa.Index("ix_mails_user", "user_id"),
        sa.Index("ix_mails_digest", "digest_id"),
        {"sqlite_autoincrement": True},
    )

    mail_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(LONGEST_KEY), unique=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    user_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"))
    digest_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("digests.digest_id", ondelete="CASCADE"))
    recipient: Mapped[str] = mapped_column(sa.String(LONGEST_ADDRESS))
    subject: Mapped[str] = mapped_column(sa.Text())
    text: Mapped[str] = mapped_column(sa.Text())  # emptied, as the next ones are, once nobody needs it: links are keys
    html: Mapped[str] = mapped_column(sa.Text())
    headers: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(sa.String(20))
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]  # of the next attempt
    useful_until: Mapped[datetime | None]  # later nobody wants it any more
    attempts: Mapped[int]
    lease_owner: Mapped[str | None] = mapped_column(sa.String(100))
    lease_until: Mapped[datetime | None]
    fencing_token: Mapped[int]  # grows with each owner; a former owner's writes do not match
    finished_at: Mapped[datetime | None]
    code: Mapped[int | None]  # the mail server's last answer
    failure: Mapped[str | None] = mapped_column(sa.Text())  # why the last attempt failed


class Digest(Base):
    """Who wants papers by mail and when: a reader their own list, an address without reader what is trending."""

    __tablename__ = "digests"
    __table_args__ = (
        sa.UniqueConstraint("user_id"),
        sa.Index(
            "ix_digests_recipient",
            "recipient",
            unique=True,
            sqlite_where=IS_FOR_NOBODY,
            postgresql_where=IS_FOR_NOBODY,
        ),
        sa.Index("ix_digests_due", "due_at"),
        sa.Index("ix_digests_bounced", "user_id", sqlite_where=HAS_BOUNCED, postgresql_where=HAS_BOUNCED),
        {"sqlite_autoincrement": True},
    )

    digest_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"))
    recipient: Mapped[str] = mapped_column(sa.String(LONGEST_ADDRESS))
    secret: Mapped[str] = mapped_column(sa.String(32))  # of the link that ends it: works as long as the row is there
    cadence: Mapped[str] = mapped_column(sa.String(10))  # daily weekly
    weekday: Mapped[int] = mapped_column(sa.SmallInteger())  # 0 is Monday
    hour: Mapped[int] = mapped_column(sa.SmallInteger())  # of the reader's clock
    zone: Mapped[str] = mapped_column(sa.String(LONGEST_ZONE))  # IANA name
    created_at: Mapped[datetime]
    confirm_hash: Mapped[str | None] = mapped_column(sa.String(64))  # of the secret in the mail that asks
    confirm_until: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]  # null: nobody has said that the address is theirs
    due_at: Mapped[datetime | None]  # null: nothing is to be sent
    last_period: Mapped[str | None] = mapped_column(sa.String(10))  # local day of the last occasion that was dealt with
    bounces: Mapped[int]  # permanent refusals in a row
    stopped_at: Mapped[datetime | None]
    stop_reason: Mapped[str | None] = mapped_column(sa.String(20))  # reader bounced


class MailedPaper(Base):
    """A paper that was in a digest: not sent again."""

    __tablename__ = "mailed_papers"
    __table_args__ = (sa.Index("ix_mailed_papers_mail", "mail_id"),)

    digest_id: Mapped[int] = mapped_column(
        BigId, sa.ForeignKey("digests.digest_id", ondelete="CASCADE"), primary_key=True
    )
    paper_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("papers.paper_id"), primary_key=True)
    mail_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("mails.mail_id", ondelete="SET NULL"))
    mailed_at: Mapped[datetime]
