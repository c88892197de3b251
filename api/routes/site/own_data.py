"""What a reader may do with all that is kept about them: take it along, or have it removed."""

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.errors import NotFound
from api.routes.deps import RuntimeDep
from api.routes.erasing import erase
from api.routes.site.arriving import leave, now
from api.routes.site.visiting import Visit, VisitDep, read_form, render, see_other
from api.runtime.state import Runtime
from api.services.exporting import export_reader

router = APIRouter(include_in_schema=False)

ERASED: Final = "erased"
CONFIRMED: Final = "yes"


@router.get("/settings/data")
def read_data_page(request: Request, visit: VisitDep) -> Response:
    """Say what the file holds, and lead to it."""
    return render(request, visit, "site/own_data.html")


@router.get("/settings/data/export.json")
def read_export(runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Everything that is kept about the visitor, as it is read from the database."""
    made_at = now()
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'attachment; filename="paperfeed-data-{made_at:%Y-%m-%d}.json"',
    }
    parts = export_reader(runtime.db.read, visit.user_id, now=made_at)
    return StreamingResponse(parts, media_type="application/json", headers=headers)


@router.get("/settings/delete")
def read_delete_page(request: Request, visit: VisitDep) -> Response:
    """Say what goes and what stays, and ask."""
    return render(request, visit, "site/delete.html", is_unsure=False)


@router.post("/settings/delete")
async def post_delete(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Remove everything about the visitor, at once."""
    form = await read_form(request, visit)
    if form.get("sure") != CONFIRMED:
        return render(request, visit, "site/delete.html", status=422, is_unsure=True)
    await run_in_threadpool(_erase, runtime, visit)
    response = see_other("/", told=ERASED)
    return response if visit.is_picked else leave(request, runtime, response)


def _erase(runtime: Runtime, visit: Visit) -> None:
    if visit.user_id is None:
        return
    try:
        erase(runtime, visit.user_id, by="operator" if visit.is_picked else "reader")
    except NotFound:  # gone already: what was asked for
        return
