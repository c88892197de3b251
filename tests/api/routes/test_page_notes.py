"""What the start page tells in words: what a button did, what went wrong, and why a list is as it is."""

import re

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.runtime.state import Runtime
from api.settings import Settings
from api.store.tables import Event, LibraryItem, User
from recommender.domain import EventKind
from tests.api.feed_world import add_event, planted
from tests.api.routes.test_pages import act, embedded, events_in, local, runtime_of_local

__all__ = ["embedded", "local", "runtime_of_local"]  # fixtures

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def status_line(page: str) -> str:
    """Return the words of the status message."""
    found = re.search(r'role="status">([^<]*)<', page)
    assert found is not None
    return found[1]


def title_of(runtime: Runtime, external_id: str) -> str:
    """Return a paper's title."""
    with runtime.db.read() as session:
        title: str = session.execute(
            sa.text("SELECT title FROM papers WHERE external_id = :id"), {"id": external_id}
        ).scalar_one()
    return title


def test_a_model_that_is_promoted_but_not_loaded_yet_is_said_to_be_loading(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    runtime_of_local.serving.stop()
    runtime_of_local.serving._current = None
    page = local.get("/").text
    assert "The model is being loaded: a few seconds" in page
    assert "No model has been fitted yet" not in page


def test_a_model_that_cannot_be_loaded_is_not_said_to_be_loading(local: TestClient, runtime_of_local: Runtime) -> None:
    runtime_of_local.serving.stop()
    runtime_of_local.serving._current = None
    runtime_of_local.serving._last_failure = "OSError: gone"
    page = local.get("/").text
    assert "The model cannot be loaded" in page
    assert "a few seconds" not in page


@pytest.mark.parametrize(
    ("kind", "undo", "words"),
    [("save", "unsave", "Saved “{}”."), ("dismiss", "undismiss", "You will not see “{}” again.")],
)
def test_a_press_is_told_and_can_be_undone(
    local: TestClient, runtime_of_local: Runtime, kind: str, undo: str, words: str
) -> None:
    title = title_of(runtime_of_local, "p1000")
    page = local.get(act(local, fields={"kind": kind}).headers["location"]).text
    assert status_line(page) == words.format(title)
    assert f'name="kind" value="{undo}"' in page

    undone = local.get(act(local, fields={"kind": undo}).headers["location"]).text
    assert title in status_line(undone)
    assert f'value="{undo}"' not in undone
    with runtime_of_local.db.read() as session:
        kinds = session.scalars(sa.select(Event.kind).where(sa.not_(Event.is_import)).order_by(Event.event_pk)).all()
        saved = session.scalars(
            sa.select(LibraryItem.is_saved)
            .join(User, User.user_id == LibraryItem.user_id)
            .where(User.external_id == "newcomer")
        ).all()
    assert kinds == [EventKind[kind.upper()], EventKind[undo.upper()]]
    assert not any(saved)


def test_a_press_on_a_paper_that_has_gone_leads_back_to_the_page(local: TestClient, runtime_of_local: Runtime) -> None:
    answer = act(local, fields={"paper": "gone"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/?reader=newcomer&")
    assert status_line(local.get(answer.headers["location"]).text).startswith("This paper is not here any more")
    assert events_in(runtime_of_local.db) == 0


def test_a_name_that_no_reader_can_have_is_answered_by_the_page(local: TestClient, runtime_of_local: Runtime) -> None:
    answer = local.get("/", params={"reader": "x" * 201})
    assert answer.status_code == 422
    assert "printable characters" in status_line(answer.text)


def test_an_address_cannot_put_words_of_its_own_on_the_page(local: TestClient, runtime_of_local: Runtime) -> None:
    page = local.get("/?reader=newcomer&told=pay%20me&paper=p1000").text
    assert 'role="status"' not in page
    assert "pay me" not in page


def test_a_browser_at_an_unknown_address_gets_a_page_and_a_program_a_problem(client: TestClient) -> None:
    page = client.get("/nowhere", headers=BROWSER)
    problem = client.get("/nowhere")
    assert (page.status_code, problem.status_code) == (404, 404)
    assert page.headers["content-type"].startswith("text/html")
    assert "There is nothing at this address" in page.text
    assert "/static/paperfeed.css" in page.text
    assert "Accept" in page.headers["vary"]
    assert problem.headers["content-type"] == "application/problem+json"


def test_a_reader_who_has_seen_every_paper_is_told_so(local: TestClient, runtime_of_local: Runtime) -> None:
    for number, paper_id in enumerate(planted().texts.paper_ids.tolist()):
        add_event(runtime_of_local.db, 1, paper_id, EventKind.CLICK, number=number)
    page = local.get("/?reader=u1").text
    assert "You have seen every paper here" in page
    assert "Nothing is known about this reader" not in page


def test_a_start_without_a_model_says_that_none_was_fitted(embedded: Settings) -> None:
    with TestClient(create_app(embedded), client=("127.0.0.1", 5000), base_url="http://127.0.0.1:8000") as browser:
        page = browser.get("/").text
    assert "No model has been fitted yet" in page
    assert "being loaded" not in page
