"""Model versions: registered by a run, promoted, rolled back, pruned from disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from api.errors import Conflict, NotFound
from api.services import training
from api.store import registry
from api.store.registry import ServingRow
from api.store.runs import Lease
from api.store.tables import ModelVersion

MANIFEST: Final = "manifest.json"
# A change committed just before a switch may still be on its way into the list of the version that was serving.
SWITCH_MARGIN: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A version and whether it answers now or did before."""

    model: ModelVersion
    is_serving: bool
    is_previous: bool


def read_models(session: Session, *, limit: int, after: int = 0) -> list[ModelRow]:
    """Return versions, newest first, without the `after` newest."""
    serving = registry.read_serving(session)
    models = registry.load_model_versions(session, after=after, limit=limit)
    return [_row(model, serving) for model in models]


def read_model(session: Session, version: str) -> ModelRow:
    """Return one version; raises NotFound."""
    model = registry.load_model_version(session, version)
    if model is None:
        raise NotFound(f"There is no model version {version!r}.", version=version)
    return _row(model, registry.read_serving(session))


def register_model(
    session: Session,
    lease: Lease,
    *,
    version: str,
    config: Mapping[str, Any],
    figures: Mapping[str, Any],
    note: str | None,
    fingerprint: str,
    now: datetime,
) -> None:
    """Record a fitted artifact under the run's lease; raises LeaseLost."""
    training.record_figures(session, lease, figures)
    registry.insert_model_version(
        session,
        version=version,
        run_id=lease.run_id,
        created_at=now,
        config=dict(config),
        figures=dict(figures),
        note=note,
        fingerprint=fingerprint,
    )


def promote_run(
    session: Session,
    lease: Lease,
    *,
    version: str,
    figures: Mapping[str, Any],
    warm_began_at: datetime,
    now: datetime,
) -> None:
    """End the run as succeeded and let its version answer, both or neither.

    Raises LeaseLost for a former owner and CancelRequested for a run cancelled in time. Whoever was active after the
    warm stage began may have a list under this version that lacks the change: the sweep rebuilds it.
    """
    training.finish_run(session, lease, outcome="succeeded", now=now, figures=figures)
    registry.write_serving(session, version=version, now=now)
    registry.expire_lists(session, since=warm_began_at - SWITCH_MARGIN)


def promote(session: Session, version: str, *, models_dir: Path, now: datetime) -> ServingRow:
    """Let `version` answer; raises NotFound, and Conflict when its artifact is gone."""
    model = read_model(session, version).model
    if model.deleted_at is not None or not (models_dir / version / MANIFEST).is_file():
        raise Conflict(f"The artifact of model version {version!r} is no longer on disk: retrain.", version=version)
    before = registry.lock_serving(session)
    if before is not None and before.version == version:
        return before
    is_rollback = before is not None and before.previous == version
    written_until = before.switched_at if before is not None and is_rollback else model.promoted_at or model.created_at
    registry.write_serving(session, version=version, now=now)
    registry.expire_lists(session, since=written_until - SWITCH_MARGIN)
    return ServingRow(version, None if before is None else before.version, now)


def rollback(session: Session, *, models_dir: Path, now: datetime) -> ServingRow:
    """Let the previous version answer again; raises Conflict when there is none."""
    serving = registry.lock_serving(session)
    if serving is None or serving.previous is None:
        raise Conflict("There is no previous model version to go back to.")
    return promote(session, serving.previous, models_dir=models_dir, now=now)


def retire_models(session: Session, *, keep: int, now: datetime) -> list[str]:
    """Mark versions beyond the newest `keep` as deleted and return them; serving and previous always stay."""
    serving = registry.read_serving(session)
    needed = [] if serving is None else [serving.version, *filter(None, [serving.previous])]
    others = [version for version in registry.load_kept_versions(session) if version not in needed]
    retired = others[max(keep - len(needed), 0) :]
    registry.mark_deleted(session, retired, now=now)
    return retired


def read_kept_versions(session: Session) -> Sequence[str]:
    """Return every version whose artifact must stay on disk."""
    return registry.load_kept_versions(session)


def _row(model: ModelVersion, serving: ServingRow | None) -> ModelRow:
    return ModelRow(
        model,
        is_serving=serving is not None and serving.version == model.version,
        is_previous=serving is not None and serving.previous == model.version,
    )
