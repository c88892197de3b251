"""The session of a browser: its cookie, forged and planted ones, and its end."""

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.routes.signing import COOKIE, PURPOSE
from api.runtime.keys import KeyRing
from api.runtime.secrets import SigningKey
from api.runtime.state import Runtime
from api.settings import Settings
from api.store.engine import Database
from api.store.tables_accounts import Account, SiteSession
from tests.api.routes.conftest import count_rows
from tests.api.routes.site.pages import csrf_of
from tests.api.routes.site.signing_world import (
    ADA,
    HTML,
    ask_link,
    given,
    is_signed_in,
    link_in,
    send,
    sign_in,
)
from tests.mail_world import mails_in


def test_the_cookie_of_a_session_is_for_no_script_and_for_no_other_site(client: TestClient, database: Database) -> None:
    cookie = given(sign_in(client, database, ADA), COOKIE)
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_over_https_the_cookie_is_for_https_alone(settings: Settings, database: Database) -> None:
    with TestClient(create_app(settings), base_url="https://testserver") as browser:
        page = browser.get("/sign-in")
        fields = {"csrf": csrf_of(page.text), "mail": ADA}
        browser.post("/sign-in", data=fields, headers={"Origin": "https://testserver"})
        link = link_in(mails_in(database)[-1])
        fields = {"csrf": csrf_of(browser.get(link).text)}
        answer = browser.post(link, data=fields, headers={"Origin": "https://testserver"}, follow_redirects=False)
    assert "Secure" in given(answer, COOKIE)


def test_a_session_that_was_there_before_does_not_become_the_readers(
    client: TestClient, database: Database, phone: TestClient
) -> None:
    sign_in(phone, database, "eve@papers.test")
    planted = phone.cookies[COOKIE]
    client.cookies.set(COOKIE, planted, domain="testserver.local", path="/")
    link = ask_link(client, database, ADA)
    answer = send(client, link)
    fresh = given(answer, COOKIE).partition(";")[0].partition("=")[2]
    assert fresh != planted
    with database.read() as session:
        mails = session.scalars(sa.select(Account.mail).join(SiteSession, SiteSession.account_id == Account.account_id))
        assert list(mails) == [ADA]  # the planted one ended


@pytest.mark.parametrize("change", ["flip", "other key", "other purpose", "cut", "longer", "raw"])
def test_a_forged_cookie_is_nobodys(client: TestClient, database: Database, runtime: Runtime, change: str) -> None:
    sign_in(client, database, ADA)
    good = client.cookies[COOKIE]
    opened = runtime.keys.open(PURPOSE, good)
    assert opened is not None
    stranger = KeyRing([SigningKey(b"a key of somebody else, long enough")])
    forged = {
        "flip": good[:-2] + ("A" if good[-2] != "A" else "B") + good[-1],
        "other key": stranger.seal(PURPOSE, opened.payload),
        "other purpose": runtime.keys.seal(b"reader", opened.payload),
        "cut": good[:-4],
        "longer": runtime.keys.seal(PURPOSE, opened.payload + b"\0"),
        "raw": opened.payload.hex(),
    }[change]
    assert is_signed_in(client)
    client.cookies.clear()
    client.cookies.set(COOKIE, forged)
    page = client.get("/settings", headers=HTML)
    assert page.status_code == 200
    assert ADA not in page.text


def test_signing_out_ends_the_session_itself(client: TestClient, database: Database) -> None:
    sign_in(client, database, ADA)
    stolen = client.cookies[COOKIE]
    answer = send(client, "/sign-out", page="/settings")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert COOKIE not in client.cookies
    assert count_rows(database, SiteSession) == 0
    client.cookies.set(COOKIE, stolen)
    assert not is_signed_in(client)


def test_a_get_does_not_sign_out(client: TestClient, database: Database) -> None:
    sign_in(client, database, ADA)
    client.get("/sign-out", headers=HTML)
    assert is_signed_in(client)
    csrf = csrf_of(client.get("/settings").text)
    assert client.post("/sign-out", data={"csrf": csrf}, headers={"Origin": "https://evil.test"}).status_code == 403
    assert is_signed_in(client)


def test_who_is_signed_in_costs_a_page_no_sql(
    client: TestClient, database: Database, settings: Settings, statements: list[str]
) -> None:
    sign_in(client, database, ADA)
    client.get("/settings/delete")
    statements.clear()
    client.get("/settings/delete")
    assert [one for one in statements if "sessions" in one] == []
