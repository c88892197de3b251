"""The page of the moderators."""

from typing import Final

from fastapi import APIRouter, Request, Response

from api.routes.deps import RuntimeDep
from api.routes.site.comments import MODERATION, comment_number
from api.routes.site.visiting import VisitDep, render
from api.routes.site.words import clip
from api.routes.site.writing import find_moderator
from api.services.mathematics import with_math
from api.services.moderation import MOST_LISTED, VIEWS, count_waiting, list_moderated, read_view

router = APIRouter(include_in_schema=False)

LONGEST_TITLE: Final = 160  # characters: the comment matters here


@router.get(MODERATION)
def read_moderation(
    request: Request, runtime: RuntimeDep, visit: VisitDep, view: str = "reported", before: str = ""
) -> Response:
    """Reported comments, those waiting longest first; the newest of all papers; those that are hidden."""
    moderator, chosen = find_moderator(visit), read_view(view)
    with runtime.db.read() as session:
        found = list_moderated(session, chosen, moderator=moderator, before=comment_number(before) if before else None)
        waiting = count_waiting(session)
    has_more = len(found) == MOST_LISTED and chosen != "reported"  # reports that are settled make place for others
    return render(
        request,
        visit,
        "site/moderation.html",
        found=found,
        titles={it.paper: with_math(clip(it.title, length=LONGEST_TITLE)) for it in found},
        waiting=waiting,
        chosen=chosen,
        views=VIEWS,
        last=found[-1].comment.comment_id if has_more else None,
    )
