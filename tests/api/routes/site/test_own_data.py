"""Taking one's data along, and having it deleted, over HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx2 import Response

from api.routes import visitors
from api.routes.signing import COOKIE
from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.feed_cache import hidden_key
from api.store.tables import Event, User
from api.store.tables_accounts import Account, AuditLine, SignInLink, SiteSession
from api.store.tables_letters import ANONYMOUS_PREFIX, DeadLetter
from api.store.tables_mails import QueuedMail
from tests.api.routes.conftest import count_rows
from tests.api.routes.site.conftest import ORIGIN as LOCAL_ORIGIN
from tests.api.routes.site.pages import csrf_of
from tests.api.routes.site.signing_world import ADA, HTML, ORIGIN, ask_link, post_save, save, send, sign_in


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; the SQL is asked of both kinds under services."""
    return sqlite_database


def delete(browser: TestClient, **fields: str) -> Response:
    return send(browser, "/settings/delete", **(fields or {"sure": "yes"}))


def exported(browser: TestClient) -> dict[str, list[dict[str, object]]]:
    answer = browser.get("/settings/data/export.json")
    assert answer.status_code == 200
    tables: dict[str, list[dict[str, object]]] = answer.json()["tables"]
    return tables


def test_a_reader_takes_all_their_data_along(client: TestClient, database: Database, papers: list[str]) -> None:
    client.get("/")
    save(client, papers[0])
    sign_in(client, database, ADA)
    save(client, papers[1])
    answer = client.get("/settings/data/export.json")
    assert answer.headers["content-disposition"].startswith('attachment; filename="paperfeed-data-')
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.json()["format"] == "paperfeed export 1"
    tables = exported(client)
    assert {row["paper"] for row in tables["events"]} == set(papers[:2])
    assert {row["kind"] for row in tables["events"]} == {"save"}
    assert [row["mail"] for row in tables["accounts"]] == [ADA]
    assert {"users", "library", "merges", "sessions", "sign_in_links", "mails"} <= tables.keys()


def test_nothing_that_opens_anything_is_in_the_file(client: TestClient, database: Database) -> None:
    link = ask_link(client, database, ADA)
    send(client, link)
    text = client.get("/settings/data/export.json").text
    for secret in (link.rpartition("/")[2], client.cookies[COOKIE], "secret", "hash"):
        assert secret not in text


def test_the_file_of_somebody_else_is_somebody_elses(
    client: TestClient, database: Database, papers: list[str], phone: TestClient
) -> None:
    sign_in(client, database, ADA)
    save(client, papers[0])
    phone.get("/")
    save(phone, papers[1])
    assert {row["paper"] for row in exported(phone)["events"]} == {papers[1]}
    assert {row["paper"] for row in exported(client)["events"]} == {papers[0]}


def test_who_has_done_nothing_has_an_empty_file(client: TestClient, database: Database) -> None:
    assert exported(client) == {}


def test_a_long_history_comes_whole(client: TestClient, database: Database, papers: list[str]) -> None:
    sign_in(client, database, ADA)
    with database.write() as session:
        user_id = session.scalars(sa.select(Account.user_id)).one()
        moment = datetime.now(UTC)
        rows = [
            {
                "user_id": user_id,
                "event_id": f"e{n}",
                "kind": 1,
                "paper_id": 1,
                "received_at": moment,
                "payload_hash": "",
            }
            for n in range(1203)
        ]
        session.execute(sa.insert(Event), rows)
    assert [row["event_id"] for row in exported(client)["events"]] == [f"e{n}" for n in range(1203)]


