"""The cookie of anonymous readers: signed, renewed, and never handed to scripts."""

import time
from datetime import UTC, datetime, timedelta
from http.cookies import Morsel, SimpleCookie

import pytest
from pydantic import SecretStr
from starlette.responses import Response
from starlette.types import Scope

from api.routes.visitors import COOKIE, issue_reader, open_reader, read_reader
from api.runtime.keys import KeyRing
from api.runtime.secrets import SigningKey
from api.settings import Settings

KEYS = KeyRing([SigningKey(b"k" * 40, None)])
SETTINGS = Settings(secret_key=SecretStr("k" * 40), trusted_proxies="10.0.0.1")


def scope_of(cookie: str | None = None, *, scheme: str = "http", peer: str = "127.0.0.1", proto: str = "") -> Scope:
    headers = [] if cookie is None else [(b"cookie", f"a=b; {COOKIE}={cookie}; c=d".encode())]
    headers += [(b"x-forwarded-proto", proto.encode())] if proto else []
    return {"type": "http", "scheme": scheme, "client": (peer, 1), "headers": headers}


def issue(scope: Scope) -> tuple[str, Morsel[str] | None]:
    """Return whose page it is, and the cookie it sets, if any."""
    answer = Response()
    reader = issue_reader(answer, scope, KEYS, SETTINGS)
    return reader, SimpleCookie(answer.headers.get("set-cookie", "")).get(COOKIE)


def test_a_first_visit_gives_a_cookie_that_names_its_reader() -> None:
    reader, cookie = issue(scope_of())
    assert cookie is not None
    assert (reader[:5], len(reader)) == ("anon:", 27)
    assert read_reader(scope_of(cookie.value), KEYS, days=180) == reader
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", "/")
    assert int(cookie["max-age"]) == 180 * 86_400


def test_two_visitors_are_two_readers() -> None:
    assert issue(scope_of())[0] != issue(scope_of())[0]


def test_a_second_visit_on_the_same_day_sets_no_cookie(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, cookie = issue(scope_of())
    assert cookie is not None
    assert issue(scope_of(cookie.value)) == (reader, None)
    later = time.time() + 100_000
    monkeypatch.setattr(time, "time", lambda: later)
    again, renewed = issue(scope_of(cookie.value))
    assert again == reader
    assert renewed is not None
    assert renewed.value != cookie.value


def test_a_cookie_ends_when_its_days_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, cookie = issue(scope_of())
    assert cookie is not None
    later = time.time() + 181 * 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    assert open_reader(cookie.value, KEYS, days=180) is None
    assert issue(scope_of(cookie.value))[0] != reader


@pytest.mark.parametrize(
    ("scope", "is_secure"),
    [
        (scope_of(), False),
        (scope_of(scheme="https"), True),
        (scope_of(peer="10.0.0.1", proto="https"), True),
        (scope_of(peer="10.0.0.2", proto="https"), False),
    ],
)
def test_over_tls_the_cookie_stays_on_tls(scope: Scope, is_secure: bool) -> None:
    cookie = issue(scope)[1]
    assert cookie is not None
    assert bool(cookie["secure"]) == is_secure


def test_a_cookie_of_a_replaced_key_counts_and_is_signed_anew_in_time() -> None:
    _, cookie = issue(scope_of())
    assert cookie is not None
    now = datetime.now(UTC)
    rotated = KeyRing([SigningKey(b"n" * 40, None), SigningKey(b"k" * 40, now + timedelta(seconds=1))])
    assert open_reader(cookie.value, rotated, days=180) is not None
    stolen = KeyRing([SigningKey(b"n" * 40, None), SigningKey(b"k" * 40, now - timedelta(hours=1))])
    assert open_reader(cookie.value, stolen, days=180) is None  # signed after the key had been replaced


@pytest.mark.parametrize("value", ["", "x", "é", "x" * 100_000, '"quoted"', "%00"])
def test_strange_cookies_are_no_reader(value: str) -> None:
    scope: Scope = {"type": "http", "headers": [(b"cookie", f"{COOKIE}={value}".encode())]}
    assert read_reader(scope, KEYS, days=180) is None
