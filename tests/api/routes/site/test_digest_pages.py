"""The pages of digests: turned on and off, previewed, confirmed by their address, ended by one press."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlsplit

import httpx2
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.runtime.state import Runtime
from api.settings import Settings
from api.store.engine import Database
from api.store.tables_mails import Digest, QueuedMail
from tests.api.feed_world import NOW, load_installation, register_model
from tests.api.routes.site.conftest import ORIGIN
from tests.api.routes.site.pages import HTML, csrf_of
from tests.api.routes.site.signing_world import begin_session_of
from tests.mail_world import freshen, mails_in

READER = 1
TIMES = {"cadence": "daily", "weekday": "0", "hour": "7", "zone": "Europe/Berlin"}
ELSEWHERE = {"Origin": "http://testserver"}


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; what SQL is asked here is asked of both kinds elsewhere."""
    return sqlite_database


@pytest.fixture
def world(database: Database, settings: Settings, runtime: Runtime) -> Database:
    """Return the database of the running application, with readers, new papers and a promoted model."""
    load_installation(database)
    freshen(database, now=NOW)
    register_model(database, settings.models_dir)
    assert runtime.serving.poll() is not None
    return database


@pytest.fixture
def browser(world: Database, client: TestClient) -> TestClient:
    """Return a browser that nobody has met."""
    client.headers.update(HTML)
    return client


@pytest.fixture
def signed_in(world: Database, settings: Settings, runtime: Runtime) -> Iterator[TestClient]:
    """Return a browser in which a reader with papers is signed in."""
    cookies = begin_session_of(READER, world, runtime)
    with TestClient(create_app(settings), cookies=cookies, headers=dict(HTML)) as browser:
        read = browser.app.state.runtime  # type: ignore[attr-defined] # TestClient types its application as any ASGI one
        read.serving.poll()
        yield browser


def post(browser: TestClient, path: str, *, page: str, **fields: str) -> httpx2.Response:
    """Send a form of a page."""
    csrf = csrf_of(browser.get(page).text)
    headers = ORIGIN if "127.0.0.1" in str(browser.base_url) else ELSEWHERE
    return browser.post(path, data={"csrf": csrf, **fields}, headers=headers, follow_redirects=False)


def turn_on(browser: TestClient, mail: str = "ada@papers.test", **times: str) -> httpx2.Response:
    return post(browser, "/settings/digest", page="/settings/digest", mail=mail, **{**TIMES, **times})


def digests_in(world: Database) -> list[Digest]:
    with world.read() as session:
        return list(session.scalars(sa.select(Digest).order_by(Digest.digest_id)))


def link_in(mail: QueuedMail, part: str) -> str:
    """Return the path of a link in a mail."""
    found = re.search(rf"https?://\S+/{part}/\S+", mail.text)
    assert found is not None
    return urlsplit(found[0]).path


def test_the_address_of_an_account_needs_no_confirmation(signed_in: TestClient, world: Database) -> None:
    assert turn_on(signed_in).headers["location"] == "/settings/digest"
    (digest,) = digests_in(world)
    assert (digest.user_id, digest.recipient, digest.zone) == (READER, "ada@papers.test", "Europe/Berlin")
    assert digest.confirmed_at is not None
    assert digest.due_at is not None
    assert mails_in(world) == []
    assert "Your digest is on." in signed_in.get("/settings/digest").text


def test_any_other_address_is_asked_and_gets_nothing_before_it_answers(signed_in: TestClient, world: Database) -> None:
    turn_on(signed_in, "bob@elsewhere.test")
    (digest,), (mail,) = digests_in(world), mails_in(world)
    assert (digest.confirmed_at, digest.due_at) == (None, None)
    assert (mail.kind, mail.recipient) == ("confirm", "bob@elsewhere.test")
    assert "Waiting for you." in signed_in.get("/settings/digest").text


