"""Errors as pages, for browsers that asked for one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import Response
from starlette.datastructures import Headers
from starlette.types import Scope

from api.routes.rendering import page
from api.runtime.logs import request_id

NAVIGATION: Final = (
    ("Today", "/"),
    ("For you", "/for-you"),
    ("Trending", "/papers/trending"),
    ("Search", "/search"),
    ("Library", "/library"),
)
HTML: Final = "text/html"
# Addresses of programs, whoever asks.
_NO_PAGES: Final = ("/v1/", "/api/", "/static/", "/openapi.json", "/beacon.js", "/metrics", "/livez", "/readyz")
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
class _Nobody:
    """A visit of which nothing is known, or need be: an error page says the same to everybody."""

    name: str = ""
    account: None = None
    is_picked: bool = False
    is_operator: bool = False

    def link(self, path: str) -> str:
        """Return the address as it is."""
        return path


def wants_page(scope: Scope) -> bool:
    """True where a browser asks for a page at an address that has pages."""
    if scope["path"].startswith(_NO_PAGES):
        return False
    return HTML in Headers(scope=scope).get("accept", "")


def error_page(status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error in words, with a way back."""
    words = _WORDS.get(status) or f"{detail[:1].upper()}{detail[1:]}."
    answer = page(
        "site/error.html",
        status=status,
        title=_TITLES.get(status, "This cannot be answered"),
        words=words.replace("..", "."),
        request=request_id.get() if status == 500 else None,
        visit=_Nobody(),
        csrf="",
        here="/",
        path="",
        navigation=NAVIGATION,
        banners=(),
        notice=None,
    )
    answer.headers.update(headers or {})
    answer.headers["Vary"] = "Accept"
    return answer
