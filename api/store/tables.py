"""All tables: SQL is the truth, everything else is rebuilt from here."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from api.sentences import LONGEST_NAME, TEXT_HASH_LENGTH, sentence_text, text_hash

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ONE_MICROSECOND: Final = timedelta(microseconds=1)
LONGEST_EXTERNAL_ID: Final = 200  # characters of a paper's or reader's id

# SQLite numbers rows itself only for INTEGER primary keys.
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time, stored as integer microseconds since 1970: exact, sortable, read by numpy without parsing."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else (value - EPOCH) // ONE_MICROSECOND

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Base(DeclarativeBase):
    """Declarative base with names for every constraint, so that migrations can refer to them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: UtcTime(), dict[str, Any]: sa.JSON(), list[Any]: sa.JSON()}


def _listed_at(context: DefaultExecutionContext) -> datetime:
    row = context.get_current_parameters()  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types
    known: datetime = row.get("daily_at") or row.get("published_at") or row["created_at"]
    return known


def _text_hash(context: DefaultExecutionContext) -> str:
    row = context.get_current_parameters()  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types
    return text_hash(sentence_text(row["title"], row.get("summary") or ""))


class Paper(Base):
    """A paper; `external_id` is its arXiv id without version, or any other string id."""

    __tablename__ = "papers"
    __table_args__ = (
        sa.Index("ix_papers_published", "published_at", "paper_id"),
        sa.Index("ix_papers_daily", "daily_at", "paper_id"),
        sa.Index("ix_papers_listed", "listed_at", "paper_id"),
        # A number is never given twice, also after papers were removed: models and prepared lists refer to it.
        {"sqlite_autoincrement": True},
    )

    paper_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    external_id: Mapped[str] = mapped_column(sa.String(LONGEST_EXTERNAL_ID), unique=True)
    title: Mapped[str] = mapped_column(sa.Text())
    title_key: Mapped[str] = mapped_column(sa.String(64), index=True)  # hash of the normalised title
    id_from_title: Mapped[bool] = mapped_column(default=False)  # the source gave no id; a real one may replace it
    summary: Mapped[str] = mapped_column(sa.Text(), default="")
    authors: Mapped[list[Any]] = mapped_column(default=list)  # names in order
    num_authors: Mapped[int | None]  # where only the count is known
    categories: Mapped[list[Any]] = mapped_column(default=list)  # primary first
    keywords: Mapped[list[Any]] = mapped_column(default=list)
    organization: Mapped[dict[str, Any] | None]  # {"name", "fullname"}
    published_at: Mapped[datetime | None]  # first version
    daily_at: Mapped[datetime | None]  # when it entered a daily list
    submitted_by: Mapped[str | None] = mapped_column(sa.String(200))
    upvotes: Mapped[int] = mapped_column(default=0)  # the source's count
    num_comments: Mapped[int] = mapped_column(default=0)
    project_page: Mapped[str | None] = mapped_column(sa.Text())
    github_repo: Mapped[str | None] = mapped_column(sa.Text())
    github_stars: Mapped[int | None]
    thumbnail: Mapped[str | None] = mapped_column(sa.Text())
    ai_summary: Mapped[str | None] = mapped_column(sa.Text())
    source: Mapped[str] = mapped_column(sa.String(40))
    is_demo: Mapped[bool] = mapped_column(default=False)
    content_hash: Mapped[str] = mapped_column(sa.String(64))  # of all fields above: unchanged rows are not written
    # Of title and summary; None for papers of older versions until vectors are made.
    text_hash: Mapped[str | None] = mapped_column(sa.String(TEXT_HASH_LENGTH), default=_text_hash)
    # Place in "latest": daily_at, else published_at, else created_at; never in the future.
    listed_at: Mapped[datetime] = mapped_column(default=_listed_at)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(index=True)


class PaperCategory(Base):
    """One category of one paper, for lists by category; repeats `listed_at` so that one index answers them."""

    __tablename__ = "paper_categories"
    __table_args__ = (
        sa.Index("ix_paper_categories_paper", "paper_id"),
        sa.Index("ix_paper_categories_listed", "category", "listed_at", "paper_id"),
    )

    category: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    paper_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("papers.paper_id", ondelete="CASCADE"), primary_key=True)
    listed_at: Mapped[datetime]


class PaperVector(Base):
    """What a sentence encoder made of a text: once per text and encoder, whatever papers have that text."""

    __tablename__ = "paper_vectors"

    encoder: Mapped[str] = mapped_column(sa.String(LONGEST_NAME), primary_key=True)
    text_hash: Mapped[str] = mapped_column(sa.String(TEXT_HASH_LENGTH), primary_key=True)
    dim: Mapped[int]
    vector: Mapped[bytes] = mapped_column(sa.LargeBinary())  # dim little-endian float16, of length 1 or all zero


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


class Event(Base):
    """One fact in the append-only log."""

    __tablename__ = "events"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "event_id"),
        sa.Index("ix_events_user_time", "user_id", "occurred_at", "event_pk"),
        sa.Index("ix_events_received", "received_at"),
        sa.Index("ix_events_acts", "user_id", "event_pk", sqlite_where=IS_ACT, postgresql_where=IS_ACT),
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
