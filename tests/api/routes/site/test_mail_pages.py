"""Mails of an installation without a mail server, as whoever sits at its machine sees them."""

import re
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.services.mailing import Mail, queue_mail
from api.services.trending import forget_boards
from api.store.tables_mails import Digest
from recommender.domain import EventKind
from tests.api.feed_world import NOW, add_event
from tests.api.routes.site.conftest import ORIGIN
from tests.api.routes.site.pages import csrf_of
from tests.mail_world import freshen
from workers import processes
from workers.digests import make_digests
from workers.mails import send_mails

TIMES = {"cadence": "daily", "weekday": "0", "hour": "7", "zone": "UTC"}


@pytest.fixture
def worker(runtime_of_local: Runtime, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Return the runtime of the browser's installation, which is that of this process's worker, too."""
    papers = freshen(runtime_of_local.db, now=NOW)
    for number, paper_id in enumerate(papers[:3]):
        add_event(runtime_of_local.db, 2, paper_id, EventKind.UPVOTE, number=9000 + number)
    forget_boards()
    monkeypatch.setattr(processes, "_runtime", runtime_of_local)
    return runtime_of_local


def mail_links(page: str) -> list[str]:
    return re.findall(r'href="(/mails/[^"]+\.eml)"', page)


def test_a_subscription_from_the_form_to_the_first_issue_without_a_mail_server(
    local: TestClient, worker: Runtime
) -> None:
    csrf = csrf_of(local.get("/digest").text)
    local.post("/digest", data={"csrf": csrf, "mail": "eve@example.org", **TIMES}, headers=ORIGIN)
    assert send_mails() == 1
    (path,) = mail_links(local.get("/mails").text)
    page = local.get(path).text
    link = re.search(r'<a href="(/digest/confirm/[^"]+)">', page)
    assert link is not None
    csrf = csrf_of(local.get(link[1]).text)
    assert local.post(link[1], data={"csrf": csrf}, headers=ORIGIN).status_code == 200
    with worker.db.write() as session:
        session.query(Digest).update({"due_at": datetime.now(UTC)})
    assert (make_digests(), send_mails()) == (1, 1)
    issue = next(path for path in mail_links(local.get("/mails").text) if "Trending papers" in local.get(path).text)
    first = re.search(r'<a href="(/papers/[^"]+slate=[^"]+)">', local.get(issue).text)
    assert first is not None
    paper = local.get(first[1].replace("&amp;", "&"))
    assert paper.status_code == 200
    assert 'data-clicked="click"' in paper.text
    html = local.get(f"{issue}/html")
    assert "sandbox" in html.headers["content-security-policy"]
    raw = local.get(f"{issue}/file")
    assert raw.headers["content-type"] == "message/rfc822"
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in raw.content


def test_whoever_sits_at_the_machine_needs_no_confirmation(local: TestClient, worker: Runtime) -> None:
    csrf = csrf_of(local.get("/settings/digest?reader=u1").text)
    fields = {"csrf": csrf, "reader": "u1", "mail": "u1@example.org", **TIMES}
    answer = local.post("/settings/digest", data=fields, headers=ORIGIN, follow_redirects=False)
    assert answer.headers["location"] == "/settings/digest?reader=u1"
    with worker.db.read() as session:
        assert session.query(Digest).one().due_at is not None


def test_what_a_mail_says_is_shown_as_text(local: TestClient, worker: Runtime) -> None:
    hostile = "<script>alert(1)</script> https://evil.test/x http://127.0.0.1:8000/papers/p1?a=1&b=2\n"
    with worker.db.write() as session:
        queue_mail(session, Mail("a@example.org", "<b>bold</b>", hostile), key="k", now=datetime.now(UTC))
    send_mails()
    (path,) = mail_links(local.get("/mails").text)
    page = local.get(path).text
    assert "<script>alert" not in page
    assert "<b>bold" not in page
    assert 'href="https://evil.test' not in page
    assert 'href="/papers/p1?a=1&amp;b=2"' in page


@pytest.mark.parametrize("name", ["x", "..%2Fpaperfeed.db", "20260101T000000Z-1.eml", "%2e%2e", ".part"])
def test_no_other_file_is_shown(local: TestClient, worker: Runtime, name: str) -> None:
    for path in (f"/mails/{name}", f"/mails/{name}/html", f"/mails/{name}/file"):
        assert local.get(path).status_code in {404, 307}, path


def test_a_mail_that_waits_is_told_with_its_reason_and_tried_again(local: TestClient, worker: Runtime) -> None:
    worker.settings.data_dir.mkdir(exist_ok=True)
    worker.settings.mails_dir.write_text("a file where the folder should be")
    with worker.db.write() as session:
        queue_mail(session, Mail("a@example.org", "A mail", "words"), key="k", now=datetime.now(UTC))
    send_mails()
    worker.settings.mails_dir.unlink()
    page = local.get("/mails").text
    assert "waiting, tried 1 time" in page
    number = re.search(r'name="mail" value="(\d+)"', page)
    assert number is not None
    local.post("/mails/again", data={"csrf": csrf_of(page), "mail": number[1]}, headers=ORIGIN)
    assert send_mails() == 1
    assert len(mail_links(local.get("/mails").text)) == 1


def test_mails_are_not_shown_to_a_proxy(local: TestClient, worker: Runtime) -> None:
    assert local.get("/mails", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404
