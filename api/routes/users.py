"""What belongs to one reader: interests, library, history."""

from datetime import UTC, datetime
from typing import Final

import orjson
from fastapi import APIRouter, Response

from api.routes.deps import ReaderActor, RuntimeDep, WritingReader
from api.routes.problems import answers
from api.schemas.common import DEFAULT_ITEMS, Cursor, Limit
from api.schemas.people import (
    EXAMPLE_HISTORY,
    EXAMPLE_INTERESTS,
    EXAMPLE_LIBRARY,
    HistoryOut,
    InterestsIn,
    InterestsOut,
    LibraryOut,
)
from api.services import accounts, history

router = APIRouter(prefix="/v1/me", tags=["reader"])

PERSONAL: Final = {"Cache-Control": "private, no-store", "Vary": "Authorization, X-User"}
JSON: Final = "application/json"


@router.get(
    "/interests", summary="What the reader says they like", responses=answers(EXAMPLE_INTERESTS, 400, 401, 403, 422)
)
def read_interests(runtime: RuntimeDep, actor: ReaderActor) -> InterestsOut:
    """Answer with empty lists for a reader nobody has heard of yet."""
    with runtime.db.read() as session:
        found = accounts.read_interests(session, actor.user_id)
    return _shown(found)


@router.put(
    "/interests",
    summary="Replace the reader's interests",
    responses=answers(EXAMPLE_INTERESTS, 400, 401, 403, 422, 503),
)
def write_interests(runtime: RuntimeDep, actor: WritingReader, body: InterestsIn) -> InterestsOut:
    """Categories, free-text terms and papers they like; the next page of the feed follows, without a single click."""
    wanted = accounts.Interests(*(tuple(dict.fromkeys(part)) for part in (body.categories, body.terms, body.papers)))
    name = actor.external_user or ""
    with runtime.db.write() as session:
        user_id, kept = accounts.write_interests(session, name, wanted, now=datetime.now(UTC))
    runtime.access.note_user_id(name, user_id)
    runtime.feeds.drop_list(user_id)
    runtime.hints.refresh(user_id, is_active=True)
    return _shown(kept)


@router.get(
    "/library",
    summary="The reader's saved papers, last saved first",
    response_model=LibraryOut,
    responses=answers(EXAMPLE_LIBRARY, 400, 401, 403, 422),
)
def read_library(
    runtime: RuntimeDep, actor: ReaderActor, limit: Limit = DEFAULT_ITEMS, cursor: Cursor = None
) -> Response:
    """Answer what is saved as of now, committed events included."""
    with runtime.db.read() as session:
        saved, following = history.read_library(
            session, runtime.keys, user_id=actor.user_id, cursor=cursor, limit=limit
        )
    shown = runtime.papers.get_many([item.paper_id for item in saved])
    items = [
        {"paper": orjson.Fragment(shown[item.paper_id]), "saved_at": item.saved_at}
        for item in saved
        if item.paper_id in shown
    ]
    return Response(orjson.dumps({"items": items, "next": following}), media_type=JSON, headers=PERSONAL)


@router.get(
    "/history",
    summary="Everything the reader did, newest first",
    response_model=HistoryOut,
    responses=answers(EXAMPLE_HISTORY, 400, 401, 403, 422),
)
def read_history(
    runtime: RuntimeDep, actor: ReaderActor, limit: Limit = DEFAULT_ITEMS, cursor: Cursor = None
) -> Response:
    """One item per counted event, never merged; events of unknown time come last."""
    with runtime.db.read() as session:
        events, following = history.read_history(
            session, runtime.keys, user_id=actor.user_id, cursor=cursor, limit=limit
        )
    shown = runtime.papers.get_many([event.paper_id for event in events])
    items = [
        {
            "event_id": event.event_id,
            "kind": event.kind.name.lower(),
            "occurred_at": event.occurred_at,
            "paper": orjson.Fragment(shown[event.paper_id]),
        }
        for event in events
        if event.paper_id in shown
    ]
    return Response(orjson.dumps({"items": items, "next": following}), media_type=JSON, headers=PERSONAL)


def _shown(interests: accounts.Interests) -> InterestsOut:
    return InterestsOut(
        categories=list(interests.categories), terms=list(interests.terms), papers=list(interests.papers)
    )
