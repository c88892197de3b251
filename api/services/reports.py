"""Runs and versions as operators read them, over HTTP and in the terminal."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from api.errors import InvalidCursor
from api.schemas.admin import ModelOut, RunOut, ServingOut
from api.services import training, versions
from api.services.cursors import Place
from api.services.versions import ModelRow
from api.store.registry import ServingRow
from api.store.tables import TrainingRun

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items and where the next ones begin."""

    items: list[Item]
    next_place: Place | None


def describe_run(run: TrainingRun) -> RunOut:
    """Return a run as JSON shows it."""
    values: dict[str, Any] = {
        "id": run.run_id,
        "state": run.state,
        "stage": run.stage,
        "progress": run.progress,
        "trigger": run.trigger,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "attempts": run.attempts,
        "cancel_requested": run.cancel_requested,
        "version": run.version,
        "figures": run.figures,
        "reason": run.reason,
        "note": (run.figures or {}).get("note"),
    }
    return RunOut.model_validate(values)


def describe_model(row: ModelRow) -> ModelOut:
    """Return a version as JSON shows it."""
    model = row.model
    return ModelOut(
        version=model.version,
        run_id=model.run_id,
        created_at=model.created_at,
        promoted_at=model.promoted_at,
        deleted_at=model.deleted_at,
        is_serving=row.is_serving,
        is_previous=row.is_previous,
        config=model.config,
        figures=model.figures,
        note=model.note,
        fingerprint=model.fingerprint,
    )


def describe_serving(serving: ServingRow) -> ServingOut:
    """Return which version answers as JSON shows it."""
    return ServingOut(version=serving.version, previous=serving.previous, switched_at=serving.switched_at)


def read_runs_page(session: Session, *, limit: int, place: Place | None) -> Page[RunOut]:
    """Return runs, newest first, after a place."""
    before = _number(place)
    runs = training.read_runs(session, limit=limit + 1, before_run_id=before)
    items = [describe_run(run) for run in runs[:limit]]
    return Page(items, [items[-1].id] if len(runs) > limit else None)


def read_models_page(session: Session, *, limit: int, place: Place | None) -> Page[ModelOut]:
    """Return versions, newest first, after a place."""
    models = versions.read_models(session, limit=limit + 1, after=_number(place) or 0)
    items = [describe_model(row) for row in models[:limit]]
    return Page(items, [(_number(place) or 0) + limit] if len(models) > limit else None)


def _number(place: Place | None) -> int | None:
    if place is None:
        return None
    if len(place) != 1 or not isinstance(place[0], int):
        raise InvalidCursor("this cursor does not belong to this list: start again without one", field="cursor")
    return place[0]
