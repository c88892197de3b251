"""The reader's own list as a page."""

import re
from datetime import timedelta
from html import unescape

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.site import for_you
from api.runtime.state import Runtime
from api.services.slates import read_slate
from api.settings import read_settings
from api.store.papers import paper_ids_of
from api.store.tables import Event
from tests.api.feed_world import VERSION
from tests.api.routes.site.conftest import ORIGIN, hidden_fields, press
from tests.api.routes.site.pages import links, main_of, names

OWN = "/for-you?reader=u1"


@pytest.fixture(autouse=True)
def _world(runtime_of_local: Runtime) -> None:
    """Use an installation with readers and a model."""


def test_a_reader_sees_the_list_of_the_feed_with_reasons(local: TestClient) -> None:
    page = local.get(OWN)
    assert page.status_code == 200
    assert len(names(page.text)) == 20
    assert f"Ranked for u1 by model {VERSION}, built" in page.text
    assert 'class="reason"' in page.text
    assert re.search(r"because you (saved|read) “", unescape(page.text))
    assert page.headers["cache-control"] == "private, no-store"


def test_the_slate_of_the_page_names_its_papers_and_places(local: TestClient, runtime_of_local: Runtime) -> None:
    page = local.get(OWN).text
    [token] = re.findall(r'data-slate="([^"]+)"', page)
    slate = read_slate(runtime_of_local.keys, token)
    assert slate is not None
    with runtime_of_local.db.read() as session:
        ids = paper_ids_of(session, names(page))
    assert list(slate.papers) == [ids[name] for name in names(page)]
    assert [shown.position for shown in slate.papers.values()] == list(range(1, 21))
    assert (slate.user_id, slate.version) == (1, VERSION)


def test_the_slate_of_the_second_page_goes_on_counting(local: TestClient, runtime_of_local: Runtime) -> None:
    [following] = links(local.get(OWN).text, "next")
    [token] = re.findall(r'data-slate="([^"]+)"', local.get(following).text)
    slate = read_slate(runtime_of_local.keys, token)
    assert slate is not None
    assert [shown.position for shown in slate.papers.values()] == list(range(21, 41))


def test_a_press_on_a_later_page_leads_back_to_it(local: TestClient) -> None:
    [following] = links(local.get(OWN).text, "next")
    paper = names(local.get(following).text)[3]
    answer = press(local, "save", paper, page=following)
    assert answer.headers["location"] == f"{following}#p-{paper}"


def test_pages_follow_each_other_without_repeats(local: TestClient) -> None:
    seen: list[str] = []
    path: str | None = OWN
    for _ in range(12):
        if path is None:
            break
        page = local.get(path)
        assert page.status_code == 200
        seen += names(page.text)
        path = next(iter(links(page.text, "next")), None)
    assert path is None
    assert len(seen) == len(set(seen))
    assert len(seen) > 100
    assert "You are up to date: there is no other paper here." in page.text


def test_where_the_list_ends_the_page_says_what_follows(local: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERFEED_LIST_SIZE", "30")
    read_settings.cache_clear()
    [following] = links(local.get(OWN).text, "next")
    text = main_of(local.get(following).text)
    own, others = text.split("You are up to date with your list.")
    assert len(names(own)) + len(names(others)) == 20
    assert names(own)
    assert 'aria-label="The newest papers"' in others


def test_a_cursor_of_somebody_else_leads_to_the_first_page(local: TestClient) -> None:
    [following] = links(local.get(OWN).text, "next")
    page = local.get(following.replace("reader=u1", "reader=u2"))
    assert page.status_code == 200
    assert "belongs to a list that is not kept any more" in page.text
    assert "Ranked for u2" in page.text


def test_a_guest_gets_what_everybody_gets_and_is_told_how_to_change_that(local: TestClient) -> None:
    page = local.get("/for-you")
    assert page.status_code == 200
    assert names(page.text)
    assert "Too little is known about you yet" in page.text
    assert 'href="/welcome"' in page.text


def test_who_is_known_and_liked_nothing_yet_is_asked_what_they_like(local: TestClient) -> None:
    press(local, "upvote", "p1000", page="/")
    press(local, "unvote", "p1000", page="/")
    page = local.get("/for-you").text
    assert "Too little is known about you yet" in page
    assert 'href="/welcome"' in page
    press(local, "save", "p1000", page="/")
    assert 'href="/welcome"' not in local.get("/for-you").text


def test_a_list_that_was_left_behind_says_its_age(local: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert '<p class="note">Ranked for u1' in local.get(OWN).text
    monkeypatch.setattr(for_you, "OLD", timedelta(0))
    assert re.search(rf'<p class="banner">Ranked for u1 by model {VERSION}, built [^<]+\.</p>', local.get(OWN).text)
    told = local.get("/for-you").text
    assert re.search(
        r'<p class="banner">Too little is known about you yet: [^<]+ newest papers, as of [^<]+\.</p>', told
    )


def test_a_save_changes_the_list_of_a_guest(local: TestClient) -> None:
    first = names(local.get("/for-you").text)
    for paper in first[:3]:
        assert press(local, "save", paper, page="/for-you").status_code == 303
    page = local.get("/for-you").text
    assert "Ranked for you by model" in page
    assert not set(first[:3]) & set(names(page))


def test_a_dismissed_paper_never_comes_back(local: TestClient) -> None:
    gone = names(local.get(OWN).text)[0]
    answer = press(local, "dismiss", gone, page=OWN)
    assert answer.status_code == 303
    assert gone not in names(main_of(local.get(answer.headers["location"]).text))


def test_a_press_without_a_script_says_which_list_the_paper_was_in(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    page = local.get(OWN).text
    fields = {**hidden_fields(page), "save": names(page)[2]}
    assert local.post("/act", data=fields, headers=ORIGIN, follow_redirects=False).status_code == 303
    with runtime_of_local.db.read() as session:
        saved = session.scalars(sa.select(Event).order_by(Event.event_pk.desc()).limit(1)).one()
    assert saved.slate_id is not None
    assert saved.slate_position == 3


def test_the_page_explains_what_is_left_out(local: TestClient) -> None:
    page = local.get(OWN).text
    assert "are left out" in page
    assert 'href="/settings/hidden?reader=u1"' in page


def test_a_full_page_stays_light(local: TestClient) -> None:
    assert len(local.get(OWN).content) < 40_000
