"""Model versions in SQL and the one row that says which of them answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import ModelVersion, Serving, User

ONE_ROW: Final = 1
_NO_SYNC: Final = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class ServingRow:
    """Which version answers and which did before."""

    version: str
    previous: str | None
    switched_at: datetime


def read_serving(session: Session) -> ServingRow | None:
    """Return the version that answers, None before the first promotion."""
    row = session.execute(sa.select(Serving.version, Serving.previous, Serving.switched_at)).one_or_none()
    return None if row is None else ServingRow(row.version, row.previous, row.switched_at)


def read_encoder(session: Session, version: str) -> str:
    """Return the sentence encoder whose vectors a version was fitted with, empty for words alone."""
    config = session.scalar(sa.select(ModelVersion.config).where(ModelVersion.version == version)) or {}
    return str(config.get("encoder", ""))


def lock_serving(session: Session) -> ServingRow | None:
    """Return the serving row and keep other promotions out until the transaction ends."""
    query = sa.select(Serving.version, Serving.previous, Serving.switched_at).with_for_update()
    row = session.execute(query).one_or_none()
    return None if row is None else ServingRow(row.version, row.previous, row.switched_at)


def write_serving(session: Session, *, version: str, now: datetime) -> None:
    """Let `version` answer from the commit on; the one that did becomes `previous`."""
    serving = lock_serving(session)
    if serving is None:
        session.execute(sa.insert(Serving).values(serving_id=ONE_ROW, version=version, previous=None, switched_at=now))
    elif serving.version != version:
        values = {"version": version, "previous": serving.version, "switched_at": now}
        session.execute(sa.update(Serving).values(**values).execution_options(**_NO_SYNC))
    session.execute(
        sa.update(ModelVersion)
        .where(ModelVersion.version == version)
        .values(promoted_at=now)
        .execution_options(**_NO_SYNC)
    )


def load_model_version(session: Session, version: str) -> ModelVersion | None:
    """Return one version as the database has it now."""
    return session.get(ModelVersion, version, populate_existing=True)


def load_model_versions(session: Session, *, after: int = 0, limit: int) -> Sequence[ModelVersion]:
    """Return versions, newest first, without the `after` newest."""
    newest_first = (ModelVersion.created_at.desc(), ModelVersion.version.desc())
    query = sa.select(ModelVersion).order_by(*newest_first).offset(after).limit(limit)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def load_kept_versions(session: Session) -> list[str]:
    """Return every version whose artifact should be on disk, newest first."""
    query = sa.select(ModelVersion.version).where(ModelVersion.deleted_at.is_(None))
    return list(session.scalars(query.order_by(ModelVersion.created_at.desc(), ModelVersion.version.desc())))


def insert_model_version(
    session: Session,
    *,
    version: str,
    run_id: int,
    created_at: datetime,
    config: dict[str, Any],
    figures: dict[str, Any],
    note: str | None,
    fingerprint: str,
) -> None:
    """Register a fitted model; a resumed run registers the same one again, which changes nothing."""
    if load_model_version(session, version) is not None:
        return
    row = ModelVersion(
        version=version,
        run_id=run_id,
        created_at=created_at,
        promoted_at=None,
        deleted_at=None,
        config=config,
        figures=figures,
        note=note,
        fingerprint=fingerprint,
    )
    session.add(row)
    session.flush()


def mark_deleted(session: Session, versions: Sequence[str], *, now: datetime) -> None:
    """Record that the artifacts of these versions are gone."""
    statement = sa.update(ModelVersion).where(ModelVersion.version.in_(versions)).values(deleted_at=now)
    session.execute(statement.execution_options(**_NO_SYNC))


def expire_lists(session: Session, *, since: datetime) -> None:
    """Make the sweep rebuild the lists of readers who were active since then.

    `list_seq` says which change the list of the version that *was* serving includes. After a switch it must speak of
    the other version's list, which was written before `since`: whoever changed later has a list there that lacks it.
    """
    statement = sa.update(User).where(User.last_active_at >= since, User.last_seq > 0).values(list_seq=-1)
    session.execute(statement.execution_options(**_NO_SYNC))
