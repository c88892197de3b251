"""The cookie of those who are signed in: given, read, taken away."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from api.routes.addresses import is_https
from api.runtime.keys import KeyRing
from api.runtime.signed_in import SignedIn
from api.runtime.state import Runtime
from api.services import sessions
from api.services.sessions import SECRET_BYTES, Lifetime, hash_session
from api.settings import Settings

log = logging.getLogger(__name__)

COOKIE: Final = "paperfeed_session"
PURPOSE: Final = b"session"
LONGEST_COOKIE: Final = 128  # characters; ours have about 66
DAY_SECONDS: Final = 86_400


def find_signed_in(request: Request, runtime: Runtime) -> SignedIn | None:
    """Return who is signed in, None for everybody else; costs SQL only when it was not looked up a moment ago."""
    secret_hash = read_session_cookie(request.scope, runtime.keys)
    if secret_hash is None:
        return None
    return runtime.signed_in.get(secret_hash) or _look_up(runtime, secret_hash)


def known_signed_in(scope: Scope, runtime: Runtime) -> SignedIn | None:
    """Return who is signed in if this process has looked it up a moment ago: no SQL."""
    secret_hash = read_session_cookie(scope, runtime.keys)
    return None if secret_hash is None else runtime.signed_in.get(secret_hash)


def read_session_cookie(scope: Scope, keys: KeyRing) -> str | None:
    """Return the hash of the secret in the request's cookie; None without one that this service signed."""
    header = Headers(scope=scope).get("cookie")
    if header is None or COOKIE not in header:
        return None
    value = cookie_parser(header).get(COOKIE)
    if value is None or len(value) > LONGEST_COOKIE:
        return None
    opened = keys.open(PURPOSE, value)
    if opened is None or len(opened.payload) != SECRET_BYTES:
        return None
    return hash_session(opened.payload)


def give_session(response: Response, scope: Scope, runtime: Runtime, *, secret: bytes) -> None:
    """Let an answer carry the cookie of a session that has just begun."""
    settings = runtime.settings
    response.set_cookie(
        COOKIE,
        runtime.keys.seal(PURPOSE, secret),
        max_age=int(settings.session_most_days * DAY_SECONDS),  # what ends it earlier stands in the database
        secure=is_https(scope, settings.trusted_proxies),
        httponly=True,
        samesite="lax",
    )


def take_session(response: Response, scope: Scope, runtime: Runtime) -> None:
    """Let an answer take the cookie away."""
    secure = is_https(scope, runtime.settings.trusted_proxies)
    response.delete_cookie(COOKIE, secure=secure, httponly=True, samesite="lax")


def session_lifetime(settings: Settings) -> Lifetime:
    """Return how long sessions last."""
    return Lifetime(timedelta(days=settings.session_days), timedelta(days=settings.session_most_days))


def _look_up(runtime: Runtime, secret_hash: str) -> SignedIn | None:
    settings, now = runtime.settings, datetime.now(UTC)
    ended = runtime.signed_in.ended
    lifetime = session_lifetime(settings)
    with runtime.db.read() as session:
        found = sessions.read_session(
            session, secret_hash, moderators=settings.moderator_mails, lifetime=lifetime, now=now
        )
    if found is None:
        return None
    who, is_worth_noting = found
    if is_worth_noting:
        _prolong(runtime, secret_hash, lifetime, now)
    runtime.signed_in.put(secret_hash, who, ended=ended)
    return who


def _prolong(runtime: Runtime, secret_hash: str, lifetime: Lifetime, now: datetime) -> None:
    try:
        with runtime.db.write() as session:
            sessions.prolong_session(session, secret_hash, lifetime=lifetime, now=now)
    except SQLAlchemyError as error:  # a page is read all the same; its next reader tries again
        log.warning("session not prolonged", extra={"error": type(error).__name__})
