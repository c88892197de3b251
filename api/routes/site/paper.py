"""A paper's page, and the same paper as markdown and as an entry for BibTeX."""

from datetime import UTC, datetime
from functools import partial
from typing import Final

import orjson
from fastapi import APIRouter, Request, Response

from api.errors import NotFound
from api.ids import is_arxiv_id, normalised_id
from api.routes.deps import RuntimeDep
from api.routes.hub_answers import KEEP_SECONDS, key_of, make_answer, shared_answer
from api.routes.hub_errors import hub_answers
from api.routes.hub_markdown import EXAMPLE_MARKDOWN, markdown_of
from api.routes.site.cards import Shown, make_card, read_marks
from api.routes.site.paper_views import PaperView, tell_arrival, view_of
from api.routes.site.visiting import Visit, VisitDep, render
from api.routes.site.writing import may_write, writer_of
from api.runtime.answers import Answer, Key
from api.runtime.state import Runtime
from api.services.daily import find_voted
from api.services.paper_pages import (
    Arrival,
    PaperPage,
    bibtex_of,
    read_arrival,
    read_paper_page,
    reason_in,
    write_page_slate,
)
from api.services.reasons import named_papers, tell
from api.store.paper_marks import Marks

router = APIRouter()

MARKDOWN: Final = "text/markdown"
MARKDOWN_TYPE: Final = b"text/markdown; charset=utf-8"
BIBTEX_TYPE: Final = b"application/x-bibtex; charset=utf-8"
AS_MARKDOWN: Final = b"\0as markdown"  # in the place of a query, and none that a request can have
SIMILAR: Final = 6  # papers like this one
CLICKED: Final = "click"  # what the beacon reports of a page that a list outside the site led to


@router.get(
    "/papers/{paper_id:path}.md",
    tags=["hub"],
    summary="One paper as markdown",
    responses=hub_answers(EXAMPLE_MARKDOWN, 404, media_type=MARKDOWN),
)
def read_markdown(request: Request, runtime: RuntimeDep, paper_id: str) -> Response:
    """Title, authors, abstract and links, to be read as they stand."""
    return _markdown(request, runtime, paper_id, key=key_of(request))


@router.get("/papers/{paper_id:path}.bib", include_in_schema=False)
def read_bibtex(request: Request, runtime: RuntimeDep, paper_id: str) -> Response:
    """How to cite a paper."""
    make = partial(_make_bibtex, runtime, paper_id)
    return shared_answer(runtime, request.scope, make, key=key_of(request), keep_seconds=KEEP_SECONDS)


@router.get("/papers/{paper_id:path}", include_in_schema=False)
def read_page(request: Request, runtime: RuntimeDep, visit: VisitDep, paper_id: str, slate: str = "") -> Response:
    """A paper's page, or its markdown for who prefers that."""
    accept = request.headers.get("accept", "")
    if _prefers_markdown(accept):
        key = (request.scope["path"], AS_MARKDOWN)  # not the page, which has the same address
        return _markdown(request, runtime, paper_id, key=key)
    try:
        with runtime.db.read() as session:
            page = read_paper_page(session, paper_id, writer=writer_of(visit))
    except NotFound as error:
        if "text/html" not in accept:
            raise
        words = {"wanted": _wanted(paper_id), "problem": error.detail, "may_write": may_write(visit)}
        return render(request, visit, "site/no_paper.html", status=404, **words)
    return render_paper(request, runtime, visit, page, slate=slate)


