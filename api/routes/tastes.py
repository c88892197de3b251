"""What a reader decides about their lists: what is muted, whether they are personal, what is forgotten."""

from datetime import UTC, datetime
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Query, Response

from api.errors import InvalidRequest
from api.ids import normalised_id
from api.routes.deciding import follow_decision
from api.routes.deps import ReaderActor, RuntimeDep, WritingReader
from api.routes.problems import answers
from api.schemas.tastes import (
    EXAMPLE_MUTED,
    EXAMPLE_PERSONALISATION,
    EXAMPLE_QUESTION,
    MutedIn,
    MutedOut,
    PersonalisationIn,
    PersonalisationOut,
    QuestionOut,
)
from api.services import deciding, questions
from api.services.muting import Muted, read_muted
from api.store.taste_rows import Decisions

router = APIRouter(prefix="/v1/me", tags=["reader"])

PERSONAL: Final = {"Cache-Control": "private, no-store", "Vary": "Authorization, X-User"}
JSON: Final = "application/json"
MOST_SKIPPED: Final = 100
Skipped = Annotated[
    list[str] | None, Query(max_length=MOST_SKIPPED, description="Papers that the reader cannot say anything about.")
]


@router.get("/muted", summary="What the reader mutes", responses=answers(EXAMPLE_MUTED, 400, 401, 403, 422))
def get_muted(runtime: RuntimeDep, actor: ReaderActor) -> MutedOut:
    """Answer with empty lists for a reader nobody has heard of yet."""
    with runtime.db.read() as session:
        muted = read_muted(session, actor.user_id)
    return MutedOut(**muted.to_stored())


@router.put(
    "/muted", summary="Replace what the reader mutes", responses=answers(EXAMPLE_MUTED, 400, 401, 403, 422, 503)
)
def put_muted(runtime: RuntimeDep, actor: WritingReader, body: MutedIn) -> MutedOut:
    """From the next page on nothing of it stands in the feed, in digests and in other personal lists.

    Search and lists that are the same for everybody still have it.
    """
    name = actor.external_user or ""
    wanted = Muted(tuple(body.terms), tuple(body.authors), tuple(body.categories))
    with runtime.db.write() as session:
        decided = deciding.mute(session, name, wanted, now=datetime.now(UTC))
    follow_decision(runtime, name, decided)
    return MutedOut(**Muted.from_stored(decided.decisions.muted).to_stored())


@router.get(
    "/personalisation",
    summary="Whether the reader's lists are personal",
    responses=answers(EXAMPLE_PERSONALISATION, 400, 401, 403, 422),
)
def get_personalisation(runtime: RuntimeDep, actor: ReaderActor) -> PersonalisationOut:
    """They are, for a reader who never said otherwise."""
    with runtime.db.read() as session:
        return _shown(deciding.read_decisions(session, actor.user_id))


@router.put(
    "/personalisation",
    summary="Switch personal lists off or on",
    responses=answers(EXAMPLE_PERSONALISATION, 400, 401, 403, 422, 503),
)
def put_personalisation(runtime: RuntimeDep, actor: WritingReader, body: PersonalisationIn) -> PersonalisationOut:
    """While they are off, lists are trending and latest papers, and what the reader does serves their library alone.

    Switched on again, what was known before counts again; what was done meanwhile never does.
    """
    name, now = actor.external_user or "", datetime.now(UTC)
    with runtime.db.write() as session:
        if body.is_personal:
            decided = deciding.personalise(session, name, now=now)
        else:
            decided = deciding.depersonalise(session, name, now=now)
    follow_decision(runtime, name, decided)
    return _shown(decided.decisions)


@router.delete(
    "/taste",
    summary="Forget the reader's taste",
    responses=answers(EXAMPLE_PERSONALISATION, 400, 401, 403, 422, 503),
)
def delete_taste(runtime: RuntimeDep, actor: WritingReader) -> PersonalisationOut:
    """Interests are emptied, and nothing done until now teaches any more, here and in models trained from now on.

    Library, history, what is muted and what is hidden stay.
    """
    name = actor.external_user or ""
    with runtime.db.write() as session:
        decided = deciding.forget_taste(session, name, now=datetime.now(UTC))
    follow_decision(runtime, name, decided)
    return _shown(decided.decisions)


@router.get(
    "/question",
    summary="The paper to ask the reader about next",
    response_model=QuestionOut,
    responses=answers(EXAMPLE_QUESTION, 400, 401, 403, 422),
)
def get_question(runtime: RuntimeDep, actor: ReaderActor, skip: Skipped = None) -> Response:
    """The one whose answer tells most about what else to show them.

    A yes is added to the `papers` of the reader's interests, a no is a `dismiss` event; for neither, ask again with
    the paper in `skip`.
    """
    with runtime.db.read() as session:
        paper_id = questions.choose_question(
            session,
            runtime.serving.current,
            actor.user_id,
            skipped=_stored_ids(skip or ()),
            now=datetime.now(UTC),
        )
    shown = runtime.papers.get_many([] if paper_id is None else [paper_id])
    paper = orjson.Fragment(shown[paper_id]) if paper_id is not None and paper_id in shown else None
    return Response(orjson.dumps({"paper": paper}), media_type=JSON, headers=PERSONAL)


def _stored_ids(names: list[str] | tuple[str, ...]) -> list[str]:
    try:
        return [normalised_id(name) for name in names]
    except ValueError:
        raise InvalidRequest("`skip` names papers by their ids", field="skip") from None


def _shown(decisions: Decisions) -> PersonalisationOut:
    return PersonalisationOut(is_personal=decisions.is_personal, reset_at=decisions.reset_at)
