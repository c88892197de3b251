"""Signing in with an OpenID Connect issuer: a real server, real signatures, and attempts of others."""

import time
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.routes.site.single_sign_on import ATTEMPT_SECONDS
from api.routes.site.single_sign_on import COOKIE as ATTEMPT
from api.settings import Settings
from api.store.engine import Database
from api.store.tables_accounts import Account, Identity, SiteSession
from tests.api.routes.conftest import count_rows
from tests.api.routes.site.signing_world import HTML, sign_in
from tests.api.routes.site.single_sign_on.trips import come_back, refused, round_trip, set_out
from tests.issuer import CLIENT_SECRET, IssuerServer


def test_somebody_signs_in_and_is_led_to_where_they_were(
    browser: TestClient, issuer: IssuerServer, database: Database
) -> None:
    page = browser.get("/sign-in?next=/library").text
    assert "Sign in with Papers &amp; Co" in page
    assert 'href="/sign-in/oidc?next=/library"' in page
    answer = round_trip(browser, issuer, "/sign-in/oidc?next=/library")
    assert (answer.status_code, answer.headers["location"]) == (303, "/library")
    settings = browser.get("/settings", headers=HTML).text
    assert "ada@papers.test" in settings
    assert "Ada Lovelace" in settings
    with database.read() as session:
        assert session.scalars(sa.select(Identity.subject)).all() == ["subject-1"]


def test_the_browser_sets_out_with_a_challenge_a_state_and_a_nonce(browser: TestClient, issuer: IssuerServer) -> None:
    said = parse_qs(urlsplit(set_out(browser)).query)
    assert said["response_type"] == ["code"]
    assert said["code_challenge_method"] == ["S256"]
    assert "openid" in said["scope"][0].split()
    assert said["redirect_uri"][0].endswith("/sign-in/oidc/callback")
    again = parse_qs(urlsplit(set_out(browser)).query)
    for name in ("state", "nonce", "code_challenge"):
        assert len(said[name][0]) >= 43
        assert said[name] != again[name]


def test_the_same_person_comes_back_to_the_same_account(
    browser: TestClient, issuer: IssuerServer, database: Database
) -> None:
    round_trip(browser, issuer)
    browser.cookies.clear()
    issuer.person.mail = "countess@papers.test"
    assert round_trip(browser, issuer).status_code == 303
    assert count_rows(database, Account) == 1


def test_a_mail_account_of_the_same_address_is_theirs(
    browser: TestClient, issuer: IssuerServer, database: Database
) -> None:
    sign_in(browser, database, "ada@papers.test")
    browser.cookies.clear()
    round_trip(browser, issuer)
    assert count_rows(database, Account) == 1


@pytest.mark.parametrize("methods", [["client_secret_basic"], ["client_secret_post"], None])
def test_the_service_says_who_it_is_in_the_way_the_issuer_takes(
    browser: TestClient, issuer: IssuerServer, methods: list[str] | None
) -> None:
    issuer.manners.metadata["token_endpoint_auth_methods_supported"] = methods
    assert round_trip(browser, issuer).status_code == 303
    assert ("client_secret" in issuer.forms[-1]) == (methods == ["client_secret_post"])


def test_a_public_client_has_no_secret_and_a_challenge_all_the_same(
    with_issuer: Settings, issuer: IssuerServer
) -> None:
    public = with_issuer.model_copy(update={"oidc_client_secret": None})
    with TestClient(create_app(public)) as browser:
        assert round_trip(browser, issuer).status_code == 303
    assert "client_secret" not in issuer.forms[-1]
    assert issuer.forms[-1]["code_verifier"]


def test_a_callback_is_good_once(browser: TestClient, issuer: IssuerServer, database: Database) -> None:
    back = issuer.approve(set_out(browser))
    attempt = browser.cookies[ATTEMPT]
    assert come_back(browser, back).status_code == 303
    assert ATTEMPT not in browser.cookies
    assert come_back(browser, back).status_code == 403
    browser.cookies.clear()
    browser.cookies.set(ATTEMPT, attempt)  # even with the cookie of then: the issuer takes no code twice
    assert come_back(browser, back).status_code == 403
    assert count_rows(database, SiteSession) == 1