def test_looking_at_the_link_of_a_confirmation_begins_nothing_but_its_button_does(
    signed_in: TestClient, browser: TestClient, world: Database
) -> None:
    turn_on(signed_in, "bob@elsewhere.test")
    link = link_in(mails_in(world)[0], "digest/confirm")
    page = browser.get(link)
    assert (page.status_code, page.headers["referrer-policy"]) == (200, "no-referrer")
    assert digests_in(world)[0].due_at is None
    assert post(browser, link, page=link).status_code == 200
    assert digests_in(world)[0].due_at is not None
    assert browser.get(link).status_code == 410


def test_a_mail_to_one_address_confirms_no_other_that_was_named_since(
    signed_in: TestClient, browser: TestClient, world: Database
) -> None:
    turn_on(signed_in, "mine@elsewhere.test")
    link = link_in(mails_in(world)[0], "digest/confirm")
    turn_on(signed_in, "victim@elsewhere.test")
    assert browser.get(link).status_code == 410


def test_a_button_pressed_twice_sends_one_mail(signed_in: TestClient, world: Database) -> None:
    turn_on(signed_in, "bob@elsewhere.test")
    turn_on(signed_in, "bob@elsewhere.test")
    assert len(mails_in(world)) == 1
    assert "asked a while ago" in signed_in.get("/settings/digest").text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"mail": "no address"}, "this is no mail address"),
        ({"mail": "a@b.test\r\nBcc: x@y.test"}, "this is no mail address"),
        ({"zone": "Europe/Atlantis"}, "this time zone is not known"),
        ({"hour": "24"}, "a number from 0 to 23"),
        ({"cadence": "hourly"}, "daily or weekly"),
    ],
)
def test_what_is_wrong_with_a_form_is_said_beside_it(
    signed_in: TestClient, world: Database, wrong: dict[str, str], words: str
) -> None:
    fields = {"mail": "ada@papers.test", **TIMES, **wrong}
    answer = post(signed_in, "/settings/digest", page="/settings/digest", **fields)
    assert (answer.status_code, digests_in(world)) == (422, [])
    assert words in answer.text


def test_a_form_from_elsewhere_changes_nothing(signed_in: TestClient, world: Database) -> None:
    answer = signed_in.post(
        "/settings/digest", data={"mail": "ada@papers.test", **TIMES}, headers={"Origin": "https://evil.test"}
    )
    assert (answer.status_code, digests_in(world)) == (403, [])


def test_the_preview_shows_the_papers_of_the_feed_with_links_that_carry_the_slate(signed_in: TestClient) -> None:
    shown = re.findall(
        r'href="(/papers/[^"?]+)\?slate=([^"&]+)&amp;position=(\d+)"', signed_in.get("/settings/digest").text
    )
    assert [int(position) for _, _, position in shown] == list(range(1, 11))
    assert len({slate for _, slate, _ in shown}) == 1
    listed = signed_in.get("/settings/digest/preview")
    assert all(f"{path}?slate=" in listed.text for path, _, _ in shown)
    assert "sandbox" in listed.headers["content-security-policy"]


def test_the_preview_of_somebody_nobody_knows_is_what_everybody_gets(browser: TestClient) -> None:
    page = browser.get("/settings/digest")
    assert page.status_code == 200
    assert "Preview" in page.text


def test_a_test_mail_goes_to_a_confirmed_address_once_in_ten_minutes(signed_in: TestClient, world: Database) -> None:
    turn_on(signed_in)
    for _ in range(2):
        post(signed_in, "/settings/digest/test", page="/settings/digest")
    (mail,) = mails_in(world)
    assert (mail.kind, mail.subject[:6]) == ("test", "Test: ")
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_turning_it_off_and_on_again(signed_in: TestClient, world: Database) -> None:
    turn_on(signed_in)
    post(signed_in, "/settings/digest/stop", page="/settings/digest")
    assert (digests_in(world)[0].due_at, digests_in(world)[0].stop_reason) == (None, "reader")
    turn_on(signed_in)
    assert (digests_in(world)[0].due_at is not None, digests_in(world)[0].stop_reason) == (True, None)


