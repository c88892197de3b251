"""Single papers for Hugging Face's clients: a record with its comments, and what is linked to one."""

from functools import partial
from typing import Final

import orjson
from fastapi import APIRouter, Request, Response

from api.routes.deps import RuntimeDep
from api.routes.hub import takes
from api.routes.hub_answers import KEEP_SECONDS, key_of, make_answer, shared_answer
from api.routes.hub_errors import hub_answers
from api.runtime.answers import Answer
from api.runtime.state import Runtime
from api.schemas.hub import EXAMPLE_RECORD, record_json, repos_json
from api.schemas.hub_comments import comments_json
from api.services.comments import read_thread
from api.services.daily import Voted, find_voted

router = APIRouter(tags=["hub"])

COMMENTS: Final = "comments"
_FIELD: Final = frozenset({"field"})


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


def _make_record(runtime: Runtime, paper_id: str, *, has_comments: bool) -> Answer:
    voted = _find(runtime, paper_id)
    record = record_json(voted.paper, upvotes=voted.upvotes, comments=voted.comments)
    if has_comments:
        with runtime.db.read() as session:
            record[COMMENTS] = comments_json(read_thread(session, voted.paper.paper_id, writer=None))
    return make_answer(orjson.dumps(record), route="/api/papers/{paper_id}")


def _make_repos(runtime: Runtime, paper_id: str) -> Answer:
    _find(runtime, paper_id)
    return make_answer(orjson.dumps(repos_json()), route="/api/arxiv/{paper_id}/repos")


def _find(runtime: Runtime, paper_id: str) -> Voted:
    with runtime.db.read() as session:
        return find_voted(session, paper_id)
