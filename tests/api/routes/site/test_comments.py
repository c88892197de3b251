"""Comments as visitors send them: who may, what each sees, and nothing that runs in a page of somebody else."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from api.app import create_app
from api.runtime.state import Runtime
from api.settings import Settings
from api.store.engine import Database
from api.store.tables_comments import Comment, CommentReport
from tests.api.hub_world import MONDAY, daily_row, insert_papers
from tests.api.routes.site.pages import csrf_of
from tests.api.routes.site.signing_world import HTML, ORIGIN, send, sign_in

PAGE = "/papers/2512.00001"
ADA, GRACE, MODERATOR = "ada@papers.test", "grace@papers.test", "moderator@papers.test"
People = Callable[[str | None], TestClient]


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings that name a moderator and let few comments through."""
    return settings.model_copy(update={"moderators": MODERATOR, "comments_hourly": 5})


@pytest.fixture
def people(client: TestClient, database: Database) -> People:
    """Return a function that gives the browser of somebody who is signed in, None: of a stranger."""
    insert_papers(database, daily_row(1, MONDAY), daily_row(2, MONDAY, external_id="hep-th/9901001"))
    browsers: dict[str | None, TestClient] = {}

    def browser_of(mail: str | None) -> TestClient:
        if mail not in browsers:
            app = client.app
            assert isinstance(app, FastAPI)
            browsers[mail] = TestClient(app, headers=dict(HTML))
            browsers[mail].portal = client.portal  # the application runs in one event loop
            if mail is not None:
                sign_in(browsers[mail], database, mail)
        return browsers[mail]

    return browser_of


def say(browser: TestClient, text: str, *, page: str = PAGE, **fields: str) -> Response:
    """Send a comment from a paper's page."""
    return send(browser, f"{page}/comments", page=page, text=text, **fields)


def change(browser: TestClient, number: int, act: str, **fields: str) -> Response:
    """Send a form of a comment."""
    return send(browser, f"/comments/{number}/{act}", page=PAGE, **fields)


def numbers(page: str) -> list[int]:
    """Return the comments of a page, in its order."""
    return [int(found) for found in re.findall(r'id="comment-(\d+)"', page)]


def comments_of(page: str) -> str:
    """Return the part of a page that has the comments."""
    return page[page.index('<section id="comments"') :]


def test_a_comment_is_on_the_page_at_once_and_told(people: People) -> None:
    ada = people(ADA)
    answer = say(ada, "Very *clear*.")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PAGE}#comment-1"
    page = ada.get(PAGE).text
    assert "<p>Very <em>clear</em>.</p>" in page
    assert "Your comment is there." in page
    assert "<p>Very <em>clear</em>.</p>" in people(None).get(PAGE).text
    assert people(None).get("/").text.count("3 comments") == 1


def test_papers_with_old_ids_have_comments_too(people: People) -> None:
    answer = say(people(ADA), "old", page="/papers/hep-th/9901001")
    assert answer.headers["location"] == "/papers/hep-th/9901001#comment-1"
    assert "<p>old</p>" in people(None).get("/papers/hep-th/9901001").text


def test_a_stranger_is_asked_to_sign_in_and_cannot_write(people: People, database: Database) -> None:
    stranger = people(None)
    page = stranger.get(PAGE).text
    assert 'href="/sign-in?next=%2Fpapers%2F2512.00001%23comments"' in page
    assert "<textarea" not in page
    assert say(stranger, "hello").status_code == 403
    with database.read() as session:
        assert session.scalars(sa.select(Comment)).all() == []


def test_a_form_from_elsewhere_or_without_its_token_changes_nothing(people: People, database: Database) -> None:
    ada = people(ADA)
    say(ada, "mine")
    csrf = csrf_of(ada.get(PAGE).text)
    foreign = csrf_of(people(GRACE).get(PAGE).text)
    for path in (
        f"{PAGE}/comments",
        "/comments/1/edit",
        "/comments/1/delete",
        "/comments/1/report",
        "/comments/1/hide",
    ):
        for fields, headers in (
            ({"csrf": csrf, "text": "x"}, {"Origin": "https://evil.test"}),
            ({"csrf": foreign, "text": "x"}, ORIGIN),
            ({"text": "x"}, ORIGIN),
        ):
            assert ada.post(path, data=fields, headers=headers, follow_redirects=False).status_code == 403, path
    with database.read() as session:
        assert session.scalars(sa.select(Comment.text)).all() == ["mine"]


