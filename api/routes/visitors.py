"""Anonymous readers: a signed cookie that pages give out, and when it may speak for its reader."""

import struct
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from api.routes.addresses import is_https
from api.runtime.entropy import Entropy
from api.runtime.keys import KeyRing
from api.settings import Settings
from api.store.tables_letters import ANONYMOUS_PREFIX

COOKIE: Final = "paperfeed_reader"
PURPOSE: Final = b"reader"
ID_BYTES: Final = 16  # 22 URL-safe characters: nobody guesses another's
LONGEST_COOKIE: Final = 256  # characters; ours have about 56
RENEW_SECONDS: Final = 86_400  # a cookie older than this is written anew at a visit
DAY_SECONDS: Final = 86_400
AHEAD_SECONDS: Final = 300  # another process's clock may be this far ahead
_IDS: Final = Entropy(ID_BYTES)
_PAYLOAD: Final = struct.Struct("<16sI")


def issue_reader(response: Response, scope: Scope, keys: KeyRing, settings: Settings) -> str:
    """Return the anonymous reader of a page, a new one where there is none, and see to it that the cookie lasts on."""
    held = _read_cookie(scope)
    found = None if held is None else _open(held, keys, days=settings.reader_cookie_days)
    raw, issued = found or (_IDS.take(), 0)
    if time.time() - issued > RENEW_SECONDS:
        _give_cookie(response, scope, keys, settings, raw)
    return _external_id(raw)


def make_reader() -> str:
    """Return an anonymous reader whom nobody has met."""
    return _external_id(_IDS.take())


def give_cookie(response: Response, scope: Scope, keys: KeyRing, settings: Settings, *, reader: str) -> None:
    """Let an answer carry the cookie of an anonymous reader."""
    raw = urlsafe_b64decode(reader.removeprefix(ANONYMOUS_PREFIX) + "==")
    _give_cookie(response, scope, keys, settings, raw)


def read_reader(scope: Scope, keys: KeyRing, *, days: int) -> str | None:
    """Return the anonymous reader of the request's cookie; None without one that this service signed lately."""
    held = _read_cookie(scope)
    return None if held is None else open_reader(held, keys, days=days)


def open_reader(cookie: str, keys: KeyRing, *, days: int) -> str | None:
    """Return the anonymous reader of a cookie's value, None for one that this service did not sign, or too long ago."""
    found = _open(cookie, keys, days=days)
    return None if found is None else _external_id(found[0])


def set_cookie(response: Response, name: str, value: str, *, max_age: int, is_secure: bool = False) -> None:
    """Give a cookie that scripts do not see, with a value that needs no quotes: `http.cookies` takes much longer."""
    secure = "; Secure" if is_secure else ""
    line = f"{name}={value}; HttpOnly; Max-Age={max_age}; Path=/; SameSite=lax{secure}"
    response.raw_headers.append((b"set-cookie", line.encode("ascii")))


def is_own_page(scope: Scope) -> bool:
    """True unless a browser says that a page from elsewhere sent this: only our own pages may use the cookie."""
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is None:  # no browser sends a POST from elsewhere without it
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:  # such as an address in half a pair of brackets
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and parts.netloc == headers.get("host")


def is_surely_own_page(scope: Scope) -> bool:
    """True where a browser says that a page of this service sent this."""
    headers = Headers(scope=scope)
    return is_own_page(scope) and ("sec-fetch-site" in headers or "origin" in headers)


def _give_cookie(response: Response, scope: Scope, keys: KeyRing, settings: Settings, raw: bytes) -> None:
    value = keys.seal(PURPOSE, _PAYLOAD.pack(raw, int(time.time())))
    is_secure = is_https(scope, settings.trusted_proxies)
    set_cookie(response, COOKIE, value, max_age=settings.reader_cookie_days * DAY_SECONDS, is_secure=is_secure)


def _read_cookie(scope: Scope) -> str | None:
    header = Headers(scope=scope).get("cookie")
    if header is None or COOKIE not in header:
        return None
    value = cookie_parser(header).get(COOKIE)
    return None if value is None or len(value) > LONGEST_COOKIE else value


def _open(cookie: str, keys: KeyRing, *, days: int) -> tuple[bytes, int] | None:
    opened = keys.open(PURPOSE, cookie) if len(cookie) <= LONGEST_COOKIE else None
    if opened is None or len(opened.payload) != _PAYLOAD.size:
        return None
    raw, issued = _PAYLOAD.unpack(opened.payload)
    now = time.time()
    if not now - days * DAY_SECONDS <= issued <= now + AHEAD_SECONDS:
        return None
    if opened.retired_at is not None and issued > opened.retired_at.timestamp() + AHEAD_SECONDS:
        return None  # sealed with a key that was replaced before: somebody else has it
    return raw, issued


def _external_id(raw: bytes) -> str:
    return ANONYMOUS_PREFIX + urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
