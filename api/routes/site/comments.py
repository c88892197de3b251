"""Forms of comments: written, changed, taken back, reported, hidden and shown."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest, NotFound, TooManyRequests
from api.routes.deps import RuntimeDep, read_runtime
from api.routes.site.paper import render_paper
from api.routes.site.visiting import Form, Visit, VisitDep, finish, read_form, see_other
from api.routes.site.writing import find_moderator, find_writing, writer_of
from api.runtime.state import Runtime
from api.services import comments
from api.services.paper_pages import find_shown_paper, read_paper_page
from api.settings import Settings
from api.store.comments import names_of_papers

router = APIRouter(include_in_schema=False)

MODERATION: Final = "/moderation"
LONGEST_NUMBER: Final = 18  # digits
Change: TypeAlias = Callable[[Session, Visit, Form, int, Settings], int]  # gives the paper that it was about


@router.post("/papers/{paper_id:path}/comments")
async def post_comment(request: Request, runtime: RuntimeDep, visit: VisitDep, paper_id: str) -> Response:
    """Add a comment and show it; one that cannot be taken is shown in its form again, with what is wrong with it."""
    form = await read_form(request, visit)
    try:
        answer = await run_in_threadpool(_add, runtime, visit, form, paper_id)
    except (InvalidRequest, TooManyRequests) as error:
        return await run_in_threadpool(_show_again, request, visit, form, paper_id=paper_id, error=error)
    finish(request, visit, answer)
    return answer


@router.post("/comments/{number}/{act}")
async def post_change(request: Request, runtime: RuntimeDep, visit: VisitDep, number: str, act: str) -> Response:
    """Change a comment, then show where it stands, or the moderators' page where the form was on that."""
    form = await read_form(request, visit)
    answer = await run_in_threadpool(_change, runtime, visit, form, comment_number(number), act)
    finish(request, visit, answer)
    return answer


def comment_number(text: str) -> int:
    """Return the number of a comment in an address or a form; raises NotFound for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise NotFound("there is no such comment")
    return int(text)


def _add(runtime: Runtime, visit: Visit, form: Form, paper_id: str) -> Response:
    parent = form.get("parent")
    with runtime.db.write() as session:
        writer = find_writing(session, visit)
        paper, _ = find_shown_paper(session, paper_id)
        name, number = paper.external_id, paper.paper_id
        comment_id = comments.add_comment(
            session,
            number,
            form.get("text"),
            writer=writer,
            parent_id=comment_number(parent) if parent else None,
            most_hourly=runtime.settings.comments_hourly,
            now=datetime.now(UTC),
        )
    runtime.access.note_user_id(visit.name, writer.user_id)
    runtime.papers.forget([number])  # here at once, in other processes within seconds
    return see_other(_place(visit, name, comment_id), told="commented")


def _show_again(
    request: Request,
    visit: Visit,
    form: Form,
    *,
    paper_id: str,
    error: InvalidRequest | TooManyRequests,
) -> Response:
    runtime, parent = read_runtime(request), form.get("parent")
    with runtime.db.read() as session:
        page = read_paper_page(session, paper_id, writer=writer_of(visit))
    answer = render_paper(
        request,
        runtime,
        visit,
        page,
        status=error.status,
        trouble=f"{error.detail[:1].upper()}{error.detail[1:]}.",
        draft=form.get("text"),
        answered=comment_number(parent) if parent else None,
    )
    answer.headers.update(error.headers)
    return answer


def _change(runtime: Runtime, visit: Visit, form: Form, number: int, act: str) -> Response:
    if act not in CHANGES:
        raise NotFound("there is no such form")
    change, told = CHANGES[act]
    with runtime.db.write() as session:
        paper_id = change(session, visit, form, number, runtime.settings)
        name = names_of_papers(session, [paper_id])[paper_id][0]
    runtime.papers.forget([paper_id])
    back = form.get("back")
    is_moderation = back.partition("?")[0] == MODERATION
    return see_other(back if is_moderation else _place(visit, name, number), told=told)


def _place(visit: Visit, name: str, number: int) -> str:
    return visit.link(f"/papers/{quote(name, safe='/')}#comment-{number}")


def _edit(session: Session, visit: Visit, form: Form, number: int, _settings: Settings) -> int:
    writer = find_writing(session, visit)
    return comments.edit_comment(session, number, form.get("text"), writer=writer, now=datetime.now(UTC))


def _delete(session: Session, visit: Visit, _form: Form, number: int, _settings: Settings) -> int:
    writer = find_writing(session, visit)
    return comments.take_back_comment(session, number, writer=writer, now=datetime.now(UTC))


def _report(session: Session, visit: Visit, form: Form, number: int, settings: Settings) -> int:
    writer, now = find_writing(session, visit), datetime.now(UTC)
    most = settings.reports_hourly
    return comments.report_comment(session, number, form.get("reason"), writer=writer, most_hourly=most, now=now)


def _hide(session: Session, visit: Visit, _form: Form, number: int, _settings: Settings) -> int:
    return comments.hide_comment(session, number, moderator=find_moderator(visit), now=datetime.now(UTC))


def _show(session: Session, visit: Visit, _form: Form, number: int, _settings: Settings) -> int:
    return comments.show_comment(session, number, moderator=find_moderator(visit), now=datetime.now(UTC))


CHANGES: Final[Mapping[str, tuple[Change, str]]] = {
    "edit": (_edit, "comment-edited"),
    "delete": (_delete, "comment-deleted"),
    "report": (_report, "comment-reported"),
    "hide": (_hide, "comment-hidden"),
    "show": (_show, "comment-shown"),
}
