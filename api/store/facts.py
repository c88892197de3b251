"""What the health checks want to know from the database, in few cheap queries."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.papers import has_papers
from api.store.tables import ModelVersion, Paper, Serving, TrainingRun, User


@dataclass(frozen=True, slots=True)
class Facts:
    """The installation at a glance."""

    has_papers: bool
    newest_paper_at: datetime | None
    serving_version: str | None
    model_created_at: datetime | None
    stale_lists: int
    run_state: str | None  # of the training run in progress


def read_facts(session: Session) -> Facts:
    """Return the facts; every query is answered from an index."""
    served = session.execute(
        sa.select(Serving.version, ModelVersion.created_at).join(ModelVersion, ModelVersion.version == Serving.version)
    ).one_or_none()
    stale = session.scalar(sa.select(sa.func.count()).select_from(User).where(User.list_seq < User.last_seq))
    return Facts(
        has_papers=has_papers(session),
        newest_paper_at=newest_paper_at(session),
        serving_version=served.version if served else None,
        model_created_at=served.created_at if served else None,
        stale_lists=stale or 0,
        run_state=session.scalar(sa.select(TrainingRun.state).where(TrainingRun.active == 1)),
    )


def newest_paper_at(session: Session) -> datetime | None:
    """Return the day of the newest paper, None where none has a day."""
    # Two queries: SQLite answers only a lone max() from an index.
    published = session.scalar(sa.select(sa.func.max(Paper.published_at)))
    daily = session.scalar(sa.select(sa.func.max(Paper.daily_at)))
    return max((time for time in (published, daily) if time is not None), default=None)
