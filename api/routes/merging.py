"""Signing in: an anonymous reader's history becomes the account's."""

from datetime import UTC, datetime
from typing import Final

import orjson
import sqlalchemy as sa
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest
from api.routes.bodies import read_body
from api.routes.deps import RuntimeDep, WritingReader
from api.routes.problems import answers
from api.routes.visitors import COOKIE, open_reader, read_reader
from api.runtime.group_commit import OVERTAKEN
from api.runtime.state import Runtime
from api.schemas.letters import EXAMPLE_MERGED, MergedOut
from api.services import merging

router = APIRouter(prefix="/v1/me", tags=["reader"])

MOST_BODY_BYTES: Final = 4096
ATTEMPTS: Final = 3
_BODY: Final = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"reader": {"type": "string"}}},
                "example": {"reader": f"the value of the cookie {COOKIE}"},
            }
        },
    }
}


@router.post(
    "/merge",
    summary="Take an anonymous reader's history into the account",
    responses=answers(EXAMPLE_MERGED, 400, 401, 403, 409, 410, 413, 415, 422, 503),
    openapi_extra=_BODY,
)
async def post_merge(request: Request, runtime: RuntimeDep, actor: WritingReader) -> MergedOut:
    """Whose cookie comes along, or stands in the body, is this reader from now on; again it changes nothing."""
    days = runtime.settings.reader_cookie_days
    given = _read_given(await read_body(request.scope, request.receive, most_bytes=MOST_BODY_BYTES))
    if given is not None:
        anonymous = open_reader(given, runtime.keys, days=days)
    else:
        anonymous = read_reader(request.scope, runtime.keys, days=days)
    if anonymous is None:
        raise InvalidRequest(
            f'send the cookie `{COOKIE}`, or its value as `{{"reader": VALUE}}`: none that is valid came'
        )
    name = actor.external_user or ""
    merged = await run_in_threadpool(_merge, runtime, anonymous, name)
    return MergedOut(reader=name, moved=merged.moved)


def _merge(runtime: Runtime, anonymous: str, external_user: str) -> merging.Merged:
    for attempt in range(ATTEMPTS):
        try:
            merged = _merge_once(runtime, anonymous, external_user)
            break
        except sa.exc.DBAPIError as error:  # two writers waited for each other: the other one is through now
            if attempt + 1 == ATTEMPTS or getattr(error.orig, "sqlstate", None) not in OVERTAKEN:
                raise
    runtime.access.note_user_id(external_user, merged.user_id)
    if merged.moved:
        runtime.feeds.drop_list(merged.user_id)
        runtime.feeds.drop_list(merged.anonymous_id)
        runtime.hints.refresh(merged.user_id, is_active=True)
    return merged


def _merge_once(runtime: Runtime, anonymous: str, external_user: str) -> merging.Merged:
    with runtime.db.write() as session:
        return merging.merge_reader(session, anonymous, external_user=external_user, now=datetime.now(UTC))


def _read_given(body: bytes) -> str | None:
    if not body:
        return None
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidRequest("the body is not JSON") from None
    given = content.get("reader") if isinstance(content, dict) else None
    if given is not None and not isinstance(given, str):
        raise InvalidRequest("reader is the value of the cookie, a text", field="reader")
    return given
