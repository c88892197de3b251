"""A collection as a page, where the address that clients give for it leads."""

from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from api.errors import NotFound
from api.routes.deps import RuntimeDep
from api.routes.error_pages import wants_page
from api.routes.site.cards import paper_path
from api.routes.site.visiting import VisitDep, render
from api.services import collections
from api.services.collections import Viewer
from api.services.hub_names import reader_of_name

router = APIRouter(include_in_schema=False)


@router.get("/collections/{owner}/{slug}")
def read_page(request: Request, runtime: RuntimeDep, visit: VisitDep, owner: str, slug: str) -> Response:
    """The papers of a public collection, or of one of the visitor's own.

    A private one of somebody else looks as one that is not there, in the same words.
    """
    viewer = Viewer(visit.user_id, visit.name)
    try:
        with runtime.db.read() as session:
            shown = collections.read_collection(session, viewer, owner, slug)
    except NotFound:
        if not wants_page(request.scope):
            raise
        values = {"owner": reader_of_name(owner), "address": quote(f"/collections/{owner}/{slug}")}
        return render(request, visit, "site/no_collection.html", status=404, **values)
    items = [(paper_path(item.external_id), item) for item in shown.items]
    return render(request, visit, "site/collection.html", collection=shown.facts, items=items)
