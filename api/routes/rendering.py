"""Templates as HTML answers, with the headers that every page has."""

import hashlib
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import jinja2
from fastapi import Response
from markupsafe import Markup, escape

WEB: Final = Path(__file__).parent.parent / "web"
KEPT_FRAGMENTS: Final = 8_192  # cards and the like; about 3 kB each
PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
        "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}


def page(template: str, *, status: int = 200, **values: object) -> Response:
    """Return a page as an answer."""
    html = _templates().get_template(template).render(values)
    return Response(html, status_code=status, media_type="text/html; charset=utf-8", headers=PAGE_HEADERS)


@lru_cache(maxsize=KEPT_FRAGMENTS)
def fragment(template: str, view: Hashable, picked: str = "") -> Markup:
    """Return a part of a page for a value that says all that is in it; made once for equal values."""
    query = f"?{urlencode({'reader': picked})}" if picked else ""
    return Markup(_templates().get_template(template).render(view=view, query=query).strip())  # noqa: S704 - escaped there


@lru_cache(maxsize=32)
def static_file(name: str) -> bytes:
    """Return a file that pages load."""
    return (WEB / "static" / name).read_bytes()


@lru_cache(maxsize=32)
def fingerprint(name: str) -> str:
    """Return what changes when a file does."""
    return hashlib.sha256(static_file(name)).hexdigest()[:16]


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["fragment"] = fragment
    environment.filters["prose"] = _prose
    environment.globals["stylesheet"] = f"/static/paperfeed.css?v={fingerprint('paperfeed.css')}"
    environment.globals["script"] = f"/static/site.js?v={fingerprint('site.js')}"
    environment.globals["beacon"] = f"/beacon.js?v={fingerprint('beacon.js')}"
    return environment


def _prose(text: str) -> Markup:
    """A sentence as HTML, with what stands between backticks as code."""
    parts = [
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)
