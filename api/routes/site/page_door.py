"""Finished pages ahead of the router, for all visitors who are not signed in and are to be told nothing."""

import time
from typing import Final

from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Receive, Scope, Send

from api.routes.limiting import COUNTED, count_request, limit_fields
from api.routes.middleware import (
    HOT_ROUTE,
    REQUEST_ID_HEADER,
    SECURITY_HEADERS,
    choose_request_id,
    note_request,
)
from api.routes.site.shared_lists import SharedList, complete, find_finished, find_marks
from api.routes.site.visiting import find_plain, finish
from api.runtime.logs import request_id
from api.runtime.shared_pages import Key
from api.runtime.state import Runtime

_METHODS: Final = frozenset({"GET", "HEAD"})
_OWN_POLICY: Final = frozenset({b"content-security-policy"})  # a page says what it may load
_COMMON: Final = tuple(pair for pair in SECURITY_HEADERS if pair[0] not in _OWN_POLICY)


class PageDoor:
    """Answers what is finished; the rest of the application sees the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in _METHODS:
            runtime: Runtime = scope["app"].state.runtime
            shared = runtime.pages.find(_key_of(scope), SharedList)
            if shared is not None and await _answer_from_memory(scope, receive, send, shared):
                return
        await self.app(scope, receive, send)


def _key_of(scope: Scope) -> Key:
    """What a page is kept by; one that is asked for in other words goes the long way."""
    return scope["path"], scope["query_string"].decode("latin-1")


async def _answer_from_memory(scope: Scope, receive: Receive, send: Send, shared: SharedList) -> bool:
    """Send a page that is finished but for what is the visitor's own; False where it takes more."""
    started = time.perf_counter()
    runtime: Runtime = scope["app"].state.runtime
    request = Request(scope)
    try:
        visit = await find_plain(request, runtime)
    except (SQLAlchemyError, OSError):  # the long way meets the same, and says so in words
        return False
    finished = None if visit is None else find_finished(runtime, visit, shared)
    if visit is None or finished is None:
        return False
    allowance = await count_request(scope, runtime)
    scope[COUNTED] = allowance
    if allowance is not None and not allowance.is_allowed:
        return False
    try:
        marks = await find_marks(runtime, shared, visit)
    except (SQLAlchemyError, OSError):
        return False
    response = complete(runtime, visit, shared, finished, marks=marks)
    finish(request, visit, response)
    current = choose_request_id(request.headers.get("x-request-id", ""))
    request_id.set(current)
    response.raw_headers += (*_COMMON, (REQUEST_ID_HEADER, current.encode("latin-1")))
    if allowance is not None:
        response.raw_headers += limit_fields(allowance, scope["path"])
    scope[HOT_ROUTE] = finished.route
    if scope["method"] == "HEAD":
        response.body = b""
    await response(scope, receive, send)
    note_request(scope, scope["method"], response.status_code, time.perf_counter() - started)
    return True
