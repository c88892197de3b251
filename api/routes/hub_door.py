"""The papers API ahead of the router: answers that are ready, addresses with a doubled slash, pages of any origin.

What everybody gets is sent from memory while it is surely as it was; all else goes the documented way.
"""

import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.routes.hub_answers import Header, answer_headers, caller_has
from api.routes.hub_errors import HUB_FOLDERS, is_hub_path
from api.routes.limiting import COUNTED, count_request, limit_fields
from api.routes.middleware import (
    HOT_ROUTE,
    REQUEST_ID_HEADER,
    SECURITY_HEADERS,
    choose_request_id,
    note_request,
)
from api.runtime.answers import Answer
from api.runtime.logs import request_id
from api.runtime.state import Runtime

API: Final = "/api/"
_METHODS: Final = frozenset({"GET", "HEAD"})
_STARTS: Final = (*HUB_FOLDERS, "//")
# Any page may call and read: nothing here listens to cookies, so there is nothing that a page could borrow.
_OPEN: Final[tuple[Header, ...]] = (
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"ETag, Link, RateLimit, RateLimit-Policy, Retry-After, X-Papers-As-Of, X-Request-Id, X-Slate",
    ),
)
_PREFLIGHT: Final[tuple[Header, ...]] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD, POST, PATCH, DELETE"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, If-None-Match, X-Request-Id, X-User"),
    (b"access-control-max-age", b"600"),
    *SECURITY_HEADERS,
)
_CORS_PREFIX: Final = b"access-control-"


class HubDoor:
    """Answers what is ready; the rest of the application sees the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_STARTS):
            await self.app(scope, receive, send)
            return
        scope = _with_one_slash(scope)
        if not is_hub_path(scope["path"]):
            await self.app(scope, receive, send)
            return
        if scope["method"] in _METHODS and await _answer_from_memory(scope, send):
            return
        if not scope["path"].startswith(API):
            await self.app(scope, receive, send)
            return
        if _is_preflight(scope):
            await send({"type": "http.response.start", "status": 204, "headers": list(_PREFLIGHT)})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, _opened(send))


def _with_one_slash(scope: Scope) -> Scope:
    """Return the request as if its address began with one slash: clients join an endpoint that ends in one."""
    path = "/" + scope["path"].lstrip("/")
    if path == scope["path"] or not is_hub_path(path):
        return scope
    return {**scope, "path": path, "raw_path": b"/" + scope.get("raw_path", path.encode()).lstrip(b"/")}


async def _answer_from_memory(scope: Scope, send: Send) -> bool:
    """Send an answer that needs nothing but its bytes; False when there is none."""
    started = time.perf_counter()
    runtime: Runtime = scope["app"].state.runtime
    answer = runtime.answers.find((scope["path"], scope["query_string"]))
    if answer is None:
        return False
    allowance = await count_request(scope, runtime)
    scope[COUNTED] = allowance
    if allowance is not None and not allowance.is_allowed:
        return False
    is_known = caller_has(scope, answer)
    fields = answer_headers(runtime, scope, answer, is_known=is_known)
    if allowance is not None:
        fields += limit_fields(allowance, scope["path"])
    current = choose_request_id(_given_id(scope))
    request_id.set(current)
    fields += _OPEN if scope["path"].startswith(API) else ()
    fields += (*SECURITY_HEADERS, (REQUEST_ID_HEADER, current.encode("latin-1")))
    await _send_whole(scope, send, answer, fields, is_known=is_known)
    note_request(scope, scope["method"], 304 if is_known else 200, time.perf_counter() - started)
    return True


async def _send_whole(scope: Scope, send: Send, answer: Answer, fields: list[Header], *, is_known: bool) -> None:
    scope[HOT_ROUTE] = answer.route
    body = b"" if is_known or scope["method"] == "HEAD" else answer.body
    await send({"type": "http.response.start", "status": 304 if is_known else 200, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _given_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER:
            given: str = value.decode("latin-1")
            return given
    return ""


def _is_preflight(scope: Scope) -> bool:
    asks = any(name == b"access-control-request-method" for name, _ in scope["headers"])
    return asks and scope["method"] == "OPTIONS"


def _opened(send: Send) -> Send:
    """Return a `send` whose answers pages of any origin may read, whatever origins are configured."""

    async def send_opened(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", ()) if not pair[0].lower().startswith(_CORS_PREFIX)]
            message = {**message, "headers": [*kept, *_OPEN]}
        await send(message)

    return send_opened
