"""Signing in by mail, what was done before it, what others may say, and papers that come by mail."""

import re

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.site_pages import addresses
from tests.browser.site_world import MODERATOR, SiteWorld, visit
from tests.e2e.processes import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(700)]


def test_signing_in_takes_along_what_was_done_before(papers_site: SiteWorld, browser: Browser) -> None:
    mail = "merge@papers.test"
    with visit(papers_site, browser) as phone, visit(papers_site, browser) as desk:
        phone.go("/papers/trending")
        first, second = phone.cards()[:2]
        phone.press("save", first)
        phone.sign_in(mail)
        assert phone.go("/library").locator(f'[data-paper="{first}"]').count() == 1
        desk.go("/papers/trending")
        desk.press("save", second)
        desk.sign_in(mail)
        page = desk.go("/library")
        assert {first, second} <= set(desk.cards())
        desk.go("/settings")
        page.get_by_role("button", name="Sign out", exact=True).click()
        page.get_by_role("status").filter(has_text="You are signed out").wait_for()
        desk.go("/library")
        assert first not in desk.cards()
        assert first in {phone.go("/library").locator("[data-paper]").first.get_attribute("data-paper"), *phone.cards()}
        phone.check_calm()
        desk.check_calm()


def test_a_link_works_once(papers_site: SiteWorld, browser: Browser) -> None:
    mail = "once@papers.test"
    with visit(papers_site, browser) as visitor, visit(papers_site, browser) as other:
        visitor.sign_in(mail)
        link = papers_site.link_in(papers_site.mails(mail)[-1], "/sign-in/")
        answer = other.page.goto(link)
        assert answer is not None
        assert answer.status == 410
        assert other.go("/settings").get_by_text(mail).count() == 0


def test_a_comment_is_reported_hidden_and_shown_again(papers_site: SiteWorld, browser: Browser) -> None:
    paper = f"/papers/{addresses(papers_site)['paper']}"
    words = "This is rude, <script>alert(1)</script> and *wrong*"
    seen = "This is rude"
    with (
        visit(papers_site, browser) as writer,
        visit(papers_site, browser) as reader,
        visit(papers_site, browser) as judge,
    ):
        writer.sign_in("writer@papers.test")
        write_comment(writer.go(paper), words)
        assert writer.page.locator(".comment", has_text=seen).locator("em", has_text="wrong").count() == 1
        reader.sign_in("reader@papers.test")
        comment = reader.go(paper).locator(".comment", has_text=seen)
        comment.locator("summary", has_text="Report").click()
        comment.get_by_label("What is wrong with it?").fill("It is rude")
        comment.get_by_role("button", name="Report").click()
        reader.page.get_by_role("status").filter(has_text="A moderator will look").wait_for()
        judge.sign_in(MODERATOR)
        card = judge.go("/moderation").locator(".card", has_text=seen)
        assert "It is rude" in card.inner_text()
        card.get_by_role("button", name="Hide").click()
        judge.page.get_by_role("status").filter(has_text="The comment is hidden").wait_for()
        assert reader.go(paper).get_by_text(seen).count() == 0
        judge.go("/moderation?view=hidden")
        judge.page.locator(".card", has_text=seen).get_by_role("button", name="Show to everybody").click()
        assert reader.go(paper).get_by_text(seen).count() == 1
        for one in (writer, reader, judge):
            one.check_calm()


def test_only_moderators_moderate(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser) as visitor:
        answer = visitor.page.goto(f"{papers_site.url}/moderation")
        assert answer is not None
        assert answer.status in {403, 404}


def test_trending_papers_come_by_mail_until_they_are_ended(papers_site: SiteWorld, browser: Browser) -> None:
    mail = "trending@papers.test"
    with visit(papers_site, browser) as visitor:
        page = visitor.go("/digest")
        page.get_by_label("Mail address").fill(mail)
        page.get_by_label("Once a week").check()
        page.get_by_role("button", name="Subscribe").click()
        page.get_by_role("heading", name="Look into your mail").wait_for()
        visitor.go(papers_site.link_in(papers_site.wait_for_mail(mail), "/digest/confirm/"))
        page.get_by_role("button", name="Begin").click()
        page.get_by_role("heading", name="Papers come by mail").wait_for()
        page.get_by_role("link", name=re.compile("Change or end")).click()
        page.get_by_role("button", name="Unsubscribe").click()
        page.get_by_role("heading", name="No more mails").wait_for()
        visitor.check_calm()


def test_a_readers_digest_is_turned_on_previewed_and_ended_by_its_header(
    papers_site: SiteWorld, browser: Browser
) -> None:
    mail = "digest@papers.test"
    with visit(papers_site, browser) as visitor:
        visitor.sign_in(mail)
        visitor.go("/papers/trending")
        visitor.press("save", visitor.cards()[0])
        page = visitor.go("/settings/digest")
        assert page.get_by_label("Mail address").input_value() == mail
        page.get_by_role("button", name="Turn on").click()
        page.get_by_role("status").filter(has_text="Your digest is on").wait_for()
        before = len(papers_site.mails(mail))
        page.get_by_role("button", name="Send me this one as a test").click()
        digest = papers_site.wait_for_mail(mail, count=before + 1)
        assert digest["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        opened = papers_site.link_in(digest, "/papers/")
        assert "slate=" in opened
        visitor.go(opened)
        wait_until(lambda: clicks(papers_site, mail) == 1, seconds=20, what="the click of a link in a mail")
        header = re.search(r"<https?://[^/]+(/digest/stop/[^>]+)>", str(digest["List-Unsubscribe"]))
        assert header is not None
        answer = papers_site.installation.http.post(header[1], data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert visitor.go("/settings/digest").get_by_text("Your digest is off").count() == 1
        visitor.check_calm()


def test_the_operator_reads_mails_in_their_folder(papers_site: SiteWorld, browser: Browser) -> None:
    mail = "folder@papers.test"
    with visit(papers_site, browser) as visitor:
        visitor.sign_in(mail)
        page = visitor.go(f"{papers_site.own_url}/mails")
        assert page.get_by_text(mail).count() > 0
        answer = visitor.page.goto(f"{papers_site.url}/mails")
        assert answer is not None
        assert answer.status in {403, 404}  # under its name the machine is trusted, under another it is not


def write_comment(page: Page, words: str) -> None:
    """Write a comment on the paper of a page."""
    page.locator("#new").fill(words)
    page.get_by_role("button", name="Comment", exact=True).click()
    page.get_by_role("status").filter(has_text="Your comment is there").wait_for()


def clicks(site: SiteWorld, mail: str) -> int:
    """Return how many clicks on shown papers are counted for an account."""
    query = (
        "SELECT count(*) FROM events e JOIN accounts a USING (user_id)"
        " WHERE a.mail = ? AND e.kind = 1 AND e.slate_id IS NOT NULL"
    )
    return int(site.rows(query, mail)[0][0])
