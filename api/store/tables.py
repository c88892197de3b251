"""All tables: SQL is the truth, everything else is rebuilt from here."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables_base import EPOCH, LONGEST_EXTERNAL_ID, ONE_MICROSECOND, Base, BigId, UtcTime
from api.store.tables_papers import IS_LISTED, IS_UNLISTED, Paper, PaperCategory, PaperVector

__all__ = [
    "EPOCH",
    "IS_ACT",
    "IS_LISTED",
    "IS_UNLISTED",
    "IS_VOTE",
    "LONGEST_EXTERNAL_ID",
    "ONE_MICROSECOND",
    "Base",
    "BigId",
    "Event",
    "LibraryItem",
    "ModelVersion",
    "Paper",
    "PaperCategory",
    "PaperVector",
    "ServiceState",
    "Serving",
    "Token",
    "TrainingRun",
    "User",
    "UtcTime",
    "WarmChunk",
]


class User(Base):
    """A reader, known by an id that the caller chose."""

    __tablename__ = "users"
    __table_args__ = (
        sa.Index("ix_users_active", "last_active_at"),
        # The sweep's question: whose list is older than their last event?
        sa.Index(
            "ix_users_stale",
            "user_id",
            sqlite_where=sa.text("list_seq < last_seq"),
            postgresql_where=sa.text("list_seq < last_seq"),
        ),
        {"sqlite_autoincrement": True},  # as for papers: a prepared list belongs to one reader for ever
    )

    user_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    external_id: Mapped[str] = mapped_column(sa.String(LONGEST_EXTERNAL_ID), unique=True)
    created_at: Mapped[datetime]
    last_active_at: Mapped[datetime | None]  # last event through the API or setting
    last_seq: Mapped[int] = mapped_column(sa.BigInteger(), default=0)  # counts every change that a list must follow
    list_seq: Mapped[int] = mapped_column(sa.BigInteger(), default=0)  # the change that the prepared list includes
    interests: Mapped[dict[str, Any] | None]  # {"categories": [], "terms": [], "papers": [external ids]}
    is_demo: Mapped[bool] = mapped_column(default=False)


class Token(Base):
    """A credential; only the hash of its secret is kept."""

    __tablename__ = "tokens"

    token_id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)  # public part of the token text
    secret_hash: Mapped[str] = mapped_column(sa.String(64))
    label: Mapped[str] = mapped_column(sa.String(200), default="")
    user_id: Mapped[int | None] = mapped_column(
        BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE")
    )  # null: a service token
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


IS_ACT: Final = sa.text("kind <> 0")  # what a reader did, without what they were only shown: lists are built from it

IS_VOTE: Final = sa.text("kind IN (4, 5)")  # an upvote or one taken back


class Event(Base):
    """One fact in the append-only log."""

    __tablename__ = "events"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "event_id"),
        sa.Index("ix_events_user_time", "user_id", "occurred_at", "event_pk"),
        sa.Index("ix_events_received", "received_at"),
        sa.Index("ix_events_acts", "user_id", "event_pk", sqlite_where=IS_ACT, postgresql_where=IS_ACT),
        sa.Index(
            "ix_events_votes",
            *("paper_id", "user_id", "occurred_at", "event_pk", "kind"),
            sqlite_where=IS_VOTE,
            postgresql_where=IS_VOTE,
        ),
        {"sqlite_autoincrement": True},  # the newest number is a high-water mark
    )

    event_pk: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(sa.String(64))
    kind: Mapped[int] = mapped_column(sa.SmallInteger())  # recommender.domain.EventKind
    paper_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("papers.paper_id"))
    occurred_at: Mapped[datetime | None]  # null: imported without a time
    received_at: Mapped[datetime]
    raw_occurred_at: Mapped[datetime | None]  # as the client's clock said it; null: imported, or of older versions
    raw_sent_at: Mapped[datetime | None]  # the same clock when the batch was sent
    position: Mapped[int | None]  # as the client said it
    value: Mapped[float | None]
    slate_id: Mapped[str | None] = mapped_column(sa.String(16))  # what the page's slate said; null: came without one
    slate_position: Mapped[int | None]
    slate_source: Mapped[int | None] = mapped_column(sa.SmallInteger())  # feed_codec.Source
    propensity: Mapped[float | None]  # null too where an older slate did not say it
    slate_version: Mapped[str | None] = mapped_column(sa.String(40))
    slate_variant: Mapped[str | None] = mapped_column(sa.String(16))
    payload_hash: Mapped[str] = mapped_column(sa.String(32))  # tells a replay from another event under the same id
    is_import: Mapped[bool] = mapped_column(default=False)


class LibraryItem(Base):
    """A reader's latest word on saving one paper: a projection of the log, written in its transaction."""

    __tablename__ = "library"
    __table_args__ = (sa.Index("ix_library_saved", "user_id", "saved_at", "paper_id"),)

    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    paper_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("papers.paper_id"), primary_key=True)
    is_saved: Mapped[bool]
    saved_at: Mapped[datetime | None]  # time of the save in force; null when unsaved or imported without a time
    changed_at: Mapped[datetime | None]  # time of the latest save or unsave: an older event does not undo it
    changed_pk: Mapped[int] = mapped_column(sa.BigInteger(), default=0)  # breaks ties by log order


