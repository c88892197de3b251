"""Event intake: the hot path for writes."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

import orjson
from fastapi import APIRouter, Request, Response

from api.errors import InvalidRequest, TooLarge
from api.queue import REFRESH_FEED
from api.routes.deps import RuntimeDep, WritingReader
from api.routes.problems import answers
from api.runtime.metrics import EVENTS
from api.runtime.state import Runtime
from api.schemas.events import MOST_EVENTS, BatchOutcome, EventAnswer, EventBatch, EventDraft, EventResults
from api.services.event_parsing import parse_batch

router = APIRouter(prefix="/v1", tags=["feedback"])

_EXAMPLE_EVENT: Final[dict[str, Any]] = {
    "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "kind": "save",
    "paper_id": "2401.01234",
    "occurred_at": "2024-05-01T12:00:00Z",
}
_EXAMPLE_RESULTS: Final = {
    "results": [
        {"id": "0f8fad5b-d9cb-469f-a165-70867728950e", "status": "accepted"},
        {
            "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "status": "rejected",
            "code": "unknown_paper",
            "reason": "no paper with this id is known here",
        },
    ]
}
_REQUEST_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/EventsIn"},
                "example": {"events": [_EXAMPLE_EVENT]},
            }
        },
    }
}


@router.post(
    "/events",
    status_code=202,
    summary="Say what a reader did",
    response_model=EventResults,
    responses=answers(_EXAMPLE_RESULTS, 400, 401, 403, 413, 422, 503, status=202),
    openapi_extra=_REQUEST_BODY,
)
async def post_events(request: Request, runtime: RuntimeDep, actor: WritingReader) -> Response:
    """1 to 500 events of one reader, each answered by itself in the same order; answered only after the commit."""
    outcome = await take_events(runtime, _read_events(await request.body()), external_user=actor.external_user or "")
    body = orjson.dumps({"results": [_result(answer) for answer in outcome.answers]})
    return Response(body, status_code=202, media_type="application/json")


async def take_events(runtime: Runtime, raw_events: Sequence[object], *, external_user: str) -> BatchOutcome:
    """Record one reader's events as they came over the wire; they are committed when this returns."""
    batch = parse_batch(
        raw_events,
        external_user=external_user,
        now=datetime.now(UTC),
        future_tolerance=timedelta(hours=runtime.settings.future_tolerance_hours),
    )
    outcome = await asyncio.wrap_future(runtime.intake.submit(batch))
    if outcome.user_id is not None:
        runtime.access.note_user_id(external_user, outcome.user_id)
    await _follow(runtime, outcome)
    _count(batch, outcome)
    return outcome


async def _follow(runtime: Runtime, outcome: BatchOutcome) -> None:
    """Tell the cache and the workers: a hint only, the sweep finds every list that missed it."""
    if outcome.user_id is None or not outcome.is_change:
        return
    await runtime.async_feeds.mark_hidden(outcome.user_id, outcome.hide)
    await runtime.async_feeds.unmark_hidden(outcome.user_id, outcome.unhide)
    if await runtime.async_feeds.claim_refresh(outcome.user_id):
        runtime.hints.offer(REFRESH_FEED, outcome.user_id)


def _read_events(body: bytes) -> Sequence[object]:
    content = _read_json(body)
    events = content.get("events") if isinstance(content, dict) else None
    if not isinstance(events, list) or not events:
        raise InvalidRequest(f'the body is `{{"events": [...]}}` with 1 to {MOST_EVENTS} events')
    if len(events) > MOST_EVENTS:
        raise TooLarge(f"a batch takes {MOST_EVENTS} events at most: nothing was stored", limit_events=MOST_EVENTS)
    return events


def _read_json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:  # slower, but it reads what is JSON by the letter: half a surrogate in one event harms only that event
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not JSON") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _count(batch: EventBatch, outcome: BatchOutcome) -> None:
    for entry, answer in zip(batch.entries, outcome.answers, strict=True):
        kind = entry.kind.name.lower() if isinstance(entry, EventDraft) else "unknown"
        EVENTS.labels(kind, answer.status).inc()


def _result(answer: EventAnswer) -> dict[str, str | None]:
    result = {"id": answer.event_id, "status": answer.status}
    if answer.code is not None:
        result |= {"code": answer.code, "reason": answer.reason}
    return result
