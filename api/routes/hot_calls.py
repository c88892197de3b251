"""What routes ahead of the router share: who calls, read in one pass over the headers, and the answer's headers.

A reader nobody has heard of lately, or anything else unusual, is left to the documented route.
"""

import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Scope, Send

from api.routes.acting import is_external_user
from api.routes.limiting import COUNTED, find_identity, limit_fields
from api.routes.middleware import (
    HOT_ROUTE,
    REQUEST_ID_HEADER,
    SECURITY_HEADERS,
    choose_request_id,
    note_request,
)
from api.runtime.access import Identity
from api.runtime.limits import Kind
from api.runtime.logs import request_id
from api.runtime.state import Runtime

Header = tuple[bytes, bytes]
_BEARER: Final = b"bearer "
# A page of another host perhaps, which has rules of its own; who says twice who calls is for the router to judge.
_UNUSUAL: Final = frozenset({b"origin", b"authorization", b"x-user"})
# What the middleware of the other routes adds to an answer to somebody who showed a token.
PERSONAL_ANSWER: Final[tuple[Header, ...]] = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"private, no-store"),
    (b"vary", b"Authorization, X-User"),
    *SECURITY_HEADERS,
)


@dataclass(slots=True)
class Call:
    """A request whose caller is known without a look-up, and has been counted."""

    identity: Identity
    user_id: int
    external_user: str
    started: float
    headers: list[Header]  # of its answer


async def open_call(scope: Scope, runtime: Runtime) -> Call | None:
    """Return who calls, None where the documented route has to find out, or to refuse; SQL for a token now and then."""
    started = time.perf_counter()
    token, named, given = b"", None, b""
    for name, value in scope["headers"]:
        if name == b"authorization" and not token:
            token = value
        elif name == b"x-user" and named is None:
            named = value
        elif name == REQUEST_ID_HEADER:
            given = value
        elif name in _UNUSUAL:
            return None
    if token[:7].lower() != _BEARER:
        return None
    try:
        identity = await find_identity(scope, runtime, token[7:].decode("latin-1").strip())
    except SQLAlchemyError:  # the route meets the same and says so
        return None
    reader = None if identity is None else _find_reader(runtime, identity, named)
    if identity is None or reader is None:
        return None
    current = choose_request_id(given.decode("latin-1") if given else "")
    request_id.set(current)  # for what is logged meanwhile; each request has a context of its own
    headers = [*PERSONAL_ANSWER, (REQUEST_ID_HEADER, current.encode("latin-1"))]
    kind: Kind = "service" if identity.user_id is None else "reader"
    if runtime.limits.is_limited(kind):
        allowance = scope[COUNTED] = await runtime.limits.take(kind, identity.token_id)
        if allowance is not None:
            if not allowance.is_allowed:
                return None
            headers += limit_fields(allowance, scope["path"])
    return Call(identity, reader[0], reader[1], started, headers)


async def answer_call(scope: Scope, send: Send, call: Call, body: bytes, *, status: int, route: str) -> None:
    """Send a whole answer, and count it; HEAD gets its headers."""
    scope[HOT_ROUTE] = route
    call.headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": call.headers})
    is_head = scope["method"] == "HEAD"
    await send({"type": "http.response.body", "body": b"" if is_head else body, "more_body": False})
    note_request(scope, scope["method"], status, time.perf_counter() - call.started)


def _find_reader(runtime: Runtime, identity: Identity, named: bytes | None) -> tuple[int, str] | None:
    """Return the reader a request acts for, None when that takes a look-up or is nobody."""
    if identity.user_id is not None:
        is_own = named is None and identity.external_user is not None
        return (identity.user_id, identity.external_user or "") if is_own else None
    if named is None:
        return None
    try:
        external_user = named.decode("utf-8")
    except UnicodeDecodeError:
        return None
    user_id = runtime.access.known_user_id(external_user)
    return (user_id, external_user) if user_id is not None and is_external_user(external_user) else None
