"""Signing in by a mailed link, over HTTP, and what somebody hostile could try with it."""

import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.signing import COOKIE
from api.store.engine import Database
from api.store.tables_accounts import Account, SignInLink, SiteSession
from tests.api.routes.conftest import count_rows
from tests.api.routes.site.pages import csrf_of
from tests.api.routes.site.signing_world import (
    ADA,
    HTML,
    ORIGIN,
    ask,
    ask_link,
    is_signed_in,
    link_in,
    send,
    sign_in,
)
from tests.mail_world import mails_in


def test_a_mailed_link_signs_in_and_leads_to_where_somebody_was(client: TestClient, database: Database) -> None:
    answer = ask(client, ADA, next_path="/library")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?sent=1")
    assert "Look into your mail" in client.get("/sign-in?sent=1", headers=HTML).text
    [letter] = mails_in(database)
    assert (letter.recipient, letter.kind) == (ADA, "sign-in")
    page = client.get(link_in(letter), headers=HTML)
    assert ADA in page.text
    arrived = send(client, link_in(letter))
    assert (arrived.status_code, arrived.headers["location"]) == (303, "/library")
    assert "You are signed in.</p>" in client.get("/", headers=HTML).text  # nothing was done before
    assert ADA in client.get("/settings", headers=HTML).text


def test_a_program_that_opens_every_link_of_a_mail_signs_nobody_in(client: TestClient, database: Database) -> None:
    link = ask_link(client, database, ADA)
    for _ in range(3):
        answer = client.get(link)
        assert answer.status_code == 200
        assert COOKIE not in answer.headers.get("set-cookie", "")
    assert client.head(link).status_code in {200, 405}
    assert count_rows(database, Account) == count_rows(database, SiteSession) == 0
    assert send(client, link).status_code == 303
    assert count_rows(database, SiteSession) == 1


def test_a_link_signs_in_once(client: TestClient, database: Database, phone: TestClient) -> None:
    link = ask_link(client, database, ADA)
    csrf = csrf_of(phone.get(link, headers=HTML).text)  # its page was open before
    assert send(client, link).status_code == 303
    replayed = phone.post(link, data={"csrf": csrf}, headers={**ORIGIN, **HTML}, follow_redirects=False)
    assert replayed.status_code == 410
    assert "no longer good" in replayed.text
    assert not is_signed_in(phone)
    assert phone.get(link, headers=HTML).status_code == 410
    assert count_rows(database, SiteSession) == 1


def test_a_link_opens_in_a_browser_that_did_not_ask_for_it(
    client: TestClient, database: Database, phone: TestClient
) -> None:
    link = ask_link(client, database, ADA)
    assert send(phone, link).status_code == 303
    assert is_signed_in(phone)
    assert not is_signed_in(client)


def test_an_old_link_is_no_good(client: TestClient, database: Database) -> None:
    link = ask_link(client, database, ADA)
    with database.write() as session:
        session.execute(sa.update(SignInLink).values(expires_at=datetime(2026, 1, 1, tzinfo=UTC)))
    page = client.get(link, headers=HTML)
    assert page.status_code == 410
    assert ADA not in page.text


@pytest.mark.parametrize("token", ["nothing", "x" * 43, "x" * 5_000, "%00", "..%2fadmin", "é"])
def test_an_invented_link_is_no_good(client: TestClient, database: Database, token: str) -> None:
    page = client.get(f"/sign-in/{token}", headers=HTML)
    assert page.status_code in {404, 410}
    csrf = csrf_of(client.get("/sign-in").text)
    answer = client.post(f"/sign-in/{token}", data={"csrf": csrf}, headers=ORIGIN, follow_redirects=False)
    assert answer.status_code in {404, 405, 410}
    assert count_rows(database, Account) == 0


def test_only_the_hash_of_a_link_and_of_a_session_is_kept(client: TestClient, database: Database) -> None:
    link = ask_link(client, database, ADA)
    send(client, link)
    secret, cookie = link.rpartition("/")[2], client.cookies[COOKIE]
    with database.read() as session:
        kept = [
            str(list(row))
            for table in (SignInLink.__table__, SiteSession.__table__)
            for row in session.execute(sa.select(table))
        ]
    assert len(kept) == 2
    assert not any(secret in row or cookie in row for row in kept)


def test_logs_know_neither_the_link_nor_the_address(
    client: TestClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        link = ask_link(client, database, ADA)
        send(client, link)
    told = "\n".join(
        str(vars(record)) for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    )
    assert "/sign-in/..." in told
    assert link.rpartition("/")[2] not in told
    assert ADA not in told


@pytest.mark.parametrize(
    "path",
    [
        "//evil.test",
        "https://evil.test/",
        "/\\evil.test",
        "\\\\evil.test",
        "javascript:alert(1)",
        "/%0d%0aX: 1",
        "/ /evil",
    ],
)
def test_nobody_is_led_elsewhere_after_signing_in(client: TestClient, database: Database, path: str) -> None:
    assert client.get("/sign-in", params={"next": path}).status_code == 200
    location = sign_in(client, database, ADA, next_path=path).headers["location"]
    assert re.fullmatch(r"/([^/\\ ].*)?", location)
    assert "evil" not in location
    signed_in = client.get("/sign-in", params={"next": path}, follow_redirects=False)
    assert re.fullmatch(r"/([^/\\ ].*)?", signed_in.headers["location"])


def test_a_form_from_elsewhere_asks_for_nothing_and_signs_nobody_in(client: TestClient, database: Database) -> None:
    page = client.get("/sign-in").text
    fields = {"csrf": csrf_of(page), "mail": ADA}
    for headers in ({"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.post("/sign-in", data=fields, headers=headers).status_code == 403
    assert mails_in(database) == []
    link = ask_link(client, database, ADA)
    csrf = csrf_of(client.get(link).text)
    assert client.post(link, data={"csrf": csrf}, headers={"Origin": "https://evil.test"}).status_code == 403
    assert client.post(link, data={"csrf": ""}, headers=ORIGIN).status_code == 403
    assert count_rows(database, SiteSession) == 0
    assert send(client, link).status_code == 303  # none of these used it up


def test_the_token_of_somebody_elses_form_signs_nobody_in(
    client: TestClient, database: Database, phone: TestClient
) -> None:
    link = ask_link(client, database, ADA)
    stolen = csrf_of(phone.get(link).text)
    answer = client.post(link, data={"csrf": stolen}, headers=ORIGIN, follow_redirects=False)
    assert answer.status_code == 403
    assert count_rows(database, SiteSession) == 0


def test_pages_of_signing_in_are_kept_by_nobody(client: TestClient, database: Database) -> None:
    link = ask_link(client, database, ADA)
    for path in ("/sign-in", link):
        answer = client.get(path)
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["referrer-policy"] in {"same-origin", "no-referrer", "strict-origin"}
        assert "noindex" in answer.text or path == "/sign-in"
