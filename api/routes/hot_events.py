"""Feedback ahead of the router: the usual batch of a known caller is taken here, all else as documented there."""

from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ServiceError
from api.routes.bodies import MOST_BATCH_BYTES
from api.routes.events import FAILURE, PATH, take_usual
from api.routes.hot_calls import answer_call, open_call
from api.runtime.state import Runtime

_TYPES: Final = frozenset({b"application/json", b"text/plain"})
_LONGEST_LENGTH: Final = 7  # digits of a body's length: what is longer is refused by the router
_LEFT_TO_THE_ROUTER: Final = frozenset({b"content-encoding", b"expect"})


class HotEvents:
    """Takes batches in which nothing is unusual; the router sees the rest, bodies as they came."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST" or not _has_usual_body(scope):
            await self.app(scope, receive, send)
            return
        runtime: Runtime = scope["app"].state.runtime
        call = await open_call(scope, runtime)
        if call is None or "write" not in call.identity.scopes:
            await self.app(scope, receive, send)
            return
        message = await receive()
        answer = await _take(scope, runtime, message, call.external_user)
        if answer is None:
            await self.app(scope, _again(message, receive), send)
            return
        await answer_call(scope, send, call, answer, status=202, route=PATH)


async def _take(scope: Scope, runtime: Runtime, message: Message, external_user: str) -> bytes | None:
    """Return the answer to a batch that was stored; a failure goes to the router, which tells it as any other."""
    if message["type"] != "http.request" or message.get("more_body", False):
        return None
    try:
        return await take_usual(runtime, message.get("body", b""), external_user)
    except (ServiceError, SQLAlchemyError, OSError) as error:
        scope[FAILURE] = error
        return None


def _has_usual_body(scope: Scope) -> bool:
    """True for a body that says its length and comes as it is: whether others may come at all, the router judges."""
    length = b""
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = value
        elif name in _LEFT_TO_THE_ROUTER or (name == b"content-type" and value not in _TYPES):
            return False
    return len(length) <= _LONGEST_LENGTH and length.isdigit() and int(length) <= MOST_BATCH_BYTES


def _again(message: Message, receive: Receive) -> Receive:
    """Return a `receive` that begins with what was read already."""
    waiting = [message]

    async def read() -> Message:
        return waiting.pop() if waiting else await receive()

    return read
