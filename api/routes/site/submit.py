"""Papers that readers put forward for the daily list, by their arXiv ids."""

from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest, TooManyRequests
from api.routes.deps import RuntimeDep, read_runtime
from api.routes.site.cards import paper_path
from api.routes.site.notices import name_notice
from api.routes.site.visiting import Form, Visit, VisitDep, finish, read_form, render, see_other
from api.routes.site.writing import find_writing, may_write
from api.runtime.state import Runtime
from api.services.submitting import list_own, read_submitted_ids, submit_papers

router = APIRouter(include_in_schema=False)

SUBMIT: Final = "/submit"
LONGEST_DRAFT: Final = 5_000  # characters that the form shows again


@router.get(SUBMIT)
def read_submit(request: Request, runtime: RuntimeDep, visit: VisitDep, paper: str = "") -> Response:
    """Show the form, with a paper that was asked for, and what became of what the visitor submitted."""
    return _show(request, runtime, visit, draft=paper)


@router.post(SUBMIT)
async def post_submit(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Submit papers and tell what becomes of them; a form that cannot be taken is shown again with the reason."""
    form = await read_form(request, visit)
    try:
        answer = await run_in_threadpool(_submit, runtime, visit, form)
    except (InvalidRequest, TooManyRequests) as error:
        return await run_in_threadpool(_show_again, request, visit, form, error=error)
    finish(request, visit, answer)
    return answer


def _submit(runtime: Runtime, visit: Visit, form: Form) -> Response:
    ids = read_submitted_ids(form.get("ids"))
    with runtime.db.write() as session:
        writer = find_writing(session, visit)
        most = runtime.settings.submissions_hourly
        outcome = submit_papers(session, ids, writer=writer, most_hourly=most, now=datetime.now(UTC))
    runtime.access.note_user_id(visit.name, writer.user_id)
    counts = (len(outcome.listed), len(outcome.asked))
    told = (
        name_notice("submitted-before", *counts, len(outcome.known))
        if outcome.known
        else name_notice("submitted", *counts)
    )
    is_one_here = len(ids) == 1 and not outcome.asked
    where = paper_path(ids[0]) if is_one_here else SUBMIT
    return see_other(visit.link(where), told=told)


def _show_again(request: Request, visit: Visit, form: Form, *, error: InvalidRequest | TooManyRequests) -> Response:
    trouble = f"{error.detail[:1].upper()}{error.detail[1:]}."
    draft = form.get("ids")[:LONGEST_DRAFT]
    answer = _show(request, read_runtime(request), visit, draft=draft, trouble=trouble, status=error.status)
    answer.headers.update(error.headers)
    return answer


def _show(
    request: Request, runtime: Runtime, visit: Visit, *, draft: str, trouble: str | None = None, status: int = 200
) -> Response:
    with runtime.db.read() as session:
        own = list_own(session, visit.user_id) if may_write(visit) else []
    return render(
        request,
        visit,
        "site/submit.html",
        status=status,
        own=[(one, paper_path(one.external_id)) for one in own],
        may_write=may_write(visit),
        draft=draft[:LONGEST_DRAFT],
        trouble=trouble,
    )
