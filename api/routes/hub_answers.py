"""Answers of the papers API that are the same for everybody: their headers, and when the caller has them already."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode

from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.types import Scope

from api.routes.addresses import is_https
from api.runtime.answers import Answer, Key
from api.runtime.state import Runtime

Header = tuple[bytes, bytes]
MAX_AGE_SECONDS: Final = 15  # new papers and votes are seen within a minute, whatever caches lie between
KEEP_SECONDS: Final = 30.0  # in the memory of a process, while nothing changes
TRENDING_KEEP_SECONDS: Final = 5.0  # as long as a process trusts its trending board
FOUND_KEEP_SECONDS: Final = 3.0  # what a search found: the index follows a little later than the papers
ETAG_BYTES: Final = 16
AS_OF: Final = b"x-papers-as-of"  # when papers were last fetched: a list is a bare array and cannot say it
DAILY_ROUTE: Final = "/api/daily_papers"
LIST_VARY: Final = b"Authorization"
PERSONAL: Final = {"Cache-Control": "private, no-store", "Vary": "Authorization, X-User"}
_PUBLIC: Final = b"public, max-age=%d" % MAX_AGE_SECONDS
_HOST: Final = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}")


def key_of(request: Request, known: frozenset[str] = frozenset()) -> Key:
    """Return what an answer is remembered by: the address as it was sent where it says nothing beside the known."""
    path, query, params = request.scope["path"], request.scope["query_string"], request.query_params
    names = [name for name, _ in params.multi_items()]
    is_plain = known.issuperset(names) and len(set(names)) == query.count(b"&") + bool(query)
    if is_plain:  # the door finds it by this
        return path, query
    return path, urlencode(sorted((name, params[name]) for name in known.intersection(names))).encode()


def make_answer(
    body: bytes,
    *,
    route: str,
    content_type: bytes = b"application/json",
    vary: bytes = LIST_VARY,
    next_query: bytes | None = None,
) -> Answer:
    """Return an answer with the tag of its bytes."""
    etag = b'"%s"' % hashlib.blake2b(body, digest_size=ETAG_BYTES).hexdigest().encode()
    return Answer(body, etag, content_type, vary, route, next_query)


def next_query(params: Mapping[str, str], known: frozenset[str], *, page: int) -> bytes:
    """Return the query of the page after this one; of what was asked only the known parameters."""
    kept = {name: text for name, text in params.items() if name in known}
    return urlencode({**kept, "p": str(page + 1)}).encode()


def shared_answer(
    runtime: Runtime, scope: Scope, make: Callable[[], Answer], *, key: Key, keep_seconds: float
) -> Response:
    """Return what everybody gets, from memory where it is there."""
    answer = runtime.answers.build(key, make, keep_seconds=keep_seconds)
    is_known = caller_has(scope, answer)
    response = Response(b"" if is_known else answer.body, status_code=304 if is_known else 200)
    response.raw_headers = answer_headers(runtime, scope, answer, is_known=is_known)
    return response


def answer_headers(runtime: Runtime, scope: Scope, answer: Answer, *, is_known: bool) -> list[Header]:
    """Return the header fields of an answer, or of the word that the caller has it already."""
    fields: list[Header] = [(b"etag", answer.etag), (b"cache-control", _PUBLIC), (b"vary", answer.vary)]
    is_daily = answer.route == DAILY_ROUTE
    as_of = runtime.freshness.daily_text if is_daily else runtime.freshness.text
    if as_of is not None:
        fields.append((AS_OF, as_of.encode("ascii")))
    if answer.next_query is not None:
        fields.append((b"link", next_link(runtime, scope, answer.next_query)))
    if not is_known:
        fields.append((b"content-type", answer.content_type))
        fields.append((b"content-length", b"%d" % len(answer.body)))
    return fields


def caller_has(scope: Scope, answer: Answer) -> bool:
    """True when the caller names the answer as one that it keeps."""
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            tags = {tag.strip().removeprefix(b"W/") for tag in value.split(b",")}
            return answer.etag in tags or b"*" in tags
    return False


def next_link(runtime: Runtime, scope: Scope, query: bytes) -> bytes:
    """Return the address of the next page; a relative one where the caller's name for this host is none."""
    host = Headers(scope=scope).get("host", "")
    path = scope["path"].encode("ascii", "ignore")  # lists have no other letters in their paths
    if _HOST.fullmatch(host):
        scheme = b"https" if is_https(scope, runtime.settings.trusted_proxies) else b"http"
        path = scheme + b"://" + host.encode("ascii") + path
    return b'<%s?%s>; rel="next"' % (path, query)
