"""Pure ASGI middleware: request id, access log, figures, security headers, body limit, the last line of defence."""

import asyncio
import itertools
import logging
import re
import secrets
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from prometheus_client import Histogram
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from api.routes.problems import error_response, internal_error
from api.runtime.logs import loggable_path, request_id
from api.runtime.metrics import REQUEST_SECONDS

log = logging.getLogger("api.access")

MOST_BODY_BYTES: Final = 1024 * 1024  # 500 events with slates stay below
MOST_DRAINED_BYTES: Final = 64 * 1024 * 1024  # of a refused body; a client that still sends does not see the answer
DRAIN_SECONDS: Final = 10.0
BODY_SECONDS: Final = 30.0  # in which a body has arrived: nobody keeps parts of one here for as long as they like
CLIENT_WENT_AWAY: Final = 499  # in log and figures only: there is nobody to answer
REQUEST_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
HOT_ROUTE: Final = "paperfeed.hot_route"  # in the scope: answered ahead of the router, logged at debug when all is well
_QUIET_PATHS: Final = frozenset({"/livez", "/readyz", "/metrics"})
REQUEST_ID_HEADER: Final = b"x-request-id"
SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    # Answers are data; a page that shows itself sets its own policy.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_PERSONAL_HEADERS: Final = (
    *SECURITY_HEADERS,
    (b"cache-control", b"private, no-store"),
    (b"vary", b"Authorization, X-User"),
)
_PROCESS: Final = secrets.token_hex(10)  # begins every id that this process gives, so that no other gives the same
_numbers = itertools.count()


class RequestContext:
    """Gives each request an id and a line in the log, and turns an unexpected error into a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        current, is_personal = _read_headers(scope)
        mark = request_id.set(current)
        started, status = time.perf_counter(), 0
        is_head = scope["method"] == "HEAD"  # answered as GET is, by whatever answers that, without its body
        asked: Scope = {**scope, "method": "GET"} if is_head else scope

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _with_headers(message, current, is_personal=is_personal)}
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self.app(asked, receive, send_with_headers)
        except ClientDisconnect:
            status = CLIENT_WENT_AWAY
        except Exception:
            log.exception("request failed", extra={"method": scope["method"], "path": loggable_path(scope["path"])})
            if status:
                raise  # half an answer is out: only closing the connection says that it is not whole
            await internal_error(asked)(asked, receive, send_with_headers)
        finally:
            note_request(asked, scope["method"], status, time.perf_counter() - started)
            request_id.reset(mark)


class BodyLimit:
    """Refuses bodies over a limit before anything reads them, also those that do not tell their length."""

    def __init__(
        self, app: ASGIApp, *, most_bytes: int = MOST_BODY_BYTES, larger: Mapping[str, int] | None = None
    ) -> None:
        self.app = app
        self.most_bytes = most_bytes
        self.larger = dict(larger or {})  # by path, where whole files are sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = self.larger.get(scope["path"], self.most_bytes)
        length = Headers(scope=scope).get("content-length")
        if length is not None:  # the server holds the client to it
            is_over = not length.isdecimal() or int(length[:20]) > most
            await (self._drain_and_refuse if is_over else self.app)(scope, _in_time(receive), send)
            return
        if scope["method"] in {"GET", "HEAD"}:
            await self.app(scope, receive, send)
            return
        try:
            messages, is_over = await self._read_ahead(_in_time(receive), most=most)
        except errors.TooSlow as error:
            await error_response(error, scope=scope)(scope, receive, send)
            return
        if is_over:
            is_whole = not messages[-1].get("more_body", False)
            await (self._refuse if is_whole else self._drain_and_refuse)(scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.app(scope, replay, send)

    async def _read_ahead(self, receive: Receive, *, most: int) -> tuple[list[Message], bool]:
        messages: list[Message] = []
        size = 0
        while True:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > most:
                return messages, True
            if not message.get("more_body", False):
                return messages, False

    async def _drain_and_refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "expect" not in Headers(scope=scope):  # who asks first has not begun to send
            await _drain(receive)
        await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = self.larger.get(scope["path"], self.most_bytes)
        error = errors.TooLarge(f"a body takes {most} bytes at most: send smaller batches", limit_bytes=most)
        response = error_response(error, scope=scope)
        response.headers["connection"] = "close"  # whatever still comes is not worth reading
        await response(scope, receive, send)


def _in_time(receive: Receive) -> Receive:
    """Return a `receive` that raises TooSlow when the body is not whole in time; what comes after it may take long."""
    deadline = asyncio.get_running_loop().time() + BODY_SECONDS
    is_whole = False

    async def read() -> Message:
        nonlocal is_whole
        if is_whole:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise errors.TooSlow(f"a body is to be whole within {BODY_SECONDS:g} s: send smaller ones") from None
        is_whole = not message.get("more_body", False)
        return message

    return read


async def _drain(receive: Receive) -> None:
    size, has_more = 0, True
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while has_more and size < MOST_DRAINED_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                has_more = message.get("more_body", False)
    except TimeoutError:
        pass


def choose_request_id(given: str) -> str:
    """Return the caller's id of a request if it is fit to be one, else one of our own."""
    is_fit = given and REQUEST_ID_PATTERN.fullmatch(given)
    return given if is_fit else f"{_PROCESS}{next(_numbers):012x}"


def _read_headers(scope: Scope) -> tuple[str, bool]:
    """Return the request's id, the caller's if it is fit to be one, and whether the answer is for one caller only."""
    given, is_personal = "", False
    for name, value in scope["headers"]:
        if name == b"authorization":
            is_personal = True
        elif name == REQUEST_ID_HEADER:
            given = value.decode("latin-1")
    return choose_request_id(given), is_personal


def _with_headers(message: Message, current: str, *, is_personal: bool) -> list[tuple[bytes, bytes]]:
    """Return the answer's own headers and ours that it has not set; a prepared answer's list is never changed."""
    own = [pair for pair in message.get("headers", ()) if pair[0] != REQUEST_ID_HEADER]
    names = {name for name, _ in own}
    ours = _PERSONAL_HEADERS if is_personal else SECURITY_HEADERS
    own += [pair for pair in ours if pair[0] not in names]
    own.append((REQUEST_ID_HEADER, current.encode("latin-1")))
    return own


@lru_cache(maxsize=4096)
def _seconds_of(method: str, route: str, status: int) -> Histogram:
    return REQUEST_SECONDS.labels(method, route, str(status))


def note_request(scope: Scope, method: str, status: int, seconds: float) -> None:
    """Count an answered request, and log it."""
    route = scope.get(HOT_ROUTE) or getattr(scope.get("route"), "path", "(none)")
    _seconds_of(method, route, status).observe(seconds)
    if scope["path"] in _QUIET_PATHS and status < 500:
        return
    level = logging.DEBUG if HOT_ROUTE in scope and status < 400 else logging.INFO
    if log.isEnabledFor(level):
        path = loggable_path(scope["path"])
        fields = {"method": method, "path": path, "status": status, "ms": round(seconds * 1000, 1)}
        log.log(level, "request", extra=fields)
