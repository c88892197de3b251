"""Rejected events, for administrators."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query

from api.errors import InvalidCursor
from api.routes.deps import AdminActor, RuntimeDep
from api.routes.problems import answers
from api.routes.replaying import replay_letters
from api.runtime.keys import KeyRing
from api.schemas.common import DEFAULT_ITEMS, Cursor, Limit
from api.schemas.events import Code
from api.schemas.letters import EXAMPLE_LETTER, EXAMPLE_REPLAYED, LetterOut, LettersOut, ReplayIn, ReplayOut
from api.services import dead_letters
from api.services.cursors import decode_cursor, encode_cursor
from api.services.dead_letters import KeptLetter

router = APIRouter(prefix="/v1/admin/dead-letters", tags=["admin"])

SCOPE: Final = "dead-letters"
_PAGE: Final = {"items": [EXAMPLE_LETTER], "next": None}


@router.get("", summary="List rejected events", responses=answers(_PAGE, 401, 403, 422))
def list_letters(
    *,
    runtime: RuntimeDep,
    _actor: AdminActor,
    code: Annotated[Code | None, Query(description="Only those rejected for this.")] = None,
    reader: Annotated[str | None, Query(max_length=200, description="Only this reader's.")] = None,
    state: Annotated[Literal["open", "all"], Query(description="`open`: not brought in by a replay yet.")] = "open",
    limit: Limit = DEFAULT_ITEMS,
    cursor: Cursor = None,
) -> LettersOut:
    """Newest first, each as it was received, with the reason."""
    before = None if cursor is None else _place(runtime.keys, cursor)
    with runtime.db.read() as session:
        page, following = dead_letters.list_letters(
            session, before=before, limit=limit, code=code, external_user=reader, is_open=state == "open"
        )
    place = None if following is None else encode_cursor(runtime.keys, SCOPE, [following])
    return LettersOut(items=[show_letter(letter) for letter in page], next=place)


@router.post(
    "/replay",
    summary="Take rejected events in after all",
    responses=answers(EXAMPLE_REPLAYED, 401, 403, 422, 503),
)
async def post_replay(runtime: RuntimeDep, _actor: AdminActor, body: ReplayIn) -> ReplayOut:
    """Give them to the intake again, mended where `corrections` says so: received when they were, counted once."""
    return await replay_letters(runtime, body)


def show_letter(letter: KeptLetter) -> LetterOut:
    """Return a letter as the wire has it."""
    return LetterOut(
        id=letter.letter_id,
        reader=letter.external_user,
        reader_number=letter.user_id,
        event_id=letter.event_id,
        code=letter.code,
        reason=letter.reason,
        event=letter.event,
        sent_at=letter.sent_at_raw,
        times=letter.times,
        received_at=letter.received_at,
        last_at=letter.last_at,
        replayed_at=letter.replayed_at,
        outcome=letter.outcome,
    )


def _place(keys: KeyRing, cursor: str) -> int:
    match decode_cursor(keys, SCOPE, cursor):
        case [int() as letter_id]:
            return letter_id
    raise InvalidCursor("this cursor does not belong to this list: start again without one", field="cursor")
