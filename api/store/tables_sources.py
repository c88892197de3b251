"""Tables of the places that papers come from: how far each was read, and when its hosts may be asked again."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Base

LONGEST_SOURCE: Final = 40  # characters of a source's name, as in `papers.source`
LONGEST_PACE: Final = 80


class Source(Base):
    """One place that is asked on a schedule; its cursor moves in the transaction that stores the papers before it."""

    __tablename__ = "sources"

    name: Mapped[str] = mapped_column(sa.String(LONGEST_SOURCE), primary_key=True)
    cursor: Mapped[dict[str, Any] | None]  # how far it was read, in its own words
    scope: Mapped[str] = mapped_column(sa.Text(), default="")  # what the cursor is about, such as the categories
    seen: Mapped[dict[str, Any]] = mapped_column(default=dict)  # {address: {"etag", "modified"}} of its last answers
    is_paused: Mapped[bool] = mapped_column(default=False)
    requested_at: Mapped[datetime | None]  # somebody wants it from then on, paused or not; until a run has ended
    due_at: Mapped[datetime]
    lease_owner: Mapped[str | None] = mapped_column(sa.String(100))
    lease_until: Mapped[datetime | None]
    fencing_token: Mapped[int] = mapped_column(default=0)  # grows with each owner; a former owner's writes do not match
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]  # the last run
    success_at: Mapped[datetime | None]  # the end of the last run that read all there was
    failing_since: Mapped[datetime | None]  # null: the last run did not fail
    failures: Mapped[int] = mapped_column(default=0)  # in a row
    failure: Mapped[str | None] = mapped_column(sa.Text())  # why the last one failed
    problem: Mapped[str | None] = mapped_column(sa.Text())  # what was odd in the last run, though it went on
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)  # of the last run, requests included
    papers: Mapped[int] = mapped_column(sa.BigInteger(), default=0)  # inserted or changed by it in all its runs


class SourcePace(Base):
    """When somebody's machines may be asked again, for all processes that ask them; held while a request runs."""

    __tablename__ = "source_paces"

    pace: Mapped[str] = mapped_column(sa.String(LONGEST_PACE), primary_key=True)
    free_at: Mapped[datetime]
    holder: Mapped[int] = mapped_column(sa.BigInteger(), default=0)  # grows with each request
