"""What comes along when somebody signs in, and what does not, over HTTP."""

import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes import visitors
from api.store.engine import Database
from api.store.tables import Event, User
from api.store.tables_letters import ANONYMOUS_PREFIX
from tests.api.routes.site.signing_world import (
    ADA,
    HTML,
    ask_link,
    is_signed_in,
    save,
    send,
    sign_in,
)


def owners_of_events(database: Database) -> list[str]:
    with database.read() as session:
        query = sa.select(User.external_id).join(Event, Event.user_id == User.user_id).order_by(Event.event_pk)
        return list(session.scalars(query))


def test_the_anonymous_cookie_changes_at_sign_in_and_the_former_one_keeps_nothing(
    client: TestClient, database: Database, papers: list[str], phone: TestClient
) -> None:
    client.get("/")
    former = client.cookies[visitors.COOKIE]
    save(client, papers[0])
    sign_in(client, database, ADA)
    assert client.cookies[visitors.COOKIE] != former
    phone.cookies.set(visitors.COOKIE, former)
    assert papers[0] not in phone.get("/settings/data/export.json").text


def test_what_somebody_did_before_signing_in_becomes_the_accounts_once(
    client: TestClient, database: Database, papers: list[str]
) -> None:
    client.get("/")
    save(client, papers[0])
    sign_in(client, database, ADA)
    assert "came along" in client.get("/", headers=HTML).text
    save(client, papers[1])
    [owner] = set(owners_of_events(database))
    assert owner.startswith("account:")
    assert len(owners_of_events(database)) == 2


def test_what_somebody_does_after_signing_out_is_not_the_accounts(
    client: TestClient, database: Database, papers: list[str]
) -> None:
    client.get("/")
    save(client, papers[0])
    sign_in(client, database, ADA)
    send(client, "/sign-out", page="/settings")
    client.get("/")
    save(client, papers[1])
    first, second = owners_of_events(database)
    assert first.startswith("account:")
    assert second.startswith(ANONYMOUS_PREFIX)


def test_who_signs_in_on_two_browsers_has_one_history(
    client: TestClient, database: Database, papers: list[str], phone: TestClient
) -> None:
    for browser, paper in ((client, papers[0]), (phone, papers[1])):
        browser.get("/")
        save(browser, paper)
        sign_in(browser, database, ADA)
    assert len(set(owners_of_events(database))) == 1
    assert len(owners_of_events(database)) == 2


def test_a_second_person_in_the_same_browser_does_not_get_the_firsts_history(
    client: TestClient, database: Database, papers: list[str]
) -> None:
    client.get("/")
    save(client, papers[0])
    sign_in(client, database, ADA)
    sign_in_again = ask_link(client, database, "grace@papers.test") if not is_signed_in(client) else None
    assert sign_in_again is None  # the sign-in page leads those who are signed in on
    send(client, "/sign-out", page="/settings")
    sign_in(client, database, "grace@papers.test")
    save(client, papers[1])
    first, second = owners_of_events(database)
    assert first != second
    assert papers[0] not in client.get("/settings/data/export.json").text
