"""Event intake: the hot path for writes."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, Final, NoReturn

import orjson
import prometheus_client
from fastapi import APIRouter, Request, Response

from api.errors import InvalidRequest, TooLarge
from api.routes.bodies import read_body
from api.routes.callers import find_caller, identify
from api.routes.deps import RuntimeDep
from api.routes.problems import answers
from api.routes.visitors import give_cookie
from api.runtime.metrics import EVENTS
from api.runtime.state import Runtime
from api.schemas.events import (
    MOST_EVENTS,
    BatchOutcome,
    Code,
    EventAnswer,
    EventBatch,
    EventDraft,
    EventResults,
    Incoming,
    OpenedSlate,
)
from api.services import slates
from api.services.event_decoding import decode_batch
from api.services.event_parsing import parse_incoming
from api.services.merging import is_anonymous
from recommender.domain import EventKind

router = APIRouter(prefix="/v1", tags=["feedback"])

PATH: Final = "/v1/events"
FAILURE: Final = "paperfeed.failure"  # in the scope: what went wrong ahead of the router, which knows how to say it

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
_CONTENT: Final = {
    "schema": {"$ref": "#/components/schemas/EventsIn"},
    "example": {"events": [_EXAMPLE_EVENT], "sent_at": "2024-05-01T12:00:03Z"},
}
_REQUEST_BODY: Final = {
    "requestBody": {"required": True, "content": {"application/json": _CONTENT, "text/plain": _CONTENT}},
    "security": [{"token": []}, {}],  # without a token the `slate` in the body is the credential
}


@router.post(
    "/events",
    status_code=202,
    summary="Say what a reader did",
    response_model=EventResults,
    responses=answers(_EXAMPLE_RESULTS, 400, 401, 403, 413, 415, 422, 429, 503, status=202),
    openapi_extra=_REQUEST_BODY,
)
async def post_events(request: Request, runtime: RuntimeDep) -> Response:
    """1 to 500 events of one reader, each answered by itself in the same order; answered only after the commit.

    Without a token the `slate` of a page in the body, or the cookie of a page of this service, says whose they are.
    """
    if isinstance(failure := request.scope.get(FAILURE), Exception):
        raise failure
    caller = await find_caller(request, runtime)
    content = read_content(await read_body(request.scope, request.receive, most_bytes=caller.most_bytes))
    said = Incoming(content["events"], None, sent_at=content.get("sent_at"), slate=content.get("slate"))
    incoming = identify(caller, said, _slate_opener(runtime, datetime.now(UTC)))
    outcome = await take_events(runtime, incoming)
    answer = Response(_write_results(outcome.answers), status_code=202, media_type="application/json")
    if caller.is_new and incoming.external_user is not None:
        give_cookie(answer, request.scope, runtime.keys, runtime.settings, reader=incoming.external_user)
    return answer


async def take_events(runtime: Runtime, incoming: Incoming) -> BatchOutcome:
    """Record one reader's events as they came over the wire; they are committed when this returns."""
    now = incoming.received_at or datetime.now(UTC)
    batch = parse_incoming(
        incoming,
        now=now,
        future_tolerance=timedelta(hours=runtime.settings.future_tolerance_hours),
        open_slate=_slate_opener(runtime, now),
    )
    return await _store(runtime, batch)


async def take_usual(runtime: Runtime, body: bytes, external_user: str) -> bytes | None:
    """Record what a token's reader sent and return the answer; None, and nothing is stored, when it is unusual."""
    now = datetime.now(UTC)
    batch = decode_batch(
        body,
        external_user,
        now=now,
        future_tolerance=timedelta(hours=runtime.settings.future_tolerance_hours),
        open_slate=_slate_opener(runtime, now),
    )
    return None if batch is None else write_answers((await _store(runtime, batch)).answers)


def write_answers(answers: Sequence[EventAnswer]) -> bytes:
    """Return the body of an answer whose ids are hexadecimal digits and hyphens where they were accepted."""
    if any(answer.status != "accepted" for answer in answers):
        return _write_results(answers)
    ids = '","status":"accepted"},{"id":"'.join([answer.event_id or "" for answer in answers])
    return f'{{"results":[{{"id":"{ids}","status":"accepted"}}]}}'.encode("ascii")


async def _store(runtime: Runtime, batch: EventBatch) -> BatchOutcome:
    external_user = batch.incoming.external_user
    outcome = await runtime.intake.submit(batch)
    if outcome.user_id is not None and external_user is not None and not is_anonymous(external_user):
        runtime.access.note_user_id(external_user, outcome.user_id)
    _count(batch, outcome)
    return outcome


def _slate_opener(runtime: Runtime, now: datetime) -> Callable[[str], OpenedSlate | Code]:
    return partial(slates.open_slate, runtime.keys, now=now, days=runtime.settings.slate_days)


def follow_commit(runtime: Runtime, outcomes: Sequence[BatchOutcome]) -> None:
    """Hide what may not be shown any more, then tell the workers: hints only, the sweep finds what missed them."""
    committed_at = time.time()
    hide: dict[int, set[int]] = {}
    unhide: dict[int, set[int]] = {}
    for outcome in outcomes:  # of one transaction: none of them undoes what another one says
        if outcome.user_id is None:
            continue
        if outcome.hide:
            hide.setdefault(outcome.user_id, set()).update(outcome.hide)
        if outcome.unhide:
            unhide.setdefault(outcome.user_id, set()).update(outcome.unhide)
    if (hide or unhide) and not runtime.feeds.change_hidden(hide, unhide):
        runtime.async_feeds.distrust(hide)
    for outcome in outcomes:
        if outcome.user_id is not None and outcome.shown and runtime.showings.note(outcome.user_id, outcome.shown):
            runtime.hints.refresh(outcome.user_id, is_active=True, committed_at=committed_at)
        if outcome.user_id is not None and outcome.latest is not None:
            age = datetime.now(UTC) - outcome.latest
            is_active = age <= timedelta(minutes=runtime.settings.refresh_active_minutes)
            runtime.hints.refresh(outcome.user_id, is_active=is_active, committed_at=committed_at)


def read_content(body: bytes) -> dict[str, Any]:
    """Return a body that is an object with 1 to 500 `events`; InvalidRequest or TooLarge for any other."""
    content = _read_json(body)
    events = content.get("events") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(events, list) or not events:
        raise InvalidRequest(f'the body is `{{"events": [...]}}` with 1 to {MOST_EVENTS} events')
    if len(events) > MOST_EVENTS:
        raise TooLarge(f"a batch takes {MOST_EVENTS} events at most: nothing was stored", limit_events=MOST_EVENTS)
    return content


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
    # Plain numbers: those of the enumeration are hashed in Python.
    kinds = [int(entry.kind) if isinstance(entry, EventDraft) else None for entry in batch.entries]
    statuses = [answer.status for answer in outcome.answers]
    for labels, count in Counter(zip(kinds, statuses, strict=True)).items():
        _counter(*labels).inc(count)


@lru_cache(maxsize=64)
def _counter(kind: int | None, status: str) -> prometheus_client.Counter:
    return EVENTS.labels("unknown" if kind is None else EventKind(kind).name.lower(), status)


def _write_results(answers: Sequence[EventAnswer]) -> bytes:
    return orjson.dumps({"results": [_result(answer) for answer in answers]})


def _result(answer: EventAnswer) -> dict[str, str | None]:
    result = {"id": answer.event_id, "status": answer.status}
    if answer.code is not None:
        result |= {"code": answer.code, "reason": answer.reason}
    return result