def render_paper(
    request: Request,
    runtime: Runtime,
    visit: Visit,
    page: PaperPage,
    *,
    slate: str = "",
    status: int = 200,
    **said: object,
) -> Response:
    """Return the page of a paper; `said` is what was wrong with a comment, and its text."""
    paper, now = page.paper, datetime.now(UTC)
    arrival = read_arrival(runtime.keys, slate, paper.paper_id, now=now, days=runtime.settings.slate_days)
    marks = read_marks(runtime, [paper.external_id], visit)
    similar = runtime.similar.find(paper.paper_id)
    values = {
        "view": _view(page, marks),
        "page": page,
        "marks": marks,
        "bibtex": bibtex_of(paper),
        "slate": _slate(runtime, visit, page, arrival, now=now),
        "clicked": CLICKED if arrival is not None else "",
        "reason": _why(runtime, visit, page, arrival),
        "similar": None if similar is None else _cards(runtime, similar, visit),
        "may_write": may_write(visit),
        "is_moderator": (writer := writer_of(visit)) is not None and writer.is_moderator,
        "trouble": None,
        "draft": "",
        "answered": None,
    }
    return render(request, visit, "site/paper.html", status=status, **{**values, **said})


def _view(page: PaperPage, marks: Marks) -> PaperView:
    name = page.paper.external_id
    return view_of(page, is_saved=name in marks.saved, is_upvoted=name in marks.upvoted)


def _slate(runtime: Runtime, visit: Visit, page: PaperPage, arrival: Arrival | None, *, now: datetime) -> str | None:
    """The list that led here, or that of a page asked for by itself; None where nobody is to be told anything."""
    if arrival is not None:
        return arrival.slate
    if visit.slate_reader is None:
        return None
    variant = runtime.settings.variant
    return write_page_slate(runtime.keys, page.paper.paper_id, user_id=visit.slate_reader, variant=variant, now=now)


def _why(runtime: Runtime, visit: Visit, page: PaperPage, arrival: Arrival | None) -> str | None:
    """Why the visitor's list has the paper, else what the list that led here says about it."""
    served = runtime.serving.current
    if visit.user_id is not None and served is not None:
        feed = runtime.feeds.read_list(visit.user_id, version=served.version)
        reason = reason_in(feed, page.paper.paper_id)
        if reason is not None:
            named = runtime.papers.load(named_papers([reason]))
            return tell(reason, {paper_id: rendered.title for paper_id, rendered in named.items()})
    return None if arrival is None else tell_arrival(arrival)


def _cards(runtime: Runtime, paper_ids: tuple[int, ...], visit: Visit) -> list[object]:
    """What is like the paper, without what was withdrawn since it was found; no SQL once the papers are rendered."""
    found = runtime.papers.get_many(paper_ids)
    papers = (orjson.loads(found[paper_id]) for paper_id in paper_ids if paper_id in found)
    shown = [Shown(paper) for paper in papers if paper["withdrawn_at"] is None]
    return [make_card(item, Marks(), visit) for item in shown[:SIMILAR]]


def _wanted(name: str) -> str | None:
    """The arXiv id that was asked for, None for any other text."""
    try:
        external_id = normalised_id(name)
    except ValueError:
        return None
    return external_id if is_arxiv_id(external_id) else None


def _markdown(request: Request, runtime: Runtime, paper_id: str, *, key: Key) -> Response:
    make = partial(_make_markdown, runtime, paper_id)
    return shared_answer(runtime, request.scope, make, key=key, keep_seconds=KEEP_SECONDS)


def _make_markdown(runtime: Runtime, paper_id: str) -> Answer:
    with runtime.db.read() as session:
        voted = find_voted(session, paper_id)
    body = markdown_of(voted.paper, votes=voted.paper.upvotes + voted.upvotes).encode()
    return make_answer(body, route="/papers/{paper_id}.md", content_type=MARKDOWN_TYPE, vary=b"Accept")


def _make_bibtex(runtime: Runtime, paper_id: str) -> Answer:
    with runtime.db.read() as session:
        voted = find_voted(session, paper_id)
    body = bibtex_of(voted.paper).encode("utf-8", "replace")
    return make_answer(body, route="/papers/{paper_id}.bib", content_type=BIBTEX_TYPE, vary=b"Accept")


def _prefers_markdown(accept: str) -> bool:
    """True when markdown is asked for by name and before pages."""
    names = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if MARKDOWN not in names:
        return False
    return "text/html" not in names or names.index(MARKDOWN) < names.index("text/html")
