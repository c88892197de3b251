"""Submitting papers: the form, what it tells, and when the lists of everybody have them."""

import re
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.services.catalog import record_papers
from api.settings import Settings
from api.sources.records import PaperRecord
from api.store.engine import Database
from tests.api.hub_world import MONDAY, daily_row, insert_papers
from tests.api.routes.site.pages import csrf_of
from tests.api.routes.site.signing_world import HTML, ORIGIN, send, sign_in
from workers import processes
from workers.submissions import list_submitted

HERE, ABSENT = "2512.00001", "2601.00009"


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings that let few papers through."""
    return settings.model_copy(update={"submissions_hourly": 3})


@pytest.fixture
def ada(client: TestClient, database: Database) -> TestClient:
    """Return a browser that is signed in, beside papers of which one is in no daily list."""
    insert_papers(database, daily_row(1, None), daily_row(2, MONDAY))
    client.headers.update(HTML)
    sign_in(client, database, "ada@papers.test")
    send(client, "/settings/name", page="/settings", name="Ada")
    return client


@pytest.fixture
def worker(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks run in this process, on the application's database."""
    monkeypatch.setattr(processes, "_runtime", runtime)


def submit(browser: TestClient, ids: str) -> tuple[int, str]:
    """Send the form; return the status and where it leads, or the page that shows it again."""
    answer = send(browser, "/submit", ids=ids)
    return answer.status_code, answer.headers.get("location", answer.text)


def test_a_paper_that_is_here_is_in_todays_list_with_its_submitter(ada: TestClient) -> None:
    assert submit(ada, f"https://arxiv.org/abs/{HERE}v2") == (303, f"/papers/{HERE}")
    page = ada.get(f"/papers/{HERE}").text
    assert "Put into today&#39;s list: 1. To be fetched from arXiv: 0.</p>" in page
    assert "Submitted by Ada" in page
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert f'data-paper="{HERE}"' in ada.get(f"/papers/date/{today}").text


def test_a_paper_that_is_not_here_waits_in_sight_until_it_comes(
    ada: TestClient, runtime: Runtime, worker: None
) -> None:
    assert submit(ada, f"{ABSENT} 2512.00002") == (303, "/submit")
    page = ada.get("/submit").text
    assert "To be fetched from arXiv: 1. Nothing to do for: 1." in page
    assert "to be fetched from arXiv</span>" in page
    assert list_submitted() == 0
    with runtime.db.write() as session:
        record_papers(session, [PaperRecord("A new one", "arxiv", ABSENT)], now=datetime.now(UTC))
    assert list_submitted() == 1
    assert f'<a href="/papers/{ABSENT}">A new one</a>' in ada.get("/submit").text
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert f'data-paper="{ABSENT}"' in ada.get(f"/papers/date/{today}").text


def test_a_form_that_cannot_be_taken_is_shown_again_with_the_reason(ada: TestClient) -> None:
    for ids, why in (
        ("", "An arXiv id is needed"),
        (f"{HERE} ladders <script>alert(1)</script>", "This is no arXiv id: “ladders”"),
    ):
        status, page = submit(ada, ids)
        assert status == 422
        assert why in page
        assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;</textarea>" in page
    assert "What you submitted" not in page


def test_whoever_submits_too_many_is_told_when_to_go_on(ada: TestClient) -> None:
    submit(ada, "2601.00001 2601.00002 2601.00003")
    answer = send(ada, "/submit", ids="2601.00004 2601.00005")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 3_500
    assert "2601.00004 2601.00005</textarea>" in answer.text
    assert ada.get("/submit").text.count("to be fetched from arXiv</span>") == 3


def test_strangers_are_led_to_sign_in_and_back(client: TestClient, database: Database) -> None:
    client.headers.update(HTML)
    page = client.get(f"/submit?paper={ABSENT}").text
    assert "<textarea" not in page
    assert re.search(r'href="/sign-in\?next=%2Fsubmit%3Fpaper%3D2601\.00009">Sign in to submit', page)
    assert send(client, "/submit", ids=ABSENT).status_code == 403
    missing = client.get(f"/papers/{ABSENT}")
    assert missing.status_code == 404
    assert "Sign in to have 2601.00009 fetched from arXiv" in missing.text
    assert "fetched from arXiv" not in client.get("/papers/nothing-of-the-sort").text


def test_the_page_of_a_missing_paper_submits_it_at_once(ada: TestClient) -> None:
    page = ada.get(f"/papers/arXiv:{ABSENT}v1").text
    assert f"<button>Fetch {ABSENT} from arXiv</button>" in page
    fields = {"csrf": csrf_of(page), "ids": ABSENT}
    answer = ada.post("/submit", data=fields, headers=ORIGIN, follow_redirects=False)
    assert answer.headers["location"] == "/submit"
    assert ABSENT in ada.get("/submit").text


def test_a_form_from_elsewhere_submits_nothing(ada: TestClient) -> None:
    csrf = csrf_of(ada.get("/submit").text)
    for fields, headers in (
        ({"ids": ABSENT, "csrf": csrf}, {"Origin": "https://evil.test"}),
        ({"ids": ABSENT}, ORIGIN),
    ):
        assert ada.post("/submit", data=fields, headers=headers).status_code == 403
    assert ABSENT not in ada.get("/submit").text
