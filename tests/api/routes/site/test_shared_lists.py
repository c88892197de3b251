"""Pages put together from finished bytes: for every visitor, byte for byte, as their template writes them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.rendering import fragment
from api.routes.site import notices
from api.routes.site.cards import CARD_TEMPLATE, Shown, make_card
from api.routes.site.finished import CSRF_GAP, cut_page
from api.routes.site.shared_lists import SharedList
from api.runtime.conditions import DEMONSTRATION
from api.runtime.state import Runtime
from api.services.slates import Slate, open_slate
from api.services.trending import forget_boards
from api.store import glance
from api.store.engine import Database
from api.store.paper_marks import Marks
from api.store.state import write_state
from api.store.tables import User
from api.store.tables_mails import Digest
from tests.api.hub_world import MONDAY, daily_row, insert_papers
from tests.api.routes.site.pages import HTML, card_of, csrf_of, listed
from tests.api.routes.site.test_cards import PAPER

DAY: Final = "/papers/date/2025-12-08"
PATHS: Final = (
    "/",
    DAY,
    DAY + "?sort=newest",
    "/papers/week/2025-W50",
    "/papers/month/2025-12",
    "/papers/trending",
    "/authors/Ada%20Lovelace",
    "/papers/date/2020-01-01",  # without papers
)
ORIGIN: Final = {"accept": "application/json", "origin": "http://testserver"}
VISIT: Final = "paperfeed_visit"
DOMAIN: Final = "testserver.local"  # whose cookies the client says these are
_SLATE: Final = re.compile(r'((?:data-slate=|name="slate" value=)")([^"]+)')


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


@pytest.fixture
def site(client: TestClient, database: Database, runtime: Runtime) -> Iterator[TestClient]:
    """Return a browser at a day with five papers that has been here before."""
    forget_boards()
    insert_papers(database, *(daily_row(number, MONDAY) for number in range(1, 6)))
    runtime.conditions.look()
    client.headers.update(HTML)
    client.get(DAY)
    yield client
    forget_boards()


def press(browser: TestClient, kind: str, number: int) -> None:
    """Press a button of a card of the day."""
    form = {"csrf": csrf_of(browser.get(DAY).text), "kind": kind, "paper": f"2512.{number:05d}", "back": DAY}
    answer = browser.post("/act", data=form, headers=ORIGIN)
    assert answer.status_code == 200, answer.text


def become_known(browser: TestClient) -> None:
    """Do something that leaves no mark."""
    press(browser, "save", 5)
    press(browser, "unsave", 5)


def mark(browser: TestClient) -> None:
    """Leave a mark of each kind, and two on one paper."""
    for kind, number in (("save", 1), ("upvote", 2), ("dismiss", 3), ("save", 4), ("upvote", 4)):
        press(browser, kind, number)


def come_back(browser: TestClient) -> None:
    """Have been here last when there were two papers only."""
    browser.cookies.set(VISIT, f"0.0.{int((MONDAY - timedelta(days=1)).timestamp())}.2", domain=DOMAIN)


def bounce(database: Database, runtime: Runtime) -> None:
    """Let a mail to the one reader there is have come back."""
    with database.write() as session:
        user_id = session.scalars(sa.select(User.user_id)).one()
        session.add(bounced_digest(user_id))
    runtime.conditions.look()


def bounced_digest(user_id: int) -> Digest:
    """Return a digest that has stopped."""
    return Digest(
        user_id=user_id,
        recipient="ada@example.org",
        secret="secret",
        cadence="daily",
        weekday=0,
        hour=7,
        zone="UTC",
        created_at=MONDAY,
        bounces=1,
        stopped_at=MONDAY,
        stop_reason="bounced",
    )


def from_template(browser: TestClient, path: str) -> str:
    """Load a page as it is for whoever is told something; this cookie names nothing that a page could tell."""
    browser.cookies.set(notices.COOKIE, "0", domain=DOMAIN)
    page = browser.get(path)
    assert notices.COOKIE not in browser.cookies
    return page.text


def without_slates(page: str) -> str:
    """Return a page with the same words wherever its slate stands, which says when it was shown."""
    return _SLATE.sub(r"\1the slate", page)


def slate_of(runtime: Runtime, page: str) -> tuple[int, list[int]] | None:
    """Return for whom a page's one slate was written, and its papers."""
    found = {token for _, token in _SLATE.findall(page)}
    if not found:
        return None
    [token] = found
    slate = open_slate(runtime.keys, token, now=datetime.now(UTC), days=30)
    assert isinstance(slate, Slate)
    return slate.user_id, list(slate.papers)


def check_all(browser: TestClient, runtime: Runtime) -> None:
    """Compare every page with what its template writes: made for this visitor first, then from memory, then anew."""
    for path in PATHS:
        written = from_template(browser, path)
        for _ in range(2):
            found = browser.get(path).text
            assert without_slates(found) == without_slates(written), path
            assert slate_of(runtime, found) == slate_of(runtime, written)
        assert CSRF_GAP not in found


def finished_of(runtime: Runtime) -> SharedList:
    """Return what is kept of the day."""
    shared = runtime.pages.find((DAY, ""), SharedList)
    assert shared is not None
    return shared


def test_a_guest_gets_what_the_template_writes(site: TestClient, runtime: Runtime) -> None:
    check_all(site, runtime)
    assert "New here?" in site.get("/").text


