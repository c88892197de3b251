"""Files that pages load, and the API's description for people."""

from typing import Final

from fastapi import APIRouter, Depends, Request, Response

from api.errors import NotFound
from api.routes.reference import describe
from api.routes.rendering import fingerprint, static_file
from api.routes.site.banners import know_conditions
from api.routes.site.visiting import VisitDep, render

router = APIRouter(include_in_schema=False)

STATIC_TYPES: Final = {
    "paperfeed.css": "text/css; charset=utf-8",
    "site.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "icon-180.png": "image/png",
    "icon-192.png": "image/png",
    "icon-512.png": "image/png",
}
STATIC_HEADERS: Final = {"Cache-Control": "public, max-age=86400"}
# An address with the fingerprint of what it gives never gives anything else.
FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
BEACON_HEADERS: Final = {
    "Cache-Control": "public, max-age=3600, stale-while-revalidate=86400",
    "Access-Control-Allow-Origin": "*",  # for pages that load it with `crossorigin` and an integrity hash
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@router.get("/docs", dependencies=[Depends(know_conditions)])
def read_docs(request: Request, visit: VisitDep) -> Response:
    """The API, told from its OpenAPI document: nothing is loaded from elsewhere."""
    document = request.app.openapi()
    return render(request, visit, "site/docs.html", document=document, groups=describe(document))


@router.get("/static/{name}")
def read_static(name: str, v: str = "") -> Response:
    """One of the few files that pages use."""
    if name not in STATIC_TYPES:
        raise NotFound(f"there is no file {name!r}", name=name)
    headers = FOR_EVER if v == fingerprint(name) else STATIC_HEADERS
    return Response(static_file(name), media_type=STATIC_TYPES[name], headers=headers)


@router.get("/beacon.js")
def read_beacon(request: Request) -> Response:
    """The script that tells what was seen, opened and read; pages of any site may load it."""
    headers = {**BEACON_HEADERS, "ETag": f'"{fingerprint("beacon.js")}"'}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if "*" in known or headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    return Response(static_file("beacon.js"), media_type="text/javascript; charset=utf-8", headers=headers)
