"""A public collection as a page, where the address that clients give for it leads."""

from fastapi import APIRouter, Request, Response

from api.routes.deps import RuntimeDep
from api.routes.site.cards import paper_path
from api.routes.site.visiting import VisitDep, render
from api.services import collections
from api.services.collections import Viewer

router = APIRouter(include_in_schema=False)


@router.get("/collections/{owner}/{slug}")
def read_page(request: Request, runtime: RuntimeDep, visit: VisitDep, owner: str, slug: str) -> Response:
    """What anybody may see of it; private ones are not there for browsers, which bring no token."""
    with runtime.db.read() as session:
        shown = collections.read_collection(session, Viewer(), owner, slug)
    items = [(paper_path(item.external_id), item) for item in shown.items]
    return render(request, visit, "site/collection.html", collection=shown.facts, items=items)
