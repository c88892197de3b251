"""The first page: the papers of the newest day that has any."""

from fastapi import APIRouter, Request, Response

from api.routes.deps import RuntimeDep
from api.routes.site.daily import answer_today
from api.routes.site.visiting import VisitDep

router = APIRouter(include_in_schema=False)


@router.get("/")
async def read_today(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Today's papers; on this machine, any reader can be picked to look as they do."""
    return await answer_today(request, runtime, visit)
