"""Bodies of requests: bounded before and after inflation, whatever their headers claim."""

import zlib
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from api.errors import InvalidRequest, TooLarge, UnsupportedBody

MOST_BATCH_BYTES: Final = 1024 * 1024
MOST_BEACON_BYTES: Final = 64 * 1024  # what browsers let `sendBeacon` and `fetch` with `keepalive` send
MOST_GZIP_PARTS: Final = 16  # each costs a copy of what follows it
GZIP: Final = 16 + zlib.MAX_WBITS
_GZIP_NAMES: Final = frozenset({"gzip", "x-gzip"})
# The content is read as JSON in any case; a form's type is what `curl -d` sends by itself.
_TYPES: Final = frozenset({"", "application/json", "text/plain", "application/x-www-form-urlencoded"})
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_PLAIN_TYPES: Final = frozenset({"application/json", "text/plain", "text/plain;charset=utf-8"})


async def read_body(scope: Scope, receive: Receive, *, most_bytes: int) -> bytes:
    """Return the text of a request, inflated when it was sent as gzip; `most_bytes` bounds it before and after.

    Raises UnsupportedBody for other types and encodings, TooLarge beyond the limit, InvalidRequest for broken gzip.
    """
    headers = Headers(scope=scope)
    check_type(headers.get("content-type", ""))
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in _GZIP_NAMES and encoding != "identity":
        raise UnsupportedBody(f"a body comes as it is or as gzip, not as {encoding[:40]!r}", encoding=encoding[:40])
    body = await _receive_all(receive, most_bytes=most_bytes)
    return body if encoding == "identity" else inflate(body, most_bytes=most_bytes)


def check_type(content_type: str) -> None:
    """Raise UnsupportedBody for a type that is not JSON as text in UTF-8."""
    if content_type in _PLAIN_TYPES:
        return
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if name not in _TYPES and not (name.startswith("application/") and name.endswith("+json")):
        raise UnsupportedBody("send JSON as application/json or text/plain", content_type=content_type[:100])
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "charset" and value.strip().strip('"') not in _CHARSETS:
            raise UnsupportedBody("JSON is sent in UTF-8", content_type=content_type[:100])


def inflate(body: bytes, *, most_bytes: int) -> bytes:
    """Return what was compressed by gzip, in one or several parts; nothing beyond `most_bytes` is ever held."""
    parts: list[bytes] = []
    size = 0
    while body:
        if len(parts) == MOST_GZIP_PARTS:
            raise InvalidRequest(f"a gzip body has {MOST_GZIP_PARTS} parts at most")
        part = zlib.decompressobj(GZIP)
        try:
            parts.append(part.decompress(body, most_bytes - size + 1))
        except zlib.error:
            raise InvalidRequest("the body is not gzip, though Content-Encoding says so") from None
        size += len(parts[-1])
        if size > most_bytes:
            raise _too_large(most_bytes)
        if not part.eof:
            raise InvalidRequest("the gzip body ends in the middle")
        body = part.unused_data
    return b"".join(parts)


async def _receive_all(receive: Receive, *, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    size, has_more = 0, True
    while has_more:
        message = await receive()
        if message["type"] != "http.request":  # the client went away in the middle: nothing of it counts
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most_bytes:
            raise _too_large(most_bytes)
        has_more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(most_bytes: int) -> TooLarge:
    return TooLarge(f"a body takes {most_bytes} bytes at most: send smaller batches", limit_bytes=most_bytes)