def test_a_reader_is_deleted_at_once_with_keys_and_sessions(
    client: TestClient, database: Database, papers: list[str], runtime: Runtime, token_of: Callable[..., str]
) -> None:
    client.get("/")
    save(client, papers[0])
    sign_in(client, database, ADA)
    save(client, papers[1])
    with database.read() as session:
        user_id, name = session.execute(
            sa.select(User.user_id, User.external_id).join(Account, Account.user_id == User.user_id)
        ).one()
    token = {"Authorization": f"Bearer {token_of('read', 'write', reader=name)}"}
    assert client.get("/v1/me/library", headers=token).status_code == 200
    assert runtime.feeds._client.exists(hidden_key(user_id))
    cookies = {name: client.cookies[name] for name in (COOKIE, visitors.COOKIE)}
    answer = delete(client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Everything is deleted" in client.get("/", headers=HTML).text
    for table in (User, Event, Account, SiteSession, SignInLink, QueuedMail):
        assert count_rows(database, table) == 0, table
    assert not [key for key in runtime.feeds._client.scan_iter() if str(user_id) in str(key, "ascii").split(":")]
    assert client.get("/v1/me/library", headers=token).status_code == 401
    assert COOKIE not in client.cookies
    assert client.cookies[visitors.COOKIE] != cookies[visitors.COOKIE]
    client.cookies.set(COOKIE, cookies[COOKIE])
    assert "Sign out" not in client.get("/settings", headers=HTML).text


def test_a_line_without_identity_stays(client: TestClient, database: Database, papers: list[str]) -> None:
    sign_in(client, database, ADA)
    save(client, papers[0])
    delete(client)
    with database.read() as session:
        [line] = session.scalars(sa.select(AuditLine))
    assert (line.action, line.by) == ("reader erased", "reader")
    assert line.facts["events"] == 1
    assert ADA not in str(line.facts)


def test_without_the_box_nothing_is_deleted(client: TestClient, database: Database, papers: list[str]) -> None:
    client.get("/")
    save(client, papers[0])
    answer = delete(client, sure="")
    assert answer.status_code == 422
    assert "nothing was deleted" in answer.text
    assert count_rows(database, Event) == 1


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_page_from_elsewhere_deletes_nobody(
    client: TestClient, database: Database, papers: list[str], headers: dict[str, str]
) -> None:
    client.get("/")
    save(client, papers[0])
    fields = {"csrf": csrf_of(client.get("/settings/delete").text), "sure": "yes"}
    assert client.post("/settings/delete", data=fields, headers=headers).status_code == 403
    assert client.post("/settings/delete", data={"sure": "yes"}, headers=ORIGIN).status_code == 403
    client.get("/settings/delete?sure=yes")
    assert count_rows(database, Event) == 1


def test_what_is_still_on_its_way_for_a_deleted_reader_makes_nobody(
    client: TestClient, database: Database, papers: list[str]
) -> None:
    client.get("/")
    save(client, papers[0])
    former = f"{visitors.COOKIE}={client.cookies[visitors.COOKIE]}"
    delete(client)
    client.cookies.clear()
    answer = post_save(client, papers[1], Cookie=former)  # another tab, a retry of the beacon
    assert answer.json()["results"][0]["status"] == "rejected"
    assert count_rows(database, User) == count_rows(database, Event) == count_rows(database, DeadLetter) == 0
    page = client.get("/", headers={**HTML, "Cookie": former})
    assert page.status_code == 200
    pressed = {"csrf": csrf_of(page.text), "save": papers[1], "back": "/"}
    client.post("/act", data=pressed, headers={**ORIGIN, "Cookie": former}, follow_redirects=False)
    assert count_rows(database, User) == 0


def test_another_process_writes_nothing_for_who_was_deleted_a_moment_ago(
    client: TestClient, database: Database, papers: list[str], phone: TestClient
) -> None:
    sign_in(client, database, ADA)
    phone.cookies.set(COOKIE, client.cookies[COOKIE])
    save(phone, papers[0])  # that process knows them by now
    delete(client)
    answer = post_save(phone, papers[1])
    assert answer.status_code in {202, 401, 403}, answer.text
    if answer.status_code == 202:
        assert answer.json()["results"][0]["status"] == "rejected"
    assert count_rows(database, User) == count_rows(database, Event) == 0


def test_a_deleted_reader_may_sign_in_again_and_begins_anew(
    client: TestClient, database: Database, papers: list[str]
) -> None:
    sign_in(client, database, ADA)
    save(client, papers[0])
    delete(client)
    sign_in(client, database, ADA)
    assert "events" not in exported(client)


def test_a_link_that_was_mailed_before_signs_nobody_in_again(client: TestClient, database: Database) -> None:
    sign_in(client, database, ADA)
    send(client, "/sign-out", page="/settings")
    spare = ask_link(client, database, ADA)
    sign_in(client, database, ADA)
    delete(client)
    assert client.get(spare).status_code == 410


def test_an_anonymous_reader_deletes_what_they_did(client: TestClient, database: Database, papers: list[str]) -> None:
    client.get("/")
    save(client, papers[0])
    delete(client)
    assert count_rows(database, User) == 0
    save(client, papers[0])
    with database.read() as session:
        assert session.scalars(sa.select(User.external_id)).one().startswith(ANONYMOUS_PREFIX)


def test_who_has_done_nothing_is_deleted_without_a_line(client: TestClient, database: Database) -> None:
    assert delete(client).status_code == 303
    assert count_rows(database, AuditLine) == 0


def test_deleting_while_the_cache_is_away_says_nothing_wrong(
    client: TestClient, database: Database, papers: list[str], runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/")
    save(client, papers[0])
    monkeypatch.setattr(type(runtime.feeds), "drop_readers", lambda *_args, **_more: False)
    assert delete(client).status_code == 303
    assert count_rows(database, User) == 0


def test_the_operator_deletes_the_picked_reader_and_nobody_else(local: TestClient, runtime_of_local: Runtime) -> None:
    fields = {"reader": "u5", "sure": "yes"}
    page = local.get("/settings/delete?reader=u5", headers=HTML)
    assert "Delete everything about u5" in page.text or "about u5" in page.text
    fields["csrf"] = csrf_of(page.text)
    answer = local.post("/settings/delete", data=fields, headers=LOCAL_ORIGIN, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    with runtime_of_local.db.read() as session:
        assert session.scalars(sa.select(User.user_id).where(User.external_id == "u5")).all() == []
        assert session.scalars(sa.select(AuditLine.by)).all() == ["operator"]
    assert local.get("/settings/data/export.json?reader=u6").json()["tables"]["users"]
