"""Tables of accounts: who signs in and how, where they are signed in, who was erased, and what is audited."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables_base import Base, BigId

ACCOUNT_PREFIX: Final = "account:"  # of the external ids of readers who signed in; what follows is random
LONGEST_MAIL: Final = 254  # characters of an address that mail servers accept
LONGEST_DISPLAY_NAME: Final = 80
HASH_LENGTH: Final = 64  # hexadecimal digits of SHA-256


class Account(Base):
    """A reader who can sign in; the reader's own row holds everything they did."""

    __tablename__ = "accounts"
    __table_args__ = ({"sqlite_autoincrement": True},)

    account_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"), unique=True)
    mail: Mapped[str] = mapped_column(sa.String(LONGEST_MAIL), unique=True)  # normalised; confirmed by a link or issuer
    display_name: Mapped[str] = mapped_column(sa.String(LONGEST_DISPLAY_NAME))
    created_at: Mapped[datetime]


class Identity(Base):
    """What an OpenID issuer calls the owner of an account; it stays the same when they change their mail there."""

    __tablename__ = "identities"

    issuer: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    subject: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    account_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("accounts.account_id", ondelete="CASCADE"), index=True)
    linked_at: Mapped[datetime]


class SiteSession(Base):
    """A browser that is signed in; only the hash of the secret in its cookie is kept."""

    __tablename__ = "sessions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    session_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    secret_hash: Mapped[str] = mapped_column(sa.String(HASH_LENGTH), unique=True)
    account_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("accounts.account_id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]  # to within a day
    expires_at: Mapped[datetime] = mapped_column(index=True)  # moves on with use, up to an end that does not
    method: Mapped[str] = mapped_column(sa.String(10))  # mail or oidc
    device: Mapped[str] = mapped_column(sa.String(80))  # such as "Firefox on Linux"


class SignInLink(Base):
    """A link that was asked for; only the hash of its secret is kept, and the row itself for a day."""

    __tablename__ = "sign_in_links"
    __table_args__ = (
        sa.Index("ix_sign_in_links_mail", "mail", "asked_at"),
        sa.Index("ix_sign_in_links_client", "client", "asked_at"),
        sa.Index("ix_sign_in_links_asked", "asked_at"),
    )

    secret_hash: Mapped[str] = mapped_column(sa.String(HASH_LENGTH), primary_key=True)
    mail: Mapped[str] = mapped_column(sa.String(LONGEST_MAIL))
    client: Mapped[str] = mapped_column(sa.String(64))  # address of the browser that asked
    next_path: Mapped[str] = mapped_column(sa.Text())
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Erasure(Base):
    """A reader who was erased: their number, so that what lies outside the database follows, and no identity."""

    __tablename__ = "erasures"
    __table_args__ = (
        sa.Index(
            "ix_erasures_open",
            "erased_at",
            sqlite_where=sa.text("swept_at IS NULL"),
            postgresql_where=sa.text("swept_at IS NULL"),
        ),
    )

    user_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)  # given to nobody else
    # Hash of the random name of an anonymous reader or account: what is still on its way for them is refused.
    name_hash: Mapped[str | None] = mapped_column(sa.String(HASH_LENGTH), unique=True)
    erased_at: Mapped[datetime]
    swept_at: Mapped[datetime | None]  # when caches were looked at once more


class AuditLine(Base):
    """Something that was done to readers, without saying to whom."""

    __tablename__ = "audit_log"
    __table_args__ = (sa.Index("ix_audit_log_at", "at"), {"sqlite_autoincrement": True})

    audit_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(sa.String(40))
    by: Mapped[str] = mapped_column(sa.String(20))  # reader, operator or command
    facts: Mapped[dict[str, Any]]  # counts, never names
