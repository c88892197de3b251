"""The settings page: what it leads to, the name, and where somebody is signed in."""

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.routes.site.arriving import name_device
from api.routes.site.settings import SECTIONS
from api.settings import Settings
from api.store.engine import Database
from api.store.tables_accounts import Account, SiteSession
from tests.api.routes.conftest import count_rows
from tests.api.routes.site.pages import csrf_of
from tests.api.routes.site.signing_world import ADA, HTML, ORIGIN, send, sign_in


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; the SQL is asked of both kinds under services."""
    return sqlite_database


@pytest.fixture
def phone(settings: Settings, client: TestClient) -> Iterator[TestClient]:
    """Return another browser, at another process."""
    headers = {"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"}
    with TestClient(create_app(settings), headers=headers) as browser:
        yield browser


def page(browser: TestClient) -> str:
    return browser.get("/settings", headers=HTML).text


def sessions_on(text: str) -> dict[str, str]:
    """Return the devices of a page with the numbers of their sessions."""
    return {
        device: number
        for number, device in re.findall(
            r'name="session" value="(\d+)"><p><button[^>]*aria-label="Sign out ([^"]+)"', text
        )
    }


def test_every_section_leads_to_a_page_that_is_there(client: TestClient, database: Database) -> None:
    sign_in(client, database, ADA)
    text = page(client)
    for section in SECTIONS:
        if section.needs == "moderator":
            assert f'href="{section.path}"' not in text
            continue
        assert f'href="{section.path}"' in text
        assert client.get(section.path, headers=HTML).status_code == 200, section.path


def test_only_moderators_are_led_to_moderation(settings: Settings, database: Database) -> None:
    with TestClient(create_app(settings.model_copy(update={"moderators": "grace@papers.test"}))) as browser:
        sign_in(browser, database, "Grace@papers.test")
        assert 'href="/moderation"' in page(browser)
        assert browser.get("/moderation", headers=HTML).status_code == 200
        send(browser, "/sign-out", page="/settings")
        sign_in(browser, database, ADA)
        assert 'href="/moderation"' not in page(browser)
        assert browser.get("/moderation", headers=HTML).status_code == 403


def test_without_an_account_the_page_offers_to_sign_in(client: TestClient, database: Database) -> None:
    text = page(client)
    assert 'href="/sign-in?next=/settings"' in text
    assert "Sign out" not in text


def test_a_new_name_is_there_at_once(client: TestClient, database: Database) -> None:
    sign_in(client, database, ADA)
    assert send(client, "/settings/name", page="/settings", name="Ada <L>").status_code == 303
    assert "Ada &lt;L&gt;" in page(client)
    answer = send(client, "/settings/name", page="/settings", name=" ")
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    with database.read() as session:
        assert session.scalars(sa.select(Account.display_name)).one() == "Ada <L>"


def test_one_browser_is_signed_out_from_another(client: TestClient, database: Database, phone: TestClient) -> None:
    sign_in(client, database, ADA)
    sign_in(phone, database, ADA)
    found = sessions_on(page(client))
    assert "Safari on iPhone" in found
    assert len(found) == 2
    number = found["Safari on iPhone"]
    assert send(client, "/settings/sessions/end", page="/settings", session=number).status_code == 303
    assert list(sessions_on(page(client))) != []
    assert count_rows(database, SiteSession) == 1
    again = send(client, "/settings/sessions/end", page="/settings", session=number)
    assert again.status_code == 303  # over already: what was asked for


def test_ending_the_own_session_signs_out_here(client: TestClient, database: Database) -> None:
    sign_in(client, database, ADA)
    [number] = sessions_on(page(client)).values()
    send(client, "/settings/sessions/end", page="/settings", session=number)
    assert "Sign out" not in page(client)


def test_signing_out_everywhere_reaches_the_other_process_when_its_memory_ends(
    settings: Settings, database: Database, client: TestClient
) -> None:
    forgetful = settings.model_copy(update={"token_cache_seconds": 0.0})
    with TestClient(create_app(forgetful)) as phone:
        sign_in(client, database, ADA)
        sign_in(phone, database, ADA)
        assert "Sign out" in page(phone)
        answer = send(client, "/settings/sessions/end-all", page="/settings")
        assert answer.status_code == 303
        assert "Sign out" not in page(client)
        assert "Sign out" not in page(phone)
    assert count_rows(database, SiteSession) == 0


def test_nobody_ends_the_session_of_somebody_else(client: TestClient, database: Database, phone: TestClient) -> None:
    sign_in(client, database, ADA)
    [number] = sessions_on(page(client)).values()
    sign_in(phone, database, "eve@papers.test")
    send(phone, "/settings/sessions/end", page="/settings", session=number)
    assert "Sign out" in page(client)
    assert count_rows(database, SiteSession) == 2


@pytest.mark.parametrize("number", ["", "x", "-1", "²", "9" * 30])
def test_a_form_that_names_no_session_ends_none(client: TestClient, database: Database, number: str) -> None:
    sign_in(client, database, ADA)
    assert send(client, "/settings/sessions/end", page="/settings", session=number).status_code == 422
    assert count_rows(database, SiteSession) == 1


@pytest.mark.parametrize("path", ["/settings/name", "/settings/sessions/end", "/settings/sessions/end-all"])
def test_these_forms_need_an_account_and_an_own_page(client: TestClient, database: Database, path: str) -> None:
    assert send(client, path, page="/sign-in", session="1", name="x").status_code == 403
    sign_in(client, database, ADA)
    csrf = csrf_of(page(client))
    fields = {"csrf": csrf, "session": "1", "name": "x"}
    assert client.post(path, data=fields, headers={"Origin": "https://evil.test"}).status_code == 403
    assert client.post(path, data=fields | {"csrf": ""}, headers=ORIGIN).status_code == 403
    assert count_rows(database, SiteSession) == 1


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("", "a browser"),
        ("<script>alert(1)</script>", "a browser"),
        ("x" * 5_000, "x" * 31),
    ],
)
def test_a_browser_is_named_as_its_owner_knows_it(user_agent: str, device: str) -> None:
    assert name_device(user_agent) == device
