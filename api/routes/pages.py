"""Pages for people: the start page, on which a newcomer watches the feed learn, and the API's description."""

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest, NotAllowed, NotFound, ServiceError
from api.routes.acting import act, is_trusted, read_reader_name
from api.routes.columns import Column, Visitor, age, find_visitor, read_for_you, read_shared_columns
from api.routes.deps import RuntimeDep
from api.routes.notes import name_failure, read_note
from api.routes.reference import describe
from api.routes.rendering import fingerprint, page, static_file
from api.routes.visitors import issue_reader, read_reader
from api.runtime.state import Runtime
from api.services import overview

router = APIRouter(include_in_schema=False)

STATIC_TYPES: Final = {"paperfeed.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
STATIC_HEADERS: Final = {"Cache-Control": "public, max-age=86400"}
BEACON_HEADERS: Final = {
    "Cache-Control": "public, max-age=3600, stale-while-revalidate=86400",
    "Access-Control-Allow-Origin": "*",  # for pages that load it with `crossorigin` and an integrity hash
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@router.get("/")
async def read_start_page(
    request: Request, runtime: RuntimeDep, reader: str = "", told: str = "", paper: str = ""
) -> Response:
    """Latest, trending and, on this machine, the feed of a reader who can be picked."""
    may_act = is_trusted(request, runtime.settings)
    status = 200
    try:
        name = read_reader_name(reader) if may_act and reader else None
    except InvalidRequest as error:
        name, told, status = None, name_failure(error), error.status
    try:
        note = await run_in_threadpool(read_note, runtime, told, paper_id=paper) if may_act else None
        visitor = await run_in_threadpool(find_visitor, runtime, name, cookie=_read_cookie(request, runtime))
        shared = await run_in_threadpool(read_shared_columns, runtime, visitor)
        columns = [*shared, await read_for_you(runtime, _shown_for_you(visitor, may_act=may_act))]
        state = await run_in_threadpool(_read_overview, runtime)  # after the feed, which may have loaded the model
    except SQLAlchemyError:
        return page("away.html", status=503)
    cache_is_up = await run_in_threadpool(runtime.feeds.ping)
    response = page(
        "start.html",
        status=status,
        note=note,
        has_failed=bool(runtime.serving.failure),
        columns=columns,
        state=state,
        may_act=may_act,
        reader=name,
        cache_is_up=cache_is_up,
        is_demonstration=state.is_demonstration or any(_shows_demonstration(column) for column in columns),
        papers_age=_tell_age(runtime, now=datetime.now(UTC)),
        now=datetime.now(UTC),
    )
    issue_reader(response, request.scope, runtime.keys, runtime.settings)
    return response


@router.post("/page/act")
async def post_act(request: Request, runtime: RuntimeDep) -> Response:
    """Save or dismiss a paper for the picked reader, or take it back, then show the page again with what came of it."""
    if not is_trusted(request, runtime.settings, is_writing=True):
        raise NotAllowed("this form works on the machine that runs the embedded service, from its own page only")
    query: dict[str, str] = {}
    try:
        values = _read_form(await request.body())
        query["reader"] = read_reader_name(values.get("reader", ""))
        kind, paper_id = values.get("kind", ""), values.get("paper", "")
        await act(runtime, reader=query["reader"], kind=kind, paper_id=paper_id)
        query |= {"told": kind, "paper": paper_id}
    except ServiceError as error:
        query["told"] = name_failure(error)
    where = f"/?{urlencode(query)}#for-you"
    return Response(status_code=303, headers={"Location": where, "Cache-Control": "no-store"})


@router.get("/docs")
def read_docs(request: Request) -> Response:
    """The API, told from its OpenAPI document: nothing is loaded from elsewhere."""
    return page("docs.html", document=request.app.openapi(), groups=describe(request.app.openapi()))


@router.get("/static/{name}")
def read_static(name: str) -> Response:
    """One of the few files that pages use."""
    if name not in STATIC_TYPES:
        raise NotFound(f"there is no file {name!r}", name=name)
    return Response(static_file(name), media_type=STATIC_TYPES[name], headers=STATIC_HEADERS)


@router.get("/beacon.js")
def read_beacon(request: Request) -> Response:
    """The script that tells what was seen, opened and read; pages of any site may load it."""
    headers = {**BEACON_HEADERS, "ETag": f'"{fingerprint("beacon.js")}"'}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if "*" in known or headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    return Response(static_file("beacon.js"), media_type="text/javascript; charset=utf-8", headers=headers)


def _read_cookie(request: Request, runtime: Runtime) -> str | None:
    return read_reader(request.scope, runtime.keys, days=runtime.settings.reader_cookie_days)


def _shown_for_you(visitor: Visitor, *, may_act: bool) -> Visitor:
    """The operator picks a reader to look at; what their own browser has read is not one of them."""
    return visitor if visitor.is_picked or not may_act else Visitor(None, None)


def _read_form(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(body.decode(), max_num_fields=10)
    except ValueError:
        raise InvalidRequest("the form cannot be read") from None
    return {name: found[0] for name, found in fields.items()}


def _read_overview(runtime: Runtime) -> overview.Overview:
    with runtime.db.read() as session:
        return overview.read_overview(session, runtime.serving.current)


def _tell_age(runtime: Runtime, *, now: datetime) -> str | None:
    """Return how old the papers are where that is worth a line."""
    as_of = runtime.freshness.as_of
    if as_of is None or now - as_of < timedelta(days=runtime.settings.source_old_days):
        return None
    return age(as_of, now=now)


def _shows_demonstration(column: Column) -> bool:
    return any(card.is_demonstration for card in column.cards)
