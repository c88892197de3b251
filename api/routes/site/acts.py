"""What the buttons of a card do: one event for the visitor, then back to the page, or a word for its script."""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson
from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest, Unavailable
from api.routes.deps import RuntimeDep
from api.routes.events import take_events
from api.routes.site.forms import Form
from api.routes.site.notices import NOTICES, UNDO
from api.routes.site.visiting import Visit, VisitDep, finish, local_path, read_form, see_other
from api.runtime.state import Runtime
from api.schemas.events import Incoming
from api.services import slates

router = APIRouter(include_in_schema=False)

KINDS: Final = ("save", "unsave", "upvote", "unvote", "dismiss", "undismiss")
STATES: Final = {
    "save": "saved",
    "unsave": "not saved",
    "upvote": "upvoted",
    "unvote": "not upvoted",
    "dismiss": "dismissed",
    "undismiss": "not dismissed",
}
LONGEST_POSITION: Final = 6  # digits
LOOKS: Final = 12  # for the changed list before its page is shown again
LOOK_SECONDS: Final = 0.1
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Press:
    """One button, pressed."""

    kind: str
    paper: str  # external id
    position: int | None
    slate: str | None


@router.post("/act")
async def post_act(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Save, vote for or dismiss a paper, or take it back; a script gets JSON, a form the page that it came from."""
    form = await read_form(request, visit)
    wants_json = request.headers.get("accept", "").startswith(JSON)
    try:
        press = read_press(form)
        user_id = await record(runtime, visit, press)
    except (InvalidRequest, Unavailable, SQLAlchemyError) as error:
        if wants_json:
            raise
        if isinstance(error, SQLAlchemyError):
            await run_in_threadpool(runtime.conditions.distrust)  # the page that follows says what is wrong
        return see_other(form.get("back"), told=_name_failure(error))
    if wants_json:
        answer = _answer(press)
    else:
        if user_id is not None and local_path(form.get("back")).startswith("/for-you"):
            await _wait_for_list(runtime, user_id, since=datetime.now(UTC))
        answer = see_other(_anchored(form.get("back"), press), told=press.kind, paper=press.paper)
    finish(request, visit, answer)
    return answer


@router.get("/act")
async def get_act() -> Response:
    """Whoever loads the address of the form is led to the papers."""
    return see_other("/")


def read_press(form: Form) -> Press:
    """Return which button was pressed: a field named by its kind with the paper, or the fields `kind` and `paper`."""
    kind, paper = form.get("kind"), form.get("paper")
    if not kind:
        kind, paper = next(((name, value) for name in KINDS if (value := form.get(name))), ("", ""))
    if kind not in KINDS:
        raise InvalidRequest("a button saves, votes, dismisses or takes one of these back", field="kind")
    position = form.get("position")
    is_place = position.isascii() and position.isdigit() and len(position) <= LONGEST_POSITION
    return Press(kind, paper, int(position) if is_place else None, form.get("slate") or None)


async def record(runtime: Runtime, visit: Visit, press: Press) -> int | None:
    """Record a press for the visitor and return their number; it is committed when this returns.

    Raises InvalidRequest for a paper that is not known here.
    """
    now = datetime.now(UTC)
    event: dict[str, object] = {
        "id": str(uuid.uuid4()),
        "kind": press.kind,
        "paper_id": press.paper,
        "occurred_at": now.isoformat(),
    }
    if press.position is not None:
        event["position"] = press.position
    slate = press.slate if _is_fitting(runtime, visit, press.slate, now=now) else None
    outcome = await take_events(runtime, Incoming([event], visit.name, slate=slate))
    if slate is not None and outcome.answers[0].status == "rejected":  # the paper is not of this list
        event["id"] = str(uuid.uuid4())
        outcome = await take_events(runtime, Incoming([event], visit.name))
    if outcome.answers[0].status == "rejected":
        raise InvalidRequest(outcome.answers[0].reason or "this paper is not known here", field="paper")
    return outcome.user_id


def _is_fitting(runtime: Runtime, visit: Visit, slate: str | None, *, now: datetime) -> bool:
    """True for a slate of ours that was written for this visitor: any other would have the press refused."""
    if slate is None:
        return False
    opened = slates.open_slate(runtime.keys, slate, now=now, days=runtime.settings.slate_days)
    return not isinstance(opened, str) and opened.user_id in {0, visit.user_id}


async def _wait_for_list(runtime: Runtime, user_id: int, *, since: datetime) -> None:
    """Give the list a moment to follow, so that the page shows it."""
    served = runtime.serving.current
    if served is None:
        return
    for _ in range(LOOKS):
        feed = await runtime.async_feeds.read_list(user_id, version=served.version)
        if feed is None or feed.papers.built_at >= since:
            return
        await asyncio.sleep(LOOK_SECONDS)


def _answer(press: Press) -> Response:
    told = {"state": STATES[press.kind], "undo": UNDO.get(press.kind), "told": NOTICES[press.kind]}
    return Response(orjson.dumps(told), media_type=JSON, headers={"Cache-Control": "no-store"})


def _anchored(back: str, press: Press) -> str:
    """The page that was left, at the card: one that was dismissed may be gone from it, then browsers stay on top."""
    where = local_path(back).partition("#")[0]
    fits = press.paper.isascii() and press.paper.isprintable() and " " not in press.paper
    return f"{where}#p-{press.paper}" if fits else where


def _name_failure(error: Exception) -> str:
    if not isinstance(error, InvalidRequest):
        return "away"
    return "gone" if error.fields.get("field") == "paper" else "refused"