def test_nobody_signs_in_a_browser_that_did_not_set_out(
    browser: TestClient, with_issuer: Settings, issuer: IssuerServer, database: Database
) -> None:
    with TestClient(create_app(with_issuer)) as victim:
        back = issuer.approve(set_out(browser))  # Eve's own code, which she sends to somebody
        assert refused(come_back(victim, back), database)
        set_out(victim)
        assert refused(come_back(victim, back), database)  # who happens to sign in just now


def test_another_state_is_refused_and_the_attempt_is_over(
    browser: TestClient, issuer: IssuerServer, database: Database
) -> None:
    parts = urlsplit(issuer.approve(set_out(browser)))
    query = dict(parse_qsl(parts.query))
    for state in ("", "x", query["state"][:-1], "é"):
        assert refused(browser.get(f"{parts.path}?{urlencode(query | {'state': state})}", headers=HTML), database)
    assert refused(browser.get(f"{parts.path}?{parts.query}", headers=HTML), database)
    assert issuer.forms == []  # the code did not leave


def test_an_attempt_ends_with_its_time(
    browser: TestClient, issuer: IssuerServer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = issuer.approve(set_out(browser))
    later = time.time() + ATTEMPT_SECONDS + 1
    monkeypatch.setattr("api.routes.site.single_sign_on.time.time", lambda: later)
    assert refused(come_back(browser, back), database)


def test_a_forged_attempt_is_refused(browser: TestClient, issuer: IssuerServer, database: Database) -> None:
    back = issuer.approve(set_out(browser))
    good = browser.cookies[ATTEMPT]
    for forged in (good[:-4], "x" * 50, "", f"{good[:-2]}AA", "é".encode().hex()):
        browser.cookies.clear()
        browser.cookies.set(ATTEMPT, forged)
        assert refused(come_back(browser, back), database)


def test_who_does_not_agree_is_not_signed_in(browser: TestClient, issuer: IssuerServer, database: Database) -> None:
    query = dict(parse_qsl(urlsplit(set_out(browser)).query))
    answer = browser.get(
        "/sign-in/oidc/callback",
        params={"error": "access_denied", "error_description": "<script>", "state": query["state"]},
        headers=HTML,
    )
    assert refused(answer, database)
    assert "<script>" not in answer.text.replace('<script src="', "")


@pytest.mark.parametrize("path", ["//evil.test", "https://evil.test/", "/\\evil.test"])
def test_nobody_is_led_elsewhere_afterwards(browser: TestClient, issuer: IssuerServer, path: str) -> None:
    assert round_trip(browser, issuer, f"/sign-in/oidc?{urlencode({'next': path})}").headers["location"] == "/"


def test_a_page_from_elsewhere_cannot_make_a_browser_set_out(browser: TestClient, issuer: IssuerServer) -> None:
    headers = {**HTML, "Sec-Fetch-Site": "cross-site"}
    assert browser.get("/sign-in/oidc", headers=headers, follow_redirects=False).status_code == 403
    assert ATTEMPT not in browser.cookies


def test_the_cookie_of_an_attempt_is_for_no_script(browser: TestClient, issuer: IssuerServer) -> None:
    answer = browser.get("/sign-in/oidc", headers=HTML, follow_redirects=False)
    [cookie] = [one for one in answer.headers.get_list("set-cookie") if one.startswith(ATTEMPT)]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/sign-in/oidc" in cookie


def test_without_an_issuer_there_is_no_button_and_no_way(client: TestClient, database: Database) -> None:
    assert "/sign-in/oidc" not in client.get("/sign-in").text
    for path in ("/sign-in/oidc", "/sign-in/oidc/callback?code=x&state=y"):
        assert client.get(path, headers=HTML, follow_redirects=False).status_code == 404


def test_logs_know_neither_codes_nor_tokens(
    browser: TestClient, issuer: IssuerServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        back = issuer.approve(set_out(browser))
        come_back(browser, back)
    code = dict(parse_qsl(urlsplit(back).query))["code"]
    own = [record for record in caplog.records if record.name.startswith("api")]
    assert own
    told = "\n".join(str(vars(record)) for record in own)
    assert code not in told
    assert CLIENT_SECRET not in told
    assert "ada@papers.test" not in told
