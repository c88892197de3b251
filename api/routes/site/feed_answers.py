"""Answers of feeds: from memory, or only the word that the caller has them already, before a document is written."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.datastructures import Headers

from api.errors import InvalidRequest, NotFound
from api.routes.addresses import is_https
from api.runtime.answers import Answer
from api.runtime.state import Runtime
from api.services.feed_channels import Found
from api.services.syndication import CONTENT_TYPES, Form, tag_of
from api.services.syndication_xml import WRITERS

PUBLIC: Final = "public, max-age=300"  # feed readers ask every quarter of an hour at most
_HOST: Final = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}")


def read_form(text: str) -> Form:
    """Return the form that an address ends with; raises NotFound for any other ending."""
    for form in CONTENT_TYPES:
        if text == form:
            return form
    raise NotFound("a feed's address ends in .rss, .atom or .json", form=text)


def own_address(request: Request, runtime: Runtime) -> str:
    """Return how this service's addresses begin: as configured, else as the caller knows it.

    Raises InvalidRequest where the caller calls it nothing.
    """
    if runtime.settings.public_url:
        return runtime.settings.public_url
    host = request.headers.get("host", "")
    try:
        is_name = _HOST.fullmatch(host) is not None and bool(urlsplit(f"//{host}").hostname)
    except ValueError:  # half a pair of brackets
        is_name = False
    if not is_name:
        raise InvalidRequest("a feed says its own address: send the name of this service in `Host`")
    scheme = "https" if is_https(request.scope, runtime.settings.trusted_proxies) else "http"
    return f"{scheme}://{host.lower()}"


def answer_feed(
    request: Request, runtime: Runtime, form: Form, make: Callable[[str], Found], *, query: bytes, keep_seconds: float
) -> Response:
    """Return a feed that is the same for everybody; `query` is what of the caller's query it depends on."""
    base = own_address(request, runtime)
    key = (base + request.scope["path"], query)
    kept = runtime.answers.find(key)
    if kept is None:
        found = make(base)
        known = _validators(f'"{tag_of(found.channel, form)}"', found.modified)
        if is_current(request.headers, known):
            return not_modified(known, PUBLIC)
        kept = runtime.answers.build(key, lambda: _write(found, form, known), keep_seconds=keep_seconds)
    known = {"ETag": kept.etag.decode("ascii"), "Last-Modified": kept.last_modified}
    if is_current(request.headers, known):
        return not_modified(known, PUBLIC)
    return Response(kept.body, media_type=CONTENT_TYPES[form], headers={**known, "Cache-Control": PUBLIC})


def is_current(headers: Headers, known: dict[str, str]) -> bool:
    """True when the caller keeps what these validators name: by its tag, by its time only where no tag is sent."""
    tags = headers.get("if-none-match")
    if tags is not None:
        named = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in named or known["ETag"].removeprefix("W/") in named
    since = _read_time(headers.get("if-modified-since"))
    changed = _read_time(known["Last-Modified"])
    return since is not None and changed is not None and changed <= since


def not_modified(known: dict[str, str], cache_control: str) -> Response:
    """Return the word that nothing has changed."""
    return Response(status_code=304, headers={**known, "Cache-Control": cache_control})


def private_validators(found: Found, form: Form) -> dict[str, str]:
    """Return the validators of a feed whose links may differ where its papers do not: a weak tag."""
    items = tuple(replace(item, url="") for item in found.channel.items)
    return _validators(f'W/"{tag_of(replace(found.channel, items=items), form)}"', found.modified)


def _write(found: Found, form: Form, known: dict[str, str]) -> Answer:
    return Answer(
        WRITERS[form](found.channel),
        known["ETag"].encode("ascii"),
        CONTENT_TYPES[form].encode("ascii"),
        b"",
        "/feeds",
        last_modified=known["Last-Modified"],
    )


def _validators(tag: str, modified: datetime) -> dict[str, str]:
    return {"ETag": tag, "Last-Modified": format_datetime(modified.astimezone(UTC), usegmt=True)}


def _read_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
