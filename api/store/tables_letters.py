"""Tables of rejected events, and of anonymous readers whose history became an account's."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import LONGEST_EXTERNAL_ID, Base, BigId

ANONYMOUS_PREFIX: Final = "anon:"  # of the external ids of readers who are known by their cookie alone
FINGERPRINT_BYTES: Final = 16


class DeadLetter(Base):
    """An event that was rejected, as it was received; the same one again only counts up."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        sa.Index("ix_dead_letters_code", "code", "letter_id"),
        sa.Index("ix_dead_letters_last", "last_at"),
        {"sqlite_autoincrement": True},  # the newest number is a high-water mark: the oldest letters go by number
    )

    letter_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(), unique=True)  # of reader, event id, code and body
    external_user: Mapped[str | None] = mapped_column(sa.String(LONGEST_EXTERNAL_ID))
    # No foreign key: a letter of a removed reader is still readable. Set where a slate alone said who it was.
    user_id: Mapped[int | None] = mapped_column(sa.BigInteger())
    event_id: Mapped[str | None] = mapped_column(sa.String(64))
    code: Mapped[str] = mapped_column(sa.String(20))
    reason: Mapped[str] = mapped_column(sa.Text())
    body: Mapped[bytes] = mapped_column(sa.LargeBinary())  # JSON of the event as received, cut at a limit
    batch_slate: Mapped[str | None] = mapped_column(sa.Text())  # of the batch it came in
    sent_at_raw: Mapped[str | None] = mapped_column(sa.String(64))
    times: Mapped[int] = mapped_column(default=1)
    received_at: Mapped[datetime]  # for the first time
    last_at: Mapped[datetime]
    replayed_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(sa.String(10))  # accepted or duplicate; null: still rejected


class Merge(Base):
    """An anonymous reader who signed in: their events belong to an account from then on."""

    __tablename__ = "merges"

    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    into_user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"), index=True)
    merged_at: Mapped[datetime]
    events: Mapped[int] = mapped_column(sa.BigInteger(), default=0)  # moved so far