class TrainingRun(Base):
    """One retrain, from request to verdict; its state lives here and nowhere else."""

    __tablename__ = "training_runs"

    run_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(20))  # queued running succeeded rejected failed cancelled
    stage: Mapped[str | None] = mapped_column(sa.String(20))  # snapshot judge fit warm promote
    progress: Mapped[float] = mapped_column(default=0.0)  # of the stage, 0 to 1
    active: Mapped[int | None] = mapped_column(
        sa.SmallInteger(), unique=True
    )  # 1 while queued or running: at most one row
    trigger: Mapped[str] = mapped_column(sa.String(20))  # services/training.py lists them
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    lease_owner: Mapped[str | None] = mapped_column(sa.String(100))
    lease_until: Mapped[datetime | None]
    fencing_token: Mapped[int] = mapped_column(default=0)  # grows with each owner; a former owner's writes do not match
    attempts: Mapped[int] = mapped_column(default=0)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    last_event_pk: Mapped[int | None] = mapped_column(sa.BigInteger())  # newest event in the snapshot
    version: Mapped[str | None] = mapped_column(sa.String(40))
    figures: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None] = mapped_column(sa.Text())


class WarmChunk(Base):
    """A range of readers whose lists are written before a promotion; any worker may claim it."""

    __tablename__ = "warm_chunks"

    run_id: Mapped[int] = mapped_column(
        BigId, sa.ForeignKey("training_runs.run_id", ondelete="CASCADE"), primary_key=True
    )
    chunk: Mapped[int] = mapped_column(primary_key=True)
    first_user_id: Mapped[int] = mapped_column(sa.BigInteger())
    last_user_id: Mapped[int] = mapped_column(sa.BigInteger())
    claimed_until: Mapped[datetime | None]
    done_at: Mapped[datetime | None]


class ModelVersion(Base):
    """A fitted model on disk."""

    __tablename__ = "model_versions"

    version: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    run_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("training_runs.run_id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    promoted_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]  # when its artifact was removed from disk
    config: Mapped[dict[str, Any]]
    figures: Mapped[dict[str, Any] | None]
    note: Mapped[str | None] = mapped_column(sa.Text())
    fingerprint: Mapped[str] = mapped_column(sa.String(64))  # of the data set it was fitted on


class Serving(Base):
    """The one row that says which version answers: promotion and rollback flip it."""

    __tablename__ = "serving"
    __table_args__ = (sa.CheckConstraint("serving_id = 1", name="one_row"),)

    serving_id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(sa.ForeignKey("model_versions.version"))
    previous: Mapped[str | None] = mapped_column(sa.ForeignKey("model_versions.version"))
    switched_at: Mapped[datetime]


class ServiceState(Base):
    """Small facts about the installation, such as whether its papers are a demonstration."""

    __tablename__ = "service_state"

    key: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    value: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]
