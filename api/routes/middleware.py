"""Pure ASGI middleware: request id, access log, figures, security headers, body limit, the last line of defence."""

import asyncio
import logging
import re
import time
import uuid
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from api.routes.problems import error_response, problem_response
from api.runtime.logs import request_id
from api.runtime.metrics import REQUEST_SECONDS

log = logging.getLogger("api.access")

MOST_BODY_BYTES: Final = 1024 * 1024  # 500 events with slates stay below
MOST_DRAINED_BYTES: Final = 64 * 1024 * 1024  # of a refused body; a client that still sends does not see the answer
DRAIN_SECONDS: Final = 10.0
CLIENT_WENT_AWAY: Final = 499  # in log and figures only: there is nobody to answer
REQUEST_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET_PATHS: Final = frozenset({"/livez", "/readyz", "/metrics"})
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    # Answers are data; a page that shows itself sets its own policy.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
_PERSONAL_HEADERS: Final = {"cache-control": "private, no-store", "vary": "Authorization, X-User"}


class RequestContext:
    """Gives each request an id and a line in the log, and turns an unexpected error into a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        current = given if REQUEST_ID_PATTERN.fullmatch(given) else uuid.uuid4().hex
        is_personal = "authorization" in headers
        mark = request_id.set(current)
        started, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, current, is_personal=is_personal)
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = CLIENT_WENT_AWAY
        except Exception:
            log.exception("request failed", extra={"method": scope["method"], "path": scope["path"]})
            if status:
                raise  # half an answer is out: only closing the connection says that it is not whole
            await _internal_error(scope["path"])(scope, receive, send_with_headers)
        finally:
            _note(scope, status, time.perf_counter() - started)
            request_id.reset(mark)


class BodyLimit:
    """Refuses bodies over a limit before anything reads them, also those that do not tell their length."""

    def __init__(self, app: ASGIApp, *, most_bytes: int = MOST_BODY_BYTES) -> None:
        self.app = app
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length")
        if length is not None:  # the server holds the client to it
            is_over = not length.isdecimal() or int(length[:20]) > self.most_bytes
            await (self._drain_and_refuse if is_over else self.app)(scope, receive, send)
            return
        if scope["method"] in {"GET", "HEAD"}:
            await self.app(scope, receive, send)
            return
        messages, is_over = await self._read_ahead(receive)
        if is_over:
            is_whole = not messages[-1].get("more_body", False)
            await (self._refuse if is_whole else self._drain_and_refuse)(scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.app(scope, replay, send)

    async def _read_ahead(self, receive: Receive) -> tuple[list[Message], bool]:
        messages: list[Message] = []
        size = 0
        while True:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > self.most_bytes:
                return messages, True
            if not message.get("more_body", False):
                return messages, False

    async def _drain_and_refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "expect" not in Headers(scope=scope):  # who asks first has not begun to send
            await _drain(receive)
        await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = errors.TooLarge(
            f"a body takes {self.most_bytes} bytes at most: send smaller batches", limit_bytes=self.most_bytes
        )
        response = error_response(error, instance=scope["path"])
        response.headers["connection"] = "close"  # whatever still comes is not worth reading
        await response(scope, receive, send)


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


def _internal_error(path: str) -> ASGIApp:
    return problem_response(
        500,
        errors.ServiceError.title,
        errors.ServiceError.type_name,
        "this is a fault of the service: its log has more under the request id",
        instance=path,
    )


def _add_headers(message: Message, current: str, *, is_personal: bool) -> None:
    headers = MutableHeaders(scope=message)
    headers["x-request-id"] = current
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if is_personal:
        for name, value in _PERSONAL_HEADERS.items():
            headers.setdefault(name, value)


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "(none)")
    REQUEST_SECONDS.labels(scope["method"], route, str(status)).observe(seconds)
    if scope["path"] in _QUIET_PATHS and status < 500:
        return
    fields = {"method": scope["method"], "path": scope["path"], "status": status, "ms": round(seconds * 1000, 1)}
    log.info("request", extra=fields)
