"""Asking for a link to sign in: who gets one, how many, and what the answer tells."""

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.store.engine import Database
from api.store.tables_accounts import Account, SignInLink
from tests.api.routes.conftest import count_rows
from tests.api.routes.site.signing_world import (
    ADA,
    ask,
    link_in,
    send,
    sign_in,
)
from tests.mail_world import mails_in


@pytest.mark.parametrize("mail", ["new@papers.test", ADA])
def test_the_answer_does_not_tell_whether_somebody_has_an_account(
    client: TestClient, database: Database, phone: TestClient, mail: str
) -> None:
    sign_in(client, database, ADA)
    answer = ask(phone, mail)
    assert (answer.status_code, answer.headers["location"], answer.text) == (303, "/sign-in?sent=1", "")
    assert mails_in(database)[-1].recipient == mail


def test_the_answer_does_not_tell_who_may_not_sign_in(settings: Settings, database: Database) -> None:
    closed = settings.model_copy(update={"sign_in_domains": "papers.test"})
    with TestClient(create_app(closed)) as browser:
        answers = [ask(browser, mail) for mail in ("eve@elsewhere.test", ADA)]
    assert {(answer.status_code, answer.headers["location"]) for answer in answers} == {(303, "/sign-in?sent=1")}
    assert [letter.recipient for letter in mails_in(database)] == [ADA]


def test_an_address_gets_few_links_an_hour_and_the_answer_stays_the_same(
    client: TestClient, database: Database, settings: Settings
) -> None:
    answers = [ask(client, ADA) for _ in range(settings.sign_in_links_hourly + 2)]
    assert {(answer.status_code, answer.headers["location"]) for answer in answers} == {(303, "/sign-in?sent=1")}
    assert len(mails_in(database)) == settings.sign_in_links_hourly


def test_spelling_an_address_in_capitals_gets_no_more_links_and_no_second_account(
    client: TestClient, database: Database, settings: Settings
) -> None:
    sign_in(client, database, "Ada@Papers.Test")
    send(client, "/sign-out", page="/settings")
    for spelling in ("ADA@papers.test", "ada@PAPERS.TEST", "aDa@papers.test", "adA@papers.test", "Ada@papers.test"):
        ask(client, spelling)
    assert len(mails_in(database)) == settings.sign_in_links_hourly
    send(client, link_in(mails_in(database)[-1]))
    assert count_rows(database, Account) == 1


def test_a_browser_asks_for_few_links_an_hour(settings: Settings, database: Database) -> None:
    strict = settings.model_copy(update={"sign_in_clients_hourly": 3})
    with TestClient(create_app(strict)) as browser:
        answers = [ask(browser, f"reader{number}@papers.test") for number in range(4)]
    assert [answer.status_code for answer in answers] == [303, 303, 303, 429]
    assert answers[-1].headers["retry-after"] == "3600"
    assert "try again in an hour" in answers[-1].text
    assert len(mails_in(database)) == 3


@pytest.mark.parametrize(
    "mail", ["", "ada", "@papers.test", "ada@", "a@b@c", "ada@papers.test\nBcc: eve@papers.test", "x" * 300 + "@a.test"]
)
def test_what_is_no_address_is_said_beside_the_field(client: TestClient, database: Database, mail: str) -> None:
    answer = ask(client, mail)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert mails_in(database) == []
    assert count_rows(database, SignInLink) == 0


def test_what_was_typed_comes_back_as_text(client: TestClient, database: Database) -> None:
    assert "<script>" not in ask(client, "<script>alert(1)</script>").text
