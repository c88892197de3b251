"""The buttons of a card: what they record, for whom, and what the reader sees next."""

import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.site.acts import KINDS, STATES
from api.routes.site.notices import COOKIE, NOTICES, UNDO
from api.routes.visitors import COOKIE as READER_COOKIE
from api.runtime.state import Runtime
from api.services.slates import Slate, open_slate
from api.store.tables import Event, LibraryItem, User
from recommender.domain import EventKind
from tests.api.routes.site.conftest import ORIGIN, hidden_fields, press

JSON = {"accept": "application/json", **ORIGIN}
NEWCOMER = "/?reader=newcomer"


def events(runtime: Runtime) -> list[Event]:
    """Return what was done in this test, in its order."""
    with runtime.db.read() as session:
        query = sa.select(Event).where(sa.not_(Event.is_import)).order_by(Event.event_pk)
        return list(session.scalars(query).all())


def kinds(runtime: Runtime) -> list[str]:
    """Return the kinds of what was done."""
    return [EventKind(event.kind).name.lower() for event in events(runtime)]


def first_paper(page: str) -> str:
    """Return the paper on top of a page."""
    found = re.search(r'data-paper="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_a_press_leads_back_to_the_card_and_is_told_once(local: TestClient, runtime_of_local: Runtime) -> None:
    answer = press(local, "save", "p1000")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/#p-p1000"
    page = local.get("/").text
    assert f'role="status">{NOTICES["save"]}<' in page
    assert '<button form="act" name="unsave" value="p1000" class="quiet">Undo</button>' in page
    assert NOTICES["save"] not in local.get("/").text
    assert kinds(runtime_of_local) == ["save"]


@pytest.mark.parametrize(("kind", "undo"), UNDO.items())
def test_what_a_notice_offers_to_undo_is_undone(
    local: TestClient, runtime_of_local: Runtime, kind: str, undo: str
) -> None:
    press(local, kind, "p1000")
    page = local.get("/").text
    assert f'name="{undo}" value="p1000" class="quiet">Undo' in page
    press(local, undo, "p1000")
    assert kinds(runtime_of_local) == [kind, undo]


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_gets_the_new_state(local: TestClient, runtime_of_local: Runtime, kind: str) -> None:
    answer = press(local, kind, "p1000", **JSON)
    assert answer.status_code == 200
    assert answer.json() == {"state": STATES[kind], "undo": UNDO.get(kind), "told": NOTICES[kind]}
    assert "set-cookie" not in answer.headers
    assert kinds(runtime_of_local) == [kind]


def test_the_card_shows_what_was_pressed(local: TestClient, runtime_of_local: Runtime) -> None:
    paper = first_paper(local.get("/").text)
    for kind in ("save", "upvote"):
        press(local, kind, paper)
    card = re.search(rf'<li class="card" id="p-{paper}".*?</li>', local.get("/").text, re.DOTALL)
    assert card is not None
    assert 'name="unsave"' in card[0]
    assert ">Saved</button>" in card[0]
    assert 'name="unvote"' in card[0]
    press(local, "dismiss", paper)
    assert f'<li class="card gone" id="p-{paper}"' in local.get("/").text


def test_the_log_knows_where_the_paper_stood_though_no_script_ran(local: TestClient, runtime_of_local: Runtime) -> None:
    page = local.get("/").text
    papers = re.findall(r'data-paper="([^"]+)"', page)
    token = hidden_fields(page)["slate"]
    slate = open_slate(runtime_of_local.keys, token, now=datetime.now(UTC), days=30)
    assert isinstance(slate, Slate)
    press(local, "save", papers[3])
    [event] = events(runtime_of_local)
    assert (event.slate_position, event.slate_id) == (4, slate.slate_id)


def test_a_paper_that_is_not_of_the_list_is_recorded_without_a_place(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    shown = set(re.findall(r'data-paper="([^"]+)"', local.get("/").text))
    other = next(name for name in (f"p{number}" for number in range(1000, 1160)) if name not in shown)
    assert press(local, "save", other).status_code == 303
    [event] = events(runtime_of_local)
    assert event.slate_id is None


@pytest.mark.parametrize("slate", ["", "nonsense", "x" * 5_000, "é"])
def test_a_slate_that_is_none_of_ours_does_not_hold_up_a_press(
    local: TestClient, runtime_of_local: Runtime, slate: str
) -> None:
    fields = {**hidden_fields(local.get("/").text), "slate": slate, "save": "p1000"}
    assert local.post("/act", data=fields, headers=ORIGIN, follow_redirects=False).status_code == 303
    assert kinds(runtime_of_local) == ["save"]


def test_somebody_elses_slate_is_not_used(local: TestClient, runtime_of_local: Runtime) -> None:
    theirs = hidden_fields(local.get("/?reader=u1").text)["slate"]
    fields = {**hidden_fields(local.get("/").text), "slate": theirs}
    paper = first_paper(local.get("/").text)
    local.post("/act", data={**fields, "save": paper}, headers=ORIGIN, follow_redirects=False)
    [event] = events(runtime_of_local)
    assert event.slate_id is None
    assert event.user_id != runtime_of_local.access.find_user_id("u1")


def test_the_press_of_a_visitor_is_theirs_from_then_on(local: TestClient, runtime_of_local: Runtime) -> None:
    press(local, "save", "p1000")
    press(local, "save", "p1001")
    with runtime_of_local.db.read() as session:
        [reader] = session.scalars(sa.select(User).where(User.external_id.startswith("anon:"))).all()
    assert {event.user_id for event in events(runtime_of_local)} == {reader.user_id}


def test_a_picked_reader_acts_and_the_page_stays_theirs(local: TestClient, runtime_of_local: Runtime) -> None:
    answer = press(local, "save", "p1000", page=NEWCOMER)
    assert answer.headers["location"] == "/?reader=newcomer#p-p1000"
    [event] = events(runtime_of_local)
    assert event.user_id == runtime_of_local.access.find_user_id("newcomer")


def test_a_paper_that_has_gone_is_told_in_words(local: TestClient, runtime_of_local: Runtime) -> None:
    assert press(local, "save", "gone").status_code == 303
    page = local.get("/").text
    assert NOTICES["gone"] in page
    assert 'class="told failed"' in page
    answer = press(local, "save", "gone", **JSON)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert events(runtime_of_local) == []


@pytest.mark.parametrize("fields", [{}, {"kind": "read", "paper": "p1000"}, {"kind": "save"}, {"save": ""}])
def test_a_press_of_no_button_is_told_in_words(
    local: TestClient, runtime_of_local: Runtime, fields: dict[str, str]
) -> None:
    hidden = hidden_fields(local.get("/").text)
    answer = local.post("/act", data={**hidden, **fields}, headers=ORIGIN, follow_redirects=False)
    assert answer.status_code == 303
    assert 'class="told failed"' in local.get("/").text
    assert events(runtime_of_local) == []


@pytest.mark.parametrize("position", ["-1", "1e9", "²", "9" * 7, "0x1", " "])
def test_a_place_that_is_no_number_is_left_out(local: TestClient, runtime_of_local: Runtime, position: str) -> None:
    hidden = hidden_fields(local.get("/").text)
    fields = {**hidden, "kind": "save", "paper": "p1000", "position": position}
    assert local.post("/act", data=fields, headers=ORIGIN, follow_redirects=False).status_code == 303
    assert kinds(runtime_of_local) == ["save"]


def test_a_form_sent_twice_saves_once(local: TestClient, runtime_of_local: Runtime) -> None:
    fields = {**hidden_fields(local.get(NEWCOMER).text), "save": "p1000"}
    for _ in range(2):
        assert local.post("/act", data=fields, headers=ORIGIN, follow_redirects=False).status_code == 303
    with runtime_of_local.db.read() as session:
        reader = runtime_of_local.access.find_user_id("newcomer")
        saved = session.scalars(sa.select(LibraryItem.is_saved).where(LibraryItem.user_id == reader)).all()
    assert saved == [True]


def test_without_the_cookie_of_the_page_nothing_is_pressed(local: TestClient, runtime_of_local: Runtime) -> None:
    fields = {**hidden_fields(local.get("/").text), "save": "p1000"}
    local.cookies.delete(READER_COOKIE)
    answer = local.post("/act", data=fields, headers=ORIGIN, follow_redirects=False)
    assert answer.status_code == 403
    assert "allow its cookie" in answer.text
    assert events(runtime_of_local) == []


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_a_form_never_leads_elsewhere(local: TestClient, runtime_of_local: Runtime, back: str) -> None:
    fields = {**hidden_fields(local.get("/").text), "back": back, "save": "p1000"}
    answer = local.post("/act", data=fields, headers=ORIGIN, follow_redirects=False)
    assert answer.headers["location"] == "/#p-p1000"


def test_the_address_of_the_form_leads_to_the_papers(local: TestClient, runtime_of_local: Runtime) -> None:
    assert local.get("/act", follow_redirects=False).headers["location"] == "/"


def test_saving_makes_the_list_personal_at_once(local: TestClient, runtime_of_local: Runtime) -> None:
    before = local.get("/for-you?reader=newcomer").text
    answer = press(local, "save", "p1000", page="/for-you?reader=newcomer")
    after = local.get(answer.headers["location"]).text
    assert "because you saved" not in before
    assert after.count("because you saved") >= 9


def test_not_interested_removes_the_paper_from_the_list(local: TestClient, runtime_of_local: Runtime) -> None:
    press(local, "save", "p1000", page="/for-you?reader=newcomer")
    paper = first_paper(local.get("/for-you?reader=newcomer").text)
    press(local, "dismiss", paper, page="/for-you?reader=newcomer")
    local.cookies.delete(COOKIE)
    assert f'id="p-{paper}"' not in local.get("/for-you?reader=newcomer").text
