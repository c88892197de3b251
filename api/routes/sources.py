"""Where papers come from, for administrators: how each source does, paused, resumed, read now."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path
from sqlalchemy.orm import Session

from api import queue
from api.routes.deps import AdminActor, RuntimeDep
from api.routes.problems import answers
from api.runtime.state import Runtime
from api.schemas.sources import EXAMPLE_FAILING, EXAMPLE_SOURCE, SourceOut, SourcesOut
from api.services import source_reports, sources

router = APIRouter(prefix="/v1/admin/sources", tags=["admin"])

Name = Annotated[str, Path(max_length=40, description="Name of the source.", examples=["huggingface"])]

_PAUSED: Final = EXAMPLE_SOURCE | {"state": "paused", "due_at": None}
_DUE: Final = EXAMPLE_SOURCE | {"state": "due"}


@router.get("", summary="List sources", responses=answers({"items": [EXAMPLE_SOURCE, EXAMPLE_FAILING]}, 401, 403))
def list_sources(runtime: RuntimeDep, _actor: AdminActor) -> SourcesOut:
    """Each with its last success and the age of that, its next run, and its failures in a row."""
    now = datetime.now(UTC)
    with runtime.db.write() as session:
        sources.ensure_sources(session, runtime.settings, now=now)
        return SourcesOut(items=source_reports.read_sources(session, runtime.settings, now=now))


@router.get("/{name}", summary="Read one source", responses=answers(EXAMPLE_SOURCE, 401, 403, 404))
def read_source(name: Name, runtime: RuntimeDep, _actor: AdminActor) -> SourceOut:
    """The same for one source."""
    with runtime.db.write() as session:
        return _show(session, runtime, name)


@router.post("/{name}/pause", summary="Pause a source", responses=answers(_PAUSED, 401, 403, 404))
def pause_source(name: Name, runtime: RuntimeDep, _actor: AdminActor) -> SourceOut:
    """Read it no more until it is resumed; a run in progress ends as usual."""
    with runtime.db.write() as session:
        _show(session, runtime, name)
        sources.pause_source(session, name)
        return _show(session, runtime, name)


@router.post("/{name}/resume", summary="Resume a source", responses=answers(_DUE, 401, 403, 404))
def resume_source(name: Name, runtime: RuntimeDep, _actor: AdminActor) -> SourceOut:
    """Read it again, the first time within a minute."""
    with runtime.db.write() as session:
        _show(session, runtime, name)
        sources.resume_source(session, name, now=datetime.now(UTC))
        return _show(session, runtime, name)


@router.post(
    "/{name}/run", status_code=202, summary="Read a source now", responses=answers(_DUE, 401, 403, 404, status=202)
)
def run_source(name: Name, runtime: RuntimeDep, _actor: AdminActor) -> SourceOut:
    """Queue a run, of a paused source as well, and answer at once; a host that asked for time gets it all the same."""
    with runtime.db.write() as session:
        _show(session, runtime, name)
        sources.request_run(session, name, now=datetime.now(UTC))
        answer = _show(session, runtime, name)
    queue.send(queue.READ_SOURCE, name)
    return answer


def _show(session: Session, runtime: Runtime, name: str) -> SourceOut:
    """Return one source of this installation; raises NotFound."""
    now = datetime.now(UTC)
    sources.ensure_sources(session, runtime.settings, now=now)
    return source_reports.read_source(session, runtime.settings, name, now=now)
