"""Single papers for Hugging Face's clients: a record, markdown, and what is linked to one."""

from functools import partial
from typing import Final

import orjson
from fastapi import APIRouter, Request, Response

from api.errors import NotFound
from api.routes.deps import RuntimeDep
from api.routes.hub import takes
from api.routes.hub_answers import KEEP_SECONDS, key_of, make_answer, shared_answer
from api.routes.hub_errors import hub_answers
from api.routes.hub_markdown import EXAMPLE_MARKDOWN, facts_of, links_of, markdown_of
from api.routes.rendering import page
from api.runtime.answers import Answer, Key
from api.runtime.state import Runtime
from api.schemas.hub import EXAMPLE_RECORD, record_json, repos_json
from api.services.daily import Voted, find_voted

router = APIRouter(tags=["hub"])

MARKDOWN: Final = "text/markdown"
MARKDOWN_TYPE: Final = b"text/markdown; charset=utf-8"
COMMENTS: Final = "comments"
_FIELD: Final = frozenset({"field"})
AS_MARKDOWN: Final = b"\0as markdown"  # in the place of a query, and none that a request can have


@router.get(
    "/api/arxiv/{paper_id:path}/repos",
    summary="What is linked to a paper",
    responses=hub_answers(repos_json(), 404),
)
def read_repos(request: Request, runtime: RuntimeDep, paper_id: str) -> Response:
    """Models, data sets and spaces: none are known here."""
    make = partial(_make_repos, runtime, paper_id)
    return shared_answer(runtime, request.scope, make, key=key_of(request), keep_seconds=KEEP_SECONDS)


@router.get(
    "/api/papers/{paper_id:path}",
    summary="One paper as a record",
    responses=hub_answers(EXAMPLE_RECORD, 404),
    openapi_extra=takes(field=("string", "`comments` adds the comments.")),
)
def read_record(request: Request, runtime: RuntimeDep, paper_id: str) -> Response:
    """By its id, with or without a version; old ids have a slash. The same for everybody."""
    has_comments = request.query_params.get("field") == COMMENTS
    make = partial(_make_record, runtime, paper_id, has_comments=has_comments)
    key = key_of(request, _FIELD if has_comments else frozenset())
    return shared_answer(runtime, request.scope, make, key=key, keep_seconds=KEEP_SECONDS)


@router.get(
    "/papers/{paper_id:path}.md",
    summary="One paper as markdown",
    responses=hub_answers(EXAMPLE_MARKDOWN, 404, media_type=MARKDOWN),
)
def read_markdown(request: Request, runtime: RuntimeDep, paper_id: str) -> Response:
    """Title, authors, abstract and links, to be read as they stand."""
    return _markdown(request, runtime, paper_id, key=key_of(request))


@router.get("/papers/{paper_id:path}", include_in_schema=False)
def read_page(request: Request, runtime: RuntimeDep, paper_id: str) -> Response:
    """A paper's page, or its markdown for who prefers that."""
    accept = request.headers.get("accept", "")
    if _prefers_markdown(accept):
        key = (request.scope["path"], AS_MARKDOWN)  # not the page, which has the same address
        return _markdown(request, runtime, paper_id, key=key)
    try:
        voted = _find(runtime, paper_id)
    except NotFound:
        if "text/html" not in accept:
            raise
        return page("nothing.html", status=404)
    facts = facts_of(voted.paper, votes=voted.paper.upvotes + voted.upvotes)
    answer = page("paper.html", paper=voted.paper, facts=facts, links=links_of(voted.paper))
    answer.headers["Vary"] = "Accept"
    return answer


def _markdown(request: Request, runtime: Runtime, paper_id: str, *, key: Key) -> Response:
    make = partial(_make_markdown, runtime, paper_id)
    return shared_answer(runtime, request.scope, make, key=key, keep_seconds=KEEP_SECONDS)


def _make_record(runtime: Runtime, paper_id: str, *, has_comments: bool) -> Answer:
    voted = _find(runtime, paper_id)
    record = record_json(voted.paper, upvotes=voted.upvotes)
    if has_comments:
        record[COMMENTS] = []  # nobody can write any here
    return make_answer(orjson.dumps(record), route="/api/papers/{paper_id}")


def _make_markdown(runtime: Runtime, paper_id: str) -> Answer:
    voted = _find(runtime, paper_id)
    body = markdown_of(voted.paper, votes=voted.paper.upvotes + voted.upvotes).encode()
    return make_answer(body, route="/papers/{paper_id}.md", content_type=MARKDOWN_TYPE, vary=b"Accept")


def _make_repos(runtime: Runtime, paper_id: str) -> Answer:
    _find(runtime, paper_id)
    return make_answer(orjson.dumps(repos_json()), route="/api/arxiv/{paper_id}/repos")


def _find(runtime: Runtime, paper_id: str) -> Voted:
    with runtime.db.read() as session:
        return find_voted(session, paper_id)


def _prefers_markdown(accept: str) -> bool:
    """True when markdown is asked for by name and before pages."""
    names = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if MARKDOWN not in names:
        return False
    return "text/html" not in names or names.index(MARKDOWN) < names.index("text/html")
