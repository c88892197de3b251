"""What a reader's lists leave out, and bringing it back."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.errors import Conflict, InvalidCursor, NotFound
from api.ids import normalised_id
from api.routes.deps import RuntimeDep
from api.routes.hidden import bring_back_paper
from api.routes.site.asking import address
from api.routes.site.cards import CardView, card_views
from api.routes.site.visiting import Visit, VisitDep, local_path, read_form, render, see_other
from api.runtime.state import Runtime
from api.services.hiding import HiddenPaper, read_hidden
from api.store.hiding import Why

router = APIRouter(include_in_schema=False)

PATH: Final = "/settings/hidden"
LISTED: Final = 50
SHOWN: Final = (Why.DISMISSED, Why.OPENED, Why.SHOWN_OFTEN)  # what is saved is in the library
WORDS: Final = {
    Why.DISMISSED: "You were not interested",
    Why.OPENED: "You opened it",
    Why.SHOWN_OFTEN: "Shown again and again without a click: it comes after everything else",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One paper that is left out."""

    card: CardView
    words: str
    day: str | None


@router.get(PATH)
async def read_hidden_page(request: Request, runtime: RuntimeDep, visit: VisitDep, cursor: str = "") -> Response:
    """Show what is left out, latest first."""
    try:
        rows, following = await run_in_threadpool(_read, runtime, visit, cursor or None)
    except InvalidCursor:
        rows, following = await run_in_threadpool(_read, runtime, visit, None)
    return render(
        request,
        visit,
        "site/hidden.html",
        rows=rows,
        is_first=not cursor,
        following=None if following is None else address(PATH, cursor=following),
    )


@router.post(PATH)
async def post_back(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Let the visitor's lists show a paper again."""
    form = await read_form(request, visit)
    back = local_path(form.get("back"), default=visit.link(PATH))
    try:
        name = normalised_id(form.get("paper"))
        await bring_back_paper(runtime, name, user_id=visit.user_id, external_user=visit.name)
    except (ValueError, NotFound):
        return see_other(back, told="gone")
    except Conflict:  # saved meanwhile
        return see_other(back, told="in-library")
    return see_other(back, told="undismiss")


def _read(runtime: Runtime, visit: Visit, cursor: str | None) -> tuple[list[Row], str | None]:
    with runtime.db.read() as session:
        hidden, following = read_hidden(
            session,
            runtime.keys,
            runtime.settings,
            user_id=visit.user_id,
            cursor=cursor,
            limit=LISTED,
            now=datetime.now(UTC),
            reasons=SHOWN,
        )
    return _rows(runtime, visit, hidden), following


def _rows(runtime: Runtime, visit: Visit, hidden: list[HiddenPaper]) -> list[Row]:
    here = runtime.papers.get_many([one.paper_id for one in hidden])
    kept = [one for one in hidden if one.paper_id in here]
    cards = card_views(runtime, [one.paper_id for one in kept], visit)
    return [
        Row(card, WORDS[one.why], None if one.since is None else f"{one.since:%Y-%m-%d}")
        for one, card in zip(kept, cards, strict=True)
    ]
