"""Tables: Secret addresses of personal feeds."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Base, BigId


class FeedAddress(Base):
    """A secret address under which one reader's feed can be read; only the hash of its secret is kept."""

    __tablename__ = "feed_addresses"
    __table_args__ = (sa.Index("ix_feed_addresses_user_id", "user_id"),)

    address_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"))
    secret_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    label: Mapped[str] = mapped_column(sa.String(100))  # what the reader calls the program that reads it
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]  # the row stays: whoever still asks is told to stop asking
