"""A reader's library as pages: saved papers with tags and notes, those that are waited for, and files of all of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidCursor, NotFound
from api.routes.deps import RuntimeDep
from api.routes.site.asking import address
from api.routes.site.cards import CardView, card_views
from api.routes.site.forms import Form
from api.routes.site.notices import NOTICES
from api.routes.site.visiting import Visit, VisitDep, finish, read_form, render, see_other
from api.runtime.state import Runtime
from api.services import library_pages, pending_papers, saving
from api.services.bibliography import FORMATS
from api.services.bibliography.reference import LONGEST_NOTE
from api.services.library_pages import ShelfPage

router = APIRouter(include_in_schema=False)

PATH: Final = "/library"
PENDING: Final = "/library/pending"
PAPERS_A_PAGE: Final = 25
WANTED_A_PAGE: Final = 100
PART: Final = 65_536  # characters of a file that are sent together
LONGEST_TAGS: Final = 4_000  # characters of the field
LONGEST_NUMBER: Final = 18  # digits
TOO_OLD: Final = "The page you asked for is of another list, or too old: here is the beginning."
NOTICES["words"] = "Tags and note are kept."
NOTICES["words-left-out"] = "The note is kept; tags that are too long or too many are left out: {}."
NOTICES["forgotten"] = "You wait for this paper no longer."
EXPORTS: Final = tuple((one.title, one.name) for one in FORMATS.values() if one.write is not None)


@dataclass(frozen=True, slots=True)
class ShelfView:
    """A saved paper on the page."""

    card: CardView
    saved_on: str
    tags: tuple[str, ...]
    note: str


@router.get(PATH)
def read_library(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Saved papers, last saved first: all of them, those of a tag, or those that hold words."""
    q, tag, cursor = (request.query_params.get(name, "").strip() for name in ("q", "tag", "cursor"))
    notes: list[str] = []
    try:
        page = _read(runtime, visit, words=q, tag=tag, cursor=cursor)
    except InvalidCursor:
        cursor, notes = "", [TOO_OLD]
        page = _read(runtime, visit, words=q, tag=tag, cursor="")
    views = _views(runtime, visit, page)
    following = address(PATH, q=q, tag=tag, cursor=page.following) if page.following else None
    return render(
        request,
        visit,
        "site/library.html",
        views=views,
        shelf=page,
        notes=notes,
        q=q,
        tag=tag,
        tags=[(one.tag, one.papers, address(PATH, q=q, tag=one.tag)) for one in page.tags],
        without_tag=address(PATH, q=q),
        pages=(address(PATH, q=q, tag=tag) if cursor else None, following),
        exports=EXPORTS,
        longest_note=LONGEST_NOTE,
        longest_tags=LONGEST_TAGS,
    )


@router.post("/library/words")
async def post_words(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Replace the tags and the note of a saved paper."""
    form = await read_form(request, visit)
    left_out = await run_in_threadpool(_write_words, runtime, visit, form)
    told = f"words-left-out.{left_out}" if left_out else "words"
    where = form.get("back").partition("#")[0]
    paper = form.get("paper")
    is_plain = paper.isascii() and paper.isprintable() and " " not in paper
    response = see_other(f"{where}#p-{paper}" if is_plain else where, told=told)
    finish(request, visit, response)
    return response


@router.get("/library/words")
def read_words() -> Response:
    """Whoever loads the address of the form is led to the library."""
    return see_other(PATH)


@router.get(PENDING)
def read_pending(request: Request, runtime: RuntimeDep, visit: VisitDep, after: str = "0") -> Response:
    """Papers that are wanted and not here yet, and what is done about each."""
    with runtime.db.read() as session:
        found, following = pending_papers.list_pending(
            session, visit.user_id, after=_number(after), limit=WANTED_A_PAGE
        )
    pages = (PENDING if _number(after) else None, address(PENDING, after=following) if following else None)
    return render(
        request,
        visit,
        "site/pending.html",
        pending=found,
        pages=pages,
        asks_arxiv=runtime.settings.asks_arxiv,
    )


@router.post(PENDING)
async def post_pending(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Wait for a paper no longer."""
    form = await read_form(request, visit)
    await run_in_threadpool(_forget, runtime, visit, _number(form.get("forget")))
    response = see_other(form.get("back"), told="forgotten")
    finish(request, visit, response)
    return response


@router.get("/library/export.{name}")
def read_export(runtime: RuntimeDep, visit: VisitDep, name: str) -> Response:
    """All of the library as a file, written while it is read."""
    form = FORMATS.get(name)
    if form is None or form.write is None:
        raise NotFound(f"a library is written as {', '.join(ending for _, ending in EXPORTS)}", format=name[:20])
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'attachment; filename="library-{datetime.now(UTC):%Y-%m-%d}.{name}"',
    }
    parts = _in_parts(form.write(library_pages.export_library(runtime.db, visit.user_id)))
    return StreamingResponse(parts, media_type=form.media_type, headers=headers)


def _read(runtime: Runtime, visit: Visit, *, words: str, tag: str, cursor: str) -> ShelfPage:
    with runtime.db.read() as session:
        return library_pages.read_shelf(
            session,
            runtime.keys,
            visit.user_id,
            words=words,
            tag=tag,
            cursor=cursor or None,
            limit=PAPERS_A_PAGE,
        )


def _views(runtime: Runtime, visit: Visit, page: ShelfPage) -> Sequence[ShelfView]:
    cards = {card.paper_id: card for card in card_views(runtime, [one.paper.paper_id for one in page.items], visit)}
    return [
        ShelfView(
            cards[one.paper.external_id],
            f"{one.paper.saved_at:%Y-%m-%d}" if one.paper.saved_at else "",
            one.tags,
            one.paper.note or "",
        )
        for one in page.items
        if one.paper.external_id in cards
    ]


def _write_words(runtime: Runtime, visit: Visit, form: Form) -> int:
    """Return how many tags were left out."""
    with runtime.db.write() as session:
        paper_id = library_pages.find_saved(session, visit.user_id, form.get("paper"))
        user_id = visit.user_id or 0  # of nobody it is not found
        saving.write_note(session, user_id, paper_id, form.get("note"), now=datetime.now(UTC))
        return len(saving.write_tags(session, user_id, paper_id, [form.get("tags")[:LONGEST_TAGS]]))


def _forget(runtime: Runtime, visit: Visit, want_id: int) -> None:
    with runtime.db.write() as session:
        pending_papers.forget_pending(session, visit.user_id, want_id)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else 0


def _in_parts(texts: Iterable[str]) -> Iterator[bytes]:
    """Give small texts together."""
    waiting: list[str] = []
    size = 0
    for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= PART:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    yield "".join(waiting).encode()