def test_nothing_in_a_comment_or_a_name_becomes_markup(people: People) -> None:
    ada = people(ADA)
    send(ada, "/settings/name", page="/settings", name='<b onclick="x">Ada</b>')
    say(ada, "<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) ![y](//evil.test/z)")
    report = people(GRACE)
    change(report, 1, "report", reason='"><script>alert(2)</script>')
    for page in (ada.get(PAGE).text, people(None).get(PAGE).text, people(MODERATOR).get("/moderation").text):
        assert "alert(1)" in page
        scripts = re.findall(r"<script[^>]*>", page)
        assert all("src=" in script for script in scripts)
        assert not re.search(r"<(img|b|svg|iframe)\b", page)
        assert not re.search(r"<[^>]+\son[a-z]+\s*=", page)
        assert not re.search(r'(?:href|src|action)="\s*javascript', page)
        assert 'src="//evil' not in page


def test_a_comment_that_cannot_be_taken_is_in_its_form_again(people: People) -> None:
    ada = people(ADA)
    answer = say(ada, "x" * 5_001)
    assert answer.status_code == 422
    assert "5000 characters at most, this one 5001" in answer.text
    assert f">{'x' * 5_001}</textarea>" in answer.text
    assert say(ada, "   ").status_code == 422


def test_a_reply_that_cannot_be_taken_is_in_its_own_form_again(people: People) -> None:
    ada = people(ADA)
    say(ada, "first")
    answer = say(ada, "</textarea><script>x" + "y" * 5_000, parent="1")
    assert answer.status_code == 422
    assert "<details open><summary>Reply</summary>" in answer.text
    assert "&lt;/textarea&gt;&lt;script&gt;" in answer.text
    assert "</textarea><script>" not in answer.text


def test_who_writes_too_often_is_told_when_to_go_on_and_loses_no_word(people: People) -> None:
    ada = people(ADA)
    for number in range(5):
        say(ada, f"number {number}")
    answer = say(ada, "one more")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 3_500
    assert ">one more</textarea>" in answer.text


def test_a_reply_stands_below_and_cannot_be_replied_to(people: People) -> None:
    ada, grace = people(ADA), people(GRACE)
    say(ada, "question")
    say(ada, "other")
    say(grace, "answer", parent="1")
    page = comments_of(grace.get(PAGE).text)
    assert numbers(page) == [1, 3, 2]
    assert page.count("<summary>Reply</summary>") == 2
    assert say(ada, "deeper", parent="3").status_code == 422
    for parent in ("99", "x", "1" * 30, "-1"):
        assert say(ada, "nothing", parent=parent).status_code == 404


def test_authors_edit_and_delete_their_own_and_nobody_elses(people: People) -> None:
    ada, grace = people(ADA), people(GRACE)
    say(ada, "wrnog")
    assert change(grace, 1, "edit", text="mine now").status_code == 403
    assert change(grace, 1, "delete").status_code == 403
    assert change(people(MODERATOR), 1, "edit", text="mine now").status_code == 403
    assert change(ada, 1, "edit", text="right").headers["location"] == f"{PAGE}#comment-1"
    page = comments_of(grace.get(PAGE).text)
    assert "<p>right</p>" in page
    assert ">edited</span>" in page
    assert "<summary>Edit</summary>" not in page
    change(ada, 1, "delete")
    assert numbers(ada.get(PAGE).text) == []
    assert change(ada, 1, "edit", text="back").status_code == 404
    assert change(ada, 1, "nonsense").status_code == 404


