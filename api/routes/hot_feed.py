"""The feed ahead of the router: a hit with nothing unusual about it is answered here, all else as documented there."""

import logging
import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.routes.feed import PATH, read_hit
from api.routes.hot_calls import Call, answer_call, open_call
from api.runtime.state import Runtime
from api.schemas.common import DEFAULT_ITEMS, MOST_ITEMS

log = logging.getLogger(__name__)

# Anything else in a query is read, or refused, by the documented route.
_QUERY: Final = re.compile(rb"(?:limit=([1-9][0-9]{0,2}))?&?(?:cursor=([A-Za-z0-9_-]{1,16384}))?")
_METHODS: Final = frozenset({"GET", "HEAD"})


class HotFeed:
    """Answers feed hits of readers it knows; the rest of the application sees the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] not in _METHODS:
            await self.app(scope, receive, send)
            return
        found = await _answer(scope)
        if found is None:
            await self.app(scope, receive, send)
            return
        call, body = found
        await answer_call(scope, send, call, body, status=200, route=PATH)


async def _answer(scope: Scope) -> tuple[Call, bytes] | None:
    """Return a page that needs neither SQL nor an error, None for any other."""
    asked = _QUERY.fullmatch(scope["query_string"])
    if asked is None:
        return None
    limit = int(asked[1] or DEFAULT_ITEMS)
    if limit > MOST_ITEMS:
        return None
    runtime: Runtime = scope["app"].state.runtime
    call = await open_call(scope, runtime)
    if call is None or "read" not in call.identity.scopes:
        return None
    cursor = None if asked[2] is None else asked[2].decode("ascii")
    try:
        body = await read_hit(
            runtime, user_id=call.user_id, external_user=call.external_user, limit=limit, cursor=cursor
        )
    except Exception:  # outside of what turns errors into problems: the documented route meets the same
        log.exception("feed hit failed", extra={"user_id": call.user_id})
        return None
    return None if body is None else (call, body)
