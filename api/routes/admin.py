"""For operators: training runs and model versions, with an admin token."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path

from api import queue
from api.errors import Conflict
from api.routes.deps import RuntimeDep, require_scope
from api.routes.problems import answers
from api.schemas.admin import (
    CANCELLED_EXAMPLE,
    MODEL_EXAMPLE,
    QUEUED_EXAMPLE,
    RUN_EXAMPLE,
    SERVING_EXAMPLE,
    ModelOut,
    ModelsOut,
    RunOut,
    RunsOut,
    ServingOut,
)
from api.schemas.common import Cursor, Limit
from api.services import reports, training, versions
from api.services.cursors import decode_cursor, encode_cursor

RUNS: Final = "training-runs"  # names the list to which a cursor belongs
MODELS: Final = "models"

RunId = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the run.", examples=[7])]
Version = Annotated[str, Path(max_length=40, description="Name of the version.", examples=["20260301-030000-r7"])]

_CANCELLED: Final = answers(CANCELLED_EXAMPLE, 401, 403, 404, 409, 422, status=202)

router = APIRouter(
    prefix="/v1/admin",
    tags=["admin"],
    dependencies=[Depends(require_scope("admin"))],
)


@router.post(
    "/training-runs",
    status_code=202,
    summary="Start a retrain",
    responses=answers(QUEUED_EXAMPLE, 401, 403, 409, 503, status=202),
)
def create_training_run(runtime: RuntimeDep) -> RunOut:
    """Queue a retrain and answer at once; 409 with its `run_id` while one is in progress."""
    with runtime.db.write() as session:
        run, is_new = training.request_run(session, trigger="admin", now=datetime.now(UTC))
        answer = reports.describe_run(run)
    if not is_new:
        raise Conflict(f"Training run {answer.id} is in progress.", run_id=answer.id, state=answer.state)
    queue.send(queue.RUN_TRAINING, answer.id)
    return answer


@router.get(
    "/training-runs", summary="List retrains", responses=answers({"items": [RUN_EXAMPLE], "next": None}, 401, 403, 422)
)
def list_training_runs(runtime: RuntimeDep, limit: Limit = 20, cursor: Cursor = None) -> RunsOut:
    """Answer runs, newest first."""
    place = None if cursor is None else decode_cursor(runtime.keys, RUNS, cursor)
    with runtime.db.read() as session:
        page = reports.read_runs_page(session, limit=limit, place=place)
    following = None if page.next_place is None else encode_cursor(runtime.keys, RUNS, page.next_place)
    return RunsOut(items=page.items, next=following)


@router.get("/training-runs/{run_id}", summary="Read one retrain", responses=answers(RUN_EXAMPLE, 401, 403, 404, 422))
def read_training_run(run_id: RunId, runtime: RuntimeDep) -> RunOut:
    """Answer a run: its state, how far it is, its figures, and the reason when it did not succeed."""
    with runtime.db.read() as session:
        return reports.describe_run(training.read_run(session, run_id))


@router.post("/training-runs/{run_id}/cancel", status_code=202, summary="Cancel a retrain", responses=_CANCELLED)
def cancel_training_run(run_id: RunId, runtime: RuntimeDep) -> RunOut:
    """Cancel a queued run at once; a running one stops within seconds, nothing of it is promoted."""
    with runtime.db.write() as session:
        return reports.describe_run(training.cancel_run(session, run_id, now=datetime.now(UTC)))


@router.delete("/training-runs/{run_id}", status_code=202, summary="Cancel a retrain", responses=_CANCELLED)
def delete_training_run(run_id: RunId, runtime: RuntimeDep) -> RunOut:
    """The same as `POST .../cancel`."""
    return cancel_training_run(run_id, runtime)


@router.get(
    "/models", summary="List model versions", responses=answers({"items": [MODEL_EXAMPLE], "next": None}, 401, 403, 422)
)
def list_models(runtime: RuntimeDep, limit: Limit = 20, cursor: Cursor = None) -> ModelsOut:
    """Answer versions, newest first, with the one that answers marked."""
    place = None if cursor is None else decode_cursor(runtime.keys, MODELS, cursor)
    with runtime.db.read() as session:
        page = reports.read_models_page(session, limit=limit, place=place)
    following = None if page.next_place is None else encode_cursor(runtime.keys, MODELS, page.next_place)
    return ModelsOut(items=page.items, next=following)


@router.get("/models/{version}", summary="Read one model version", responses=answers(MODEL_EXAMPLE, 401, 403, 404, 422))
def read_model(version: Version, runtime: RuntimeDep) -> ModelOut:
    """Answer a version with its configuration and figures."""
    with runtime.db.read() as session:
        return reports.describe_model(versions.read_model(session, version))


@router.post(
    "/models/{version}/promote",
    summary="Let a version answer",
    responses=answers(SERVING_EXAMPLE, 401, 403, 404, 409, 422),
)
def promote_model(version: Version, runtime: RuntimeDep) -> ServingOut:
    """Switch every process to this version within seconds; lists that are behind are rebuilt by the sweep."""
    with runtime.db.write() as session:
        serving = versions.promote(session, version, models_dir=runtime.settings.models_dir, now=datetime.now(UTC))
    queue.send(queue.SWEEP_FEEDS)
    return reports.describe_serving(serving)


@router.post("/rollback", summary="Go back to the previous version", responses=answers(SERVING_EXAMPLE, 401, 403, 409))
def rollback_model(runtime: RuntimeDep) -> ServingOut:
    """Let the version answer that did before the last switch; a second rollback undoes the first."""
    with runtime.db.write() as session:
        serving = versions.rollback(session, models_dir=runtime.settings.models_dir, now=datetime.now(UTC))
    queue.send(queue.SWEEP_FEEDS)
    return reports.describe_serving(serving)