def test_one_click_of_a_mail_program_ends_a_digest_without_cookie_or_redirect(
    signed_in: TestClient, settings: Settings, world: Database
) -> None:
    turn_on(signed_in)
    post(signed_in, "/settings/digest/test", page="/settings/digest")
    header = mails_in(world)[0].headers["List-Unsubscribe"]
    path = urlsplit(str(header).strip("<>")).path
    with TestClient(create_app(settings)) as program:
        assert program.get(path).status_code == 200
        assert digests_in(world)[0].due_at is not None  # a look ends nothing
        for _ in range(2):
            answer = program.post(path, data={"List-Unsubscribe": "One-Click"}, follow_redirects=False)
            assert answer.status_code == 200
    assert (digests_in(world)[0].due_at, digests_in(world)[0].stop_reason) == (None, "reader")
    assert mails_in(world) == []  # nor is what waited sent


def test_a_link_that_was_made_up_ends_nothing(signed_in: TestClient, browser: TestClient, world: Database) -> None:
    turn_on(signed_in)
    number = digests_in(world)[0].digest_id
    for token in (f"{number}.", f"{number}.wrong", "x.y", "99999999999999999999.z", f"{number}.%00", "ä.b"):
        browser.post(f"/digest/stop/{token}")
    assert digests_in(world)[0].due_at is not None


def test_a_digest_that_bounced_is_told_on_every_page_until_it_is_on_again(
    signed_in: TestClient, world: Database
) -> None:
    turn_on(signed_in)
    with world.write() as session:
        session.execute(sa.update(Digest).values(stop_reason="bounced", due_at=None, stopped_at=NOW))
    signed_in.app.state.runtime.conditions.distrust()  # type: ignore[attr-defined] # it is the application's
    assert "your mail address refuses it" in signed_in.get("/settings").text
    turn_on(signed_in)
    assert "your mail address refuses it" not in signed_in.get("/settings").text


def subscribe(browser: TestClient, mail: str = "eve@elsewhere.test") -> httpx2.Response:
    return post(browser, "/digest", page="/digest", mail=mail, **TIMES)


def test_trending_papers_come_to_an_address_only_after_it_said_so(browser: TestClient, world: Database) -> None:
    assert subscribe(browser).headers["location"] == "/digest?sent=1"
    assert "Look into your mail" in browser.get("/digest?sent=1").text
    assert digests_in(world)[0].due_at is None
    link = link_in(mails_in(world)[0], "digest/confirm")
    begun = post(browser, link, page=link).text
    (digest,) = digests_in(world)
    assert (digest.user_id, digest.due_at is not None) == (None, True)
    stop = re.search(r'href="(/digest/stop/[^"]+)"', begun)
    assert stop is not None
    change = unescape(stop[1]).replace("stop", "change")
    assert post(browser, change, page=stop[1], **{**TIMES, "cadence": "weekly", "weekday": "4"}).status_code == 303
    assert (digests_in(world)[0].cadence, digests_in(world)[0].weekday) == ("weekly", 4)
    browser.post(stop[1])
    assert (digests_in(world), mails_in(world)) == ([], [])  # the address is forgotten


def test_the_answer_does_not_tell_whether_an_address_is_subscribed(browser: TestClient, world: Database) -> None:
    subscribe(browser)
    first = browser.get("/digest?sent=1").text
    link = link_in(mails_in(world)[0], "digest/confirm")
    post(browser, link, page=link)
    again = subscribe(browser, "EVE@elsewhere.test")
    assert (again.status_code, again.headers["location"]) == (303, "/digest?sent=1")
    assert re.sub(r'value="[^"]+"', "", browser.get("/digest?sent=1").text) == re.sub(r'value="[^"]+"', "", first)
    assert len(mails_in(world)) == 1


def test_one_caller_may_not_have_mails_sent_without_end(browser: TestClient, runtime: Runtime, world: Database) -> None:
    answers = [subscribe(browser, f"r{at}@elsewhere.test").status_code for at in range(22)]
    assert answers == [303] * 20 + [429] * 2
    assert len(mails_in(world)) == 20


def test_mails_are_shown_to_nobody_elsewhere(browser: TestClient) -> None:
    for path in ("/mails", "/mails/20260101T000000Z-1.eml", "/mails/x/html", "/mails/x/file"):
        assert browser.get(path).status_code == 404, path
