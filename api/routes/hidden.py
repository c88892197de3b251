"""What a reader's lists leave out, and bringing it back."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api.errors import NotFound
from api.ids import normalised_id
from api.routes.deps import ReaderActor, RuntimeDep, WritingReader
from api.routes.events import take_events
from api.routes.problems import answers
from api.runtime.state import Runtime
from api.schemas.common import DEFAULT_ITEMS, Cursor, Limit
from api.schemas.events import Incoming
from api.schemas.hidden import EXAMPLE_BROUGHT_BACK, EXAMPLE_HIDDEN, BroughtBackOut, HiddenOut
from api.services import hiding
from api.store.hiding import Why

router = APIRouter(prefix="/v1/me", tags=["reader"])

PERSONAL: Final = {"Cache-Control": "private, no-store", "Vary": "Authorization, X-User"}
JSON: Final = "application/json"
TICK: Final = timedelta(microseconds=1)


@router.get(
    "/hidden",
    summary="Papers that the reader's lists leave out, and why",
    response_model=HiddenOut,
    responses=answers(EXAMPLE_HIDDEN, 400, 401, 403, 422),
)
def read_hidden(
    runtime: RuntimeDep, actor: ReaderActor, limit: Limit = DEFAULT_ITEMS, cursor: Cursor = None
) -> Response:
    """Saved, dismissed, opened, or shown too often without a click; latest first."""
    with runtime.db.read() as session:
        hidden, following = hiding.read_hidden(
            session,
            runtime.keys,
            runtime.settings,
            user_id=actor.user_id,
            cursor=cursor,
            limit=limit,
            now=datetime.now(UTC),
        )
    shown = runtime.papers.get_many([one.paper_id for one in hidden])
    items = [
        {"paper": orjson.Fragment(shown[one.paper_id]), "why": one.why, "since": one.since}
        for one in hidden
        if one.paper_id in shown
    ]
    return Response(orjson.dumps({"items": items, "next": following}), media_type=JSON, headers=PERSONAL)


@router.delete(
    "/hidden/{paper_id:path}",
    summary="Bring a paper back into the reader's lists",
    responses=answers(EXAMPLE_BROUGHT_BACK, 400, 401, 403, 404, 409, 422, 503),
)
async def bring_back(runtime: RuntimeDep, actor: WritingReader, paper_id: str) -> BroughtBackOut:
    """Record an `undismiss` for each reason it was hidden; a saved paper is brought back by an `unsave` instead (409).

    An `undismiss` takes a dismissal back, the next one what opening did, and with any of them impressions are counted
    from the beginning again.
    """
    name = _stored_id(paper_id)
    was = await bring_back_paper(runtime, name, user_id=actor.user_id, external_user=actor.external_user or "")
    return BroughtBackOut(paper_id=name, was=[why.value for why in was])


async def bring_back_paper(runtime: Runtime, name: str, *, user_id: int | None, external_user: str) -> list[Why]:
    """Record what brings a paper back and return what hid it; raises NotFound, and Conflict for a saved one."""
    now = datetime.now(UTC)
    was = await run_in_threadpool(_find_reasons, runtime, user_id, name, now=now)
    events: list[object] = [
        {
            "id": str(uuid.uuid4()),
            "kind": "undismiss",
            "paper_id": name,
            "occurred_at": (now - step * TICK).isoformat(),
        }
        for step in reversed(range(len(was)))
    ]
    if events:
        outcome = await take_events(runtime, Incoming(events, external_user))
        for answer in outcome.answers:
            if answer.status == "rejected":  # removed in this very moment
                raise NotFound(answer.reason or f"there is no paper {name!r}", paper_id=name)
    return was


def _find_reasons(runtime: Runtime, user_id: int | None, name: str, *, now: datetime) -> list[Why]:
    with runtime.db.read() as session:
        return hiding.find_reasons(session, runtime.settings, user_id=user_id, paper_id=name, now=now)


def _stored_id(paper_id: str) -> str:
    try:
        return normalised_id(paper_id)
    except ValueError:
        raise NotFound(f"there is no paper {paper_id!r}", paper_id=paper_id) from None