def test_a_reader_without_marks_gets_what_the_template_writes(site: TestClient, runtime: Runtime) -> None:
    become_known(site)
    check_all(site, runtime)
    assert "New here?" not in site.get("/").text
    told = slate_of(runtime, site.get(DAY).text)
    assert told is not None
    assert told[0] == runtime.access.find_user_id(reader_name(runtime))


def reader_name(runtime: Runtime) -> str:
    """Return the name of the one reader there is."""
    with runtime.db.read() as session:
        return session.scalars(sa.select(User.external_id)).one()


def test_a_reader_with_marks_gets_what_the_template_writes(site: TestClient, runtime: Runtime) -> None:
    mark(site)
    check_all(site, runtime)  # around cards from before the votes
    runtime.answers.look()
    forget_boards()
    check_all(site, runtime)  # and from after them
    page = site.get(DAY).text
    assert 'name="unsave"' in card_of(page, 1)
    assert '"vote on"' in card_of(page, 2)
    assert card_of(page, 3).startswith('"card gone"')
    assert 'name="unsave"' in card_of(page, 4)
    assert [card_of(page, number).partition("▲ <span>")[2][0] for number in (1, 2, 4)] == ["1", "3", "5"]
    assert 'name="unsave"' not in card_of(page, 5)


@pytest.mark.parametrize("is_known", [False, True])
def test_what_is_new_to_a_visitor_is_as_the_template_writes_it(
    site: TestClient, runtime: Runtime, is_known: bool
) -> None:
    if is_known:
        mark(site)
    for path in PATHS:
        come_back(site)
        written = from_template(site, path)
        come_back(site)
        assert without_slates(site.get(path).text) == without_slates(written)
    come_back(site)
    page = site.get(DAY).text
    assert sorted(number for number in listed(page) if "tag new" in card_of(page, number)) == [1, 2, 3, 4, 5]


def test_a_readers_own_banner_is_on_their_pages_alone(site: TestClient, runtime: Runtime, database: Database) -> None:
    mark(site)
    site.get(DAY)
    bounce(database, runtime)
    check_all(site, runtime)
    assert "Your digest has stopped" in site.get(DAY).text
    site.cookies.clear()
    assert "Your digest has stopped" not in site.get(DAY).text


def test_a_banner_about_the_service_is_on_the_next_page(site: TestClient, runtime: Runtime, database: Database) -> None:
    become_known(site)
    assert "made up" not in site.get(DAY).text
    with database.write() as session:
        write_state(session, DEMONSTRATION, {"loaded": True}, now=MONDAY)
    runtime.conditions.look()
    check_all(site, runtime)
    assert "made up" in site.get(DAY).text


def test_a_reader_without_marks_gets_the_kept_bytes(site: TestClient, runtime: Runtime) -> None:
    become_known(site)
    site.get(DAY)
    kept = {is_known: page for (_, is_known, _), page in finished_of(runtime).finished.items()}
    assert kept.keys() == {False, True}
    assert kept[True].slate_at
    assert not kept[False].slate_at


def test_a_page_of_a_reader_asks_sql_in_no_thread(site: TestClient, runtime: Runtime, statements: list[str]) -> None:
    mark(site)
    site.get(DAY)
    runtime.answers.look()
    site.get(DAY)
    runtime.conditions.look()
    statements.clear()
    assert 'name="unsave"' in site.get(DAY).text
    assert statements == []


def test_a_press_in_another_process_is_on_the_next_page(site: TestClient, phone: TestClient) -> None:
    phone.headers.update(HTML)
    phone.cookies.update(site.cookies)
    for browser in (site, phone):
        assert 'name="unsave"' not in browser.get(DAY).text
    press(phone, "save", 1)
    assert 'name="unsave"' in card_of(site.get(DAY).text, 1)
    press(site, "unsave", 1)
    press(site, "upvote", 2)
    page = phone.get(DAY).text
    assert 'name="unsave"' not in page
    assert '"vote on"' in card_of(page, 2)


def test_marks_of_one_reader_are_on_nobody_elses_page(site: TestClient) -> None:
    mark(site)
    site.get(DAY)
    site.cookies.clear()
    site.get(DAY)
    press(site, "save", 5)
    page = site.get(DAY).text
    assert [number for number in listed(page) if 'name="unsave"' in card_of(page, number)] == [5]
    assert '"vote on"' not in page
    assert "card gone" not in page


def test_who_did_too_much_for_a_glance_gets_the_same_page(
    site: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark(site)
    before = site.get(DAY).text
    monkeypatch.setattr(glance, "SLICE", 1)
    monkeypatch.setattr(glance, "MOST_SLICES", 0)
    runtime.glance.close()
    with pytest.raises(glance.NoGlanceError):
        runtime.glance.rows("SELECT user_id FROM users WHERE user_id > :least", {"least": 0})
    assert without_slates(site.get(DAY).text) == without_slates(before)


def test_a_page_without_one_of_its_cards_is_not_cut() -> None:
    card = make_card(Shown(PAPER, 7), Marks())
    written = fragment(CARD_TEMPLATE, card)
    page = cut_page(f"<p>{CSRF_GAP}</p>{written}{CSRF_GAP}", [card], route="/", status=200)
    answer = page.answer(csrf="mine", slate=None, own={})
    assert bytes(answer.body).decode() == f"<p>mine</p>{written}mine"
    with pytest.raises(ValueError, match="not found"):
        cut_page("<p>nothing</p>", [card], route="/", status=200)
