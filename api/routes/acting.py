"""Who may act for any reader without a token: somebody at the machine that runs the embedded service."""

from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

from api.errors import InvalidRequest
from api.settings import LOOPBACK_HOSTS, Settings
from api.store.tables import LONGEST_EXTERNAL_ID
from api.store.tables_letters import ANONYMOUS_PREFIX

FORWARDING_HEADERS: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


def is_trusted(request: Request, settings: Settings, *, is_writing: bool = False) -> bool:
    """True for somebody at this machine, in the embedded mode, whose browser asked for this very service.

    The name in `Host` keeps out pages that reach us under a name of their own (DNS rebinding), `Origin` those that
    send forms here from elsewhere. What a proxy passes on comes from somebody we do not know.
    """
    client = request.client
    if not settings.is_embedded or client is None or client.host not in LOOPBACK_HOSTS:
        return False
    if any(name in request.headers for name in FORWARDING_HEADERS):
        return False
    host = request.headers.get("host", "")
    if _host_name(f"//{host}") not in LOOPBACK_HOSTS:
        return False
    return not is_writing or _is_own_page(request, host)


def is_external_user(text: str) -> bool:
    """True for a text that may name a reader; anonymous ones are known by their cookie alone."""
    is_text = 1 <= len(text) <= LONGEST_EXTERNAL_ID and text.isprintable() and text == text.strip()
    return is_text and not text.startswith(ANONYMOUS_PREFIX)


def read_reader_name(text: str) -> str:
    """Return a reader's name from a form."""
    name = text.strip()
    if not is_external_user(name):
        raise InvalidRequest("a reader's name has 1 to 200 printable characters", field="reader")
    return name


def _is_own_page(request: Request, host: str) -> bool:
    source = request.headers.get("origin") or request.headers.get("referer")
    if source is None:
        return False
    try:
        parts = urlsplit(source)
    except ValueError:  # such as an address in half a pair of brackets
        return False
    return parts.scheme == request.url.scheme and parts.netloc == host


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