def test_a_reported_comment_is_hidden_by_a_moderator_and_shown_again(people: People, database: Database) -> None:
    ada, grace, moderator = people(ADA), people(GRACE), people(MODERATOR)
    say(ada, "rude words")
    change(grace, 1, "report", reason="rude")
    page = moderator.get("/moderation").text
    assert "rude words" in page
    assert "<li>rude</li>" in page
    assert "Reported (1)" in page
    answer = send(moderator, "/comments/1/hide", page="/moderation", back="/moderation?view=latest")
    assert answer.headers["location"] == "/moderation?view=latest"
    for stranger in (grace, people(None)):
        assert "rude words" not in stranger.get(PAGE).text
        assert "rude words" not in stranger.get("/api/papers/2512.00001?field=comments").text
    assert "hidden by a moderator" in ada.get(PAGE).text
    assert change(ada, 1, "edit", text="polite").status_code == 409
    assert "No comment waits for you" in moderator.get("/moderation").text
    assert "hidden by" in moderator.get("/moderation?view=hidden").text
    change(moderator, 1, "show")
    assert "rude words" in grace.get(PAGE).text
    with database.read() as session:
        assert session.scalars(sa.select(CommentReport.settled_at)).one() is not None


def test_only_moderators_moderate(people: People) -> None:
    say(people(ADA), "a")
    for browser in (people(None), people(GRACE), people(ADA)):
        assert browser.get("/moderation").status_code == 403
        for act in ("hide", "show"):
            assert change(browser, 1, act).status_code == 403
        assert 'action="/comments/1/hide"' not in browser.get(PAGE).text
    assert 'action="/comments/1/hide"' in people(MODERATOR).get(PAGE).text


def test_a_moderators_redirect_stays_here(people: People) -> None:
    say(people(ADA), "a")
    for back in ("https://evil.test/moderation", "//evil.test", "/moderation/../x", "/sign-out"):
        answer = send(people(MODERATOR), "/comments/1/hide", page="/moderation", back=back)
        assert answer.headers["location"] == f"{PAGE}#comment-1"


def test_clients_of_the_papers_api_read_comments_with_their_replies(people: People, client: TestClient) -> None:
    say(people(ADA), "**first**")
    say(people(GRACE), "second", parent="1")
    record = client.get("/api/papers/2512.00001?field=comments").json()
    first, second = record["comments"]
    assert first["data"]["latest"] == {"raw": "**first**", "html": "<p><strong>first</strong></p>\n"}
    assert (first["data"]["hidden"], first["data"]["edited"], first["type"]) == (False, False, "comment")
    assert second["data"]["parentCommentId"] == first["id"]
    assert datetime.fromisoformat(first["createdAt"]) <= datetime.now(UTC)
    assert ADA not in str(record)  # an address is nobody's to read
    assert record["numComments"] == 4


def test_a_page_with_comments_costs_few_statements(people: People, statements: list[str]) -> None:
    for number in range(4):
        say(people(ADA), f"number {number}")
    people(None).get(PAGE)
    statements.clear()
    people(None).get(PAGE)
    selects = [statement for statement in statements if statement.startswith("SELECT")]
    assert len(selects) == 3, selects  # the paper with its count, its votes, its comments
    assert set(statements) - set(selects) == {"BEGIN"}


def test_the_reader_picked_at_this_machine_writes_and_its_operator_moderates(embedded: Settings) -> None:
    local = "http://127.0.0.1:8000"
    with TestClient(create_app(embedded), client=("127.0.0.1", 5000), base_url=local, headers=dict(HTML)) as browser:
        runtime = browser.app.state.runtime  # type: ignore[attr-defined] # TestClient types its application as any ASGI one
        assert isinstance(runtime, Runtime)
        insert_papers(runtime.db, daily_row(1, MONDAY))
        page = browser.get(f"{PAGE}?reader=newcomer").text
        form = {"csrf": csrf_of(page), "reader": "newcomer", "text": "from this machine"}
        answer = browser.post(f"{PAGE}/comments", data=form, headers={"Origin": local}, follow_redirects=False)
        assert answer.headers["location"] == f"{PAGE}?reader=newcomer#comment-1"
        assert "from this machine" in browser.get(PAGE).text
        assert browser.get("/moderation").status_code == 200
        form = {"csrf": csrf_of(browser.get("/moderation").text), "back": "/moderation"}
        browser.post("/comments/1/hide", data=form, headers={"Origin": local})
        assert "hidden by the operator" in browser.get("/moderation?view=hidden").text
