"""Who may act from the start page without a token, and what the buttons do."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

from api.errors import InvalidRequest
from api.routes.deps import is_external_user
from api.routes.events import take_events
from api.runtime.state import Runtime
from api.schemas.events import Incoming
from api.settings import LOOPBACK_HOSTS, Settings

BUTTONS: Final = frozenset({"save", "dismiss", "unsave", "undismiss"})
FORWARDING_HEADERS: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
LOOKS: Final = 12  # for the changed list before the page is shown again
LOOK_SECONDS: Final = 0.1


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


def read_reader_name(text: str) -> str:
    """Return a reader's name from a form."""
    name = text.strip()
    if not is_external_user(name):
        raise InvalidRequest("a reader's name has 1 to 200 printable characters", field="reader")
    return name


async def act(runtime: Runtime, *, reader: str, kind: str, paper_id: str) -> None:
    """Record one press of a button and wait a moment for the list to follow, so that the next page shows it."""
    if kind not in BUTTONS:
        raise InvalidRequest("a button saves, dismisses or takes one of them back", field="kind")
    now = datetime.now(UTC)
    event = {"id": str(uuid.uuid4()), "kind": kind, "paper_id": paper_id, "occurred_at": now.isoformat()}
    outcome = await take_events(runtime, Incoming([event], reader))
    if outcome.answers[0].status == "rejected":
        raise InvalidRequest(outcome.answers[0].reason or "this paper is not known here", field="paper")
    served = runtime.serving.current
    if outcome.user_id is None or served is None:
        return
    for _ in range(LOOKS):
        feed = await runtime.async_feeds.read_list(outcome.user_id, version=served.version)
        if feed is None or feed.papers.built_at >= now:
            return
        await asyncio.sleep(LOOK_SECONDS)


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
