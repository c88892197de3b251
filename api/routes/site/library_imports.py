"""Libraries from other programs: files, lists of ids and Zotero, each with a report of what became of every entry."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api import queue
from api.errors import Conflict, InvalidRequest, NotFound, Unavailable
from api.routes.deps import RuntimeDep
from api.routes.site.asking import Link, address, page_links, read_page_number
from api.routes.site.forms import Form
from api.routes.site.importing import import_into_library
from api.routes.site.visiting import Visit, VisitDep, finish, read_form, render, see_other
from api.runtime.state import Runtime
from api.services import import_jobs, library_import
from api.services.bibliography import FORMATS, ReadReferences, decode_text, detect_format, read_text
from api.services.library_import import Fate, count_fates

router = APIRouter(include_in_schema=False)

PATH: Final = "/library/import"
MOST_BYTES: Final = 16 * 1024 * 1024  # 5,000 entries with long abstracts are 10 MB
ENTRIES_A_PAGE: Final = 200
READ_AT_ONCE: Final = 2  # files in one process: reading takes seconds of its processor
TURN_SECONDS: Final = 10.0
LONGEST_NUMBER: Final = 18  # digits
TITLES: Final = {name: one.title for name, one in FORMATS.items()} | {import_jobs.ZOTERO: "Zotero"}
FATES: Final[dict[Fate, str]] = {  # in the order in which a reader wants to know
    "unreadable": "Not imported",
    "pending": "Kept until it comes",
    "fetching": "Being fetched",
    "saved": "Saved now",
    "there": "Saved before",
}
_turns: Final = threading.BoundedSemaphore(READ_AT_ONCE)


@dataclass(frozen=True, slots=True)
class _Given:
    """What a form brought."""

    source: str
    found: ReadReferences


@router.get(PATH)
def read_import(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """The forms, and the imports of before."""
    return _show(request, runtime, visit)


@router.post(PATH)
async def post_import(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Import a file or a pasted text."""
    form = await read_form(request, visit)
    given = await run_in_threadpool(_read_given, form)
    if given is None:
        problem = "Choose a file, or paste what is to be imported."
        return await run_in_threadpool(partial(_show, request, runtime, visit, problem=problem))
    done = await import_into_library(runtime, visit, given.found, source=given.source)
    return _led_to(request, visit, done.import_id)


@router.post("/library/zotero")
async def post_zotero(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Have a library of Zotero imported by a worker."""
    form = await read_form(request, visit)
    try:
        import_id = await run_in_threadpool(_request_zotero, runtime, visit, form)
    except (InvalidRequest, Conflict) as error:
        problem = f"{error.detail[:1].upper()}{error.detail[1:]}."
        return await run_in_threadpool(partial(_show, request, runtime, visit, zotero_problem=problem))
    return _led_to(request, visit, import_id)


@router.get("/library/zotero")
def read_zotero() -> Response:
    """Whoever loads the address of the form is led to it."""
    return see_other(PATH)


@router.get("/library/imports/{number}")
def read_import_report(request: Request, runtime: RuntimeDep, visit: VisitDep, number: str, fate: str = "") -> Response:
    """What became of every entry of an import."""
    if not (number.isascii() and number.isdecimal() and len(number) <= LONGEST_NUMBER):
        raise NotFound("imports are numbered")
    with runtime.db.read() as session:
        report = import_jobs.read_report(session, visit.user_id, int(number))
    counts = count_fates(report.outcomes)
    there = [one for one in FATES if counts[one]] or ["saved"]
    chosen: Fate = next((one for one in there if one == fate), there[0])
    page = read_page_number(request.query_params)
    path = request.url.path
    found = [one for one in report.outcomes if one.fate == chosen]
    shown = found[(page - 1) * ENTRIES_A_PAGE : page * ENTRIES_A_PAGE]
    links = [
        Link(f"{words} ({counts[one]:,})", address(path, fate=one), is_here=one == chosen)
        for one, words in FATES.items()
        if counts[one]
    ]
    return render(
        request,
        visit,
        "site/import_report.html",
        report=report,
        title=TITLES.get(report.source, report.source),
        counts=counts,
        links=links,
        heading=FATES[chosen],
        entries=shown,
        pages=page_links(path, page=page, has_more=len(found) > page * ENTRIES_A_PAGE, fate=chosen),
        asks_arxiv=runtime.settings.asks_arxiv,
    )


def _show(
    request: Request,
    runtime: Runtime,
    visit: Visit,
    *,
    problem: str = "",
    zotero_problem: str = "",
) -> Response:
    with runtime.db.read() as session:
        reports = import_jobs.list_reports(session, visit.user_id)
    return render(
        request,
        visit,
        "site/import.html",
        status=422 if problem or zotero_problem else 200,
        formats=[(one.name, one.title) for one in FORMATS.values()],
        megabytes=MOST_BYTES // 1024**2,
        reports=[(one, TITLES.get(one.source, one.source)) for one in reports],
        problem=problem,
        zotero_problem=zotero_problem,
    )


def _led_to(request: Request, visit: Visit, import_id: int) -> Response:
    response = see_other(visit.link(f"/library/imports/{import_id}"))
    finish(request, visit, response)
    return response


def _read_given(form: Form) -> _Given | None:
    """Return what a form brought, None where that is nothing."""
    data = form.file("file")
    text = form.get("text") if data is None else ""
    if not (data or text):
        return None
    with _turn():
        text = text.replace("\r\n", "\n") or decode_text(data or b"")
        if not text.strip():
            return None
        name = form.get("format")
        source = name if name in FORMATS else detect_format(text)
        return _Given(source, read_text(text, name=source))


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=TURN_SECONDS):
        raise Unavailable("others are importing just now: send the form again in a minute")
    try:
        yield
    finally:
        _turns.release()


def _request_zotero(runtime: Runtime, visit: Visit, form: Form) -> int:
    now = datetime.now(UTC)
    with runtime.db.write() as session:
        user_id = library_import.find_reader(session, visit.name, now=now)
        import_id = import_jobs.request_zotero(session, user_id, key=form.get("key"), group=form.get("group"), now=now)
    queue.send(queue.IMPORT_LIBRARIES)
    return import_id
