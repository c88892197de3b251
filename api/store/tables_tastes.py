"""Tables: What readers mute and forget."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Base, BigId


class ReaderTaste(Base):
    """What a reader decided about their lists; there is a row only of those who decided anything."""

    __tablename__ = "reader_tastes"

    user_id: Mapped[int] = mapped_column(
        BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    muted: Mapped[dict[str, Any]] = mapped_column(default=dict)  # {"terms": [], "authors": [], "categories": []}
    is_personal: Mapped[bool] = mapped_column(default=True)  # False: what everybody gets
    # Events that teach nothing, as [first, last] numbers in the log, ascending; a last one of null: until now.
    silent: Mapped[list[Any]] = mapped_column(default=list)
    reset_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
