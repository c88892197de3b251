"""What happens in a browser when somebody signs in or out, or is no more: cookies, look-ups, lists."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from api.routes.signing import give_session, read_session_cookie, session_lifetime, take_session
from api.routes.site.visiting import local_path, see_other
from api.routes.visitors import give_cookie, make_reader, read_reader
from api.runtime.group_commit import OVERTAKEN
from api.runtime.state import Runtime
from api.services.signing_in import Arrived, Rules, SigningIn
from api.settings import Settings

ATTEMPTS: Final = 3
SIGNED_IN: Final = "signed-in"
SIGNED_IN_ALONG: Final = "signed-in-along"  # with what was done before
UNKNOWN_DEVICE: Final = "a browser"
_BROWSERS: Final = (  # the first that fits: most also name those after them
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,30}")


def sign_in(request: Request, runtime: Runtime, use: Callable[[Session, SigningIn], Arrived]) -> Response:
    """Let `use` sign somebody in by a proof that it uses up; return the redirect that carries the new cookies."""
    settings, scope = runtime.settings, request.scope
    browser = SigningIn(
        device=name_device(request.headers.get("user-agent", "")),
        anonymous=read_reader(scope, runtime.keys, days=settings.reader_cookie_days),
        former_session=read_session_cookie(scope, runtime.keys),
        lifetime=session_lifetime(settings),
    )
    arrived = _write(runtime, lambda session: use(session, browser))
    _follow(runtime, arrived)
    has_more = arrived.merged is not None and arrived.merged.moved > 0
    response = see_other(local_path(arrived.next_path), told=SIGNED_IN_ALONG if has_more else SIGNED_IN)
    give_session(response, scope, runtime, secret=arrived.session.secret)
    give_cookie(response, scope, runtime.keys, settings, reader=make_reader())  # the former one is the account's now
    return response


def leave(request: Request, runtime: Runtime, response: Response) -> Response:
    """Let an answer take the session away, and begin anew as somebody whom nobody has met."""
    take_session(response, request.scope, runtime)
    give_cookie(response, request.scope, runtime.keys, runtime.settings, reader=make_reader())
    return response


def sign_in_rules(settings: Settings) -> Rules:
    """Return who may sign in, and how often links are mailed."""
    return Rules(
        domains=settings.sign_in_domain_names,
        link_life=timedelta(minutes=settings.sign_in_minutes),
        links_an_hour=settings.sign_in_links_hourly,
        asked_an_hour=settings.sign_in_clients_hourly,
    )


def name_device(user_agent: str) -> str:
    """Return what its owner recognises a browser by, such as "Firefox on Linux"."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if not browser:
        plain = _PLAIN.match(user_agent)
        browser = plain[0] if plain and plain[0] != "Mozilla" else UNKNOWN_DEVICE
    return f"{browser} on {system}" if system else browser


def _write(runtime: Runtime, use: Callable[[Session], Arrived]) -> Arrived:
    attempt = 1
    while True:
        try:
            with runtime.db.write() as session:
                return use(session)
        except sa.exc.DBAPIError as error:  # two writers waited for each other: the other one is through now
            if attempt == ATTEMPTS or getattr(error.orig, "sqlstate", None) not in OVERTAKEN:
                raise
        attempt += 1


def _follow(runtime: Runtime, arrived: Arrived) -> None:
    """Let this process forget who the browser was, and lists follow what came along."""
    account, merged = arrived.account, arrived.merged
    if arrived.former_account_id is not None:
        runtime.signed_in.forget_account(arrived.former_account_id)
    runtime.access.note_user_id(account.external_user, account.user_id)
    if merged is not None:
        runtime.feeds.drop_list(account.user_id)
        runtime.feeds.drop_list(merged.anonymous_id)
        runtime.hints.refresh(account.user_id, is_active=True)


def now() -> datetime:
    """Return the time of a request."""
    return datetime.now(UTC)
