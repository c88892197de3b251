"""Pages for people: the start page, on which a newcomer watches the feed learn, and the API's description."""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode

import jinja2
from fastapi import APIRouter, Request, Response
from markupsafe import Markup, escape
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest, NotAllowed, NotFound
from api.routes.acting import act, is_trusted, read_reader_name
from api.routes.columns import Column, read_for_you, read_shared_columns
from api.routes.deps import RuntimeDep
from api.routes.reference import describe
from api.runtime.state import Runtime
from api.services import overview

router = APIRouter(include_in_schema=False)

WEB: Final = Path(__file__).parent.parent / "web"
STATIC_TYPES: Final = {"paperfeed.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}
STATIC_HEADERS: Final = {"Cache-Control": "public, max-age=86400"}


@router.get("/")
async def read_start_page(request: Request, runtime: RuntimeDep, reader: str = "") -> Response:
    """Latest, trending and, on this machine, the feed of a reader who can be picked."""
    may_act = is_trusted(request, runtime.settings)
    name = read_reader_name(reader) if may_act and reader else None
    try:
        state = await run_in_threadpool(_read_overview, runtime)
        columns = [*(await run_in_threadpool(read_shared_columns, runtime)), await read_for_you(runtime, name)]
    except SQLAlchemyError:
        return _page("away.html", status=503)
    cache_is_up = await run_in_threadpool(runtime.feeds.ping)
    return _page(
        "start.html",
        columns=columns,
        state=state,
        may_act=may_act,
        reader=name,
        cache_is_up=cache_is_up,
        is_demonstration=state.is_demonstration or any(_shows_demonstration(column) for column in columns),
        now=datetime.now(UTC),
    )


@router.post("/page/act")
async def post_act(request: Request, runtime: RuntimeDep) -> Response:
    """Save or dismiss a paper for the picked reader, then show the page again."""
    if not is_trusted(request, runtime.settings, is_writing=True):
        raise NotAllowed("this form works on the machine that runs the embedded service, from its own page only")
    try:
        fields = parse_qs((await request.body()).decode(), max_num_fields=10)
    except ValueError:
        raise InvalidRequest("the form cannot be read") from None
    values = {name: found[0] for name, found in fields.items()}
    reader = read_reader_name(values.get("reader", ""))
    await act(runtime, reader=reader, kind=values.get("kind", ""), paper_id=values.get("paper", ""))
    where = f"/?{urlencode({'reader': reader})}#for-you"
    return Response(status_code=303, headers={"Location": where, "Cache-Control": "no-store"})


@router.get("/docs")
def read_docs(request: Request) -> Response:
    """The API, told from its OpenAPI document: nothing is loaded from elsewhere."""
    return _page("docs.html", document=request.app.openapi(), groups=describe(request.app.openapi()))


@router.get("/static/{name}")
def read_static(name: str) -> Response:
    """One of the few files that pages use."""
    if name not in STATIC_TYPES:
        raise NotFound(f"there is no file {name!r}", name=name)
    return Response(_static(name), media_type=STATIC_TYPES[name], headers=STATIC_HEADERS)


def _read_overview(runtime: Runtime) -> overview.Overview:
    with runtime.db.read() as session:
        return overview.read_overview(session, runtime.serving.current)


def _shows_demonstration(column: Column) -> bool:
    return any(card.is_demonstration for card in column.cards)


def _page(template: str, *, status: int = 200, **values: object) -> Response:
    html = _templates().get_template(template).render(values)
    return Response(html, status_code=status, media_type="text/html; charset=utf-8", headers=PAGE_HEADERS)


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    environment.globals["stylesheet"] = (
        f"/static/paperfeed.css?v={hashlib.sha256(_static('paperfeed.css')).hexdigest()[:8]}"
    )
    return environment


def _prose(text: str) -> Markup:
    """A sentence as HTML, with what stands between backticks as code."""
    parts = [
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


@lru_cache(maxsize=8)
def _static(name: str) -> bytes:
    return (WEB / "static" / name).read_bytes()
