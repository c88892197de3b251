"""Errors as pages, for browsers that asked for one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from fastapi import Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.types import Scope

from api.errors import InvalidRequest
from api.routes.acting import is_trusted, read_reader_name
from api.routes.rendering import page
from api.routes.signing import find_signed_in, known_signed_in
from api.runtime.logs import request_id
from api.runtime.signed_in import SignedIn
from api.runtime.state import Runtime

NAVIGATION: Final = (
    ("Today", "/"),
    ("For you", "/for-you"),
    ("Trending", "/papers/trending"),
    ("Search", "/search"),
    ("Library", "/library"),
)
HTML: Final = "text/html"
READER: Final = "reader"  # in the address: whom the operator of this machine acts for
# Addresses of programs, whoever asks.
_NO_PAGES: Final = ("/v1/", "/api/", "/static/", "/openapi.json", "/beacon.js", "/metrics", "/livez", "/readyz")
# Found in a thread, where a look-up may wait; others are said by the event loop, or by a database that is in trouble.
_BY_HANDLERS: Final = frozenset({403, 404, 405, 409, 410, 422})
_TITLES: Final = {
    403: "This is not allowed",
    404: "There is nothing at this address",
    405: "This address is for forms",
    408: "This took too long",
    409: "This does not fit any more",
    410: "This is over",
    413: "This is too large",
    422: "This cannot be read",
    429: "Too many requests",
    500: "Something went wrong here",
    503: "Not available just now",
}
_WORDS: Final = {
    404: "The papers are on the first page; search finds them by title, author or what they are about.",
    405: "Go back to the page with the form and press its button.",
    429: "Wait a moment, then load the page again.",
}


@dataclass(frozen=True, slots=True)
class _Visitor:
    """Who met an error, as far as that is known: what the frame of a page needs of a visit."""

    name: str = ""
    account: SignedIn | None = None
    is_picked: bool = False
    is_operator: bool = False
    user_id: None = None

    @property
    def picked(self) -> str:
        """The picked reader's name, empty when nobody is picked."""
        return self.name if self.is_picked else ""

    def link(self, path: str) -> str:
        """Return an address that keeps the picked reader."""
        if not self.is_picked:
            return path
        return f"{path}{'&' if '?' in path else '?'}{urlencode({READER: self.name})}"


def wants_page(scope: Scope) -> bool:
    """True where a browser asks for a page at an address that has pages."""
    if scope["path"].startswith(_NO_PAGES):
        return False
    return HTML in Headers(scope=scope).get("accept", "")


def error_page(status: int, detail: str, *, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error in words, with a way back, for whoever met it."""
    words = _WORDS.get(status) or f"{detail[:1].upper()}{detail[1:]}."
    answer = page(
        "site/error.html",
        status=status,
        title=_TITLES.get(status, "This cannot be answered"),
        words=words.replace("..", "."),
        request=request_id.get() if status == 500 else None,
        visit=_find_visitor(scope, status),
        csrf="",
        here="/",
        path="",
        navigation=NAVIGATION,
        banners=(),
        notice=None,
    )
    answer.headers.update(headers or {})
    answer.headers["Vary"] = "Accept, Cookie"
    return answer


def _find_visitor(scope: Scope, status: int) -> _Visitor:
    """Return who met an error, nobody in particular where that cannot be said; never fails."""
    runtime = getattr(scope["app"].state, "runtime", None) if "app" in scope else None
    if not isinstance(runtime, Runtime):
        return _Visitor()
    request = Request(scope)
    try:
        given = request.query_params.get(READER, "")
        if given and is_trusted(request, runtime.settings):
            return _Visitor(read_reader_name(given), is_picked=True)
        is_asked = status in _BY_HANDLERS and runtime.conditions.read().is_database_up
        account = find_signed_in(request, runtime) if is_asked else known_signed_in(scope, runtime)
    except (InvalidRequest, SQLAlchemyError, OSError):
        return _Visitor()
    return _Visitor() if account is None else _Visitor(account.external_user, account)
