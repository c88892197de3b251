"""What was just done is said where its reader looks: without scripts, too, and for lists that follow it."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.site_world import DESKTOP, PHONE, SiteWorld, overflow, violations, visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def tops(page: Page, paper: str) -> tuple[float, float, float]:
    """Return the lower edge of the notice, and the edges of a card."""
    told = page.locator(".told").bounding_box()
    card = page.locator(f'[id="p-{paper}"]').bounding_box()
    assert told is not None
    assert card is not None
    assert told["y"] >= 0
    return told["y"] + told["height"], card["y"], card["y"] + card["height"]


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_without_scripts_the_notice_and_the_card_are_both_in_the_window(
    papers_site: SiteWorld, browser: Browser, size: tuple[int, int]
) -> None:
    with visit(papers_site, browser, size=size, script=False) as visitor:
        page = visitor.go("/")
        paper = page.locator(".card").nth(6).get_attribute("data-paper") or ""
        page.locator(f'[id="p-{paper}"]').get_by_role("button", name="Save").click()
        page.wait_for_url("**#p-*")
        expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_in_viewport()
        bottom, top, end = tops(page, paper)
        assert bottom <= top < end <= size[1]
        assert overflow(page) == 0
        page.locator(".told").get_by_role("button", name="Undo").click()
        expect(page.get_by_role("status").filter(has_text="No longer saved.")).to_be_in_viewport()


@pytest.mark.parametrize("path", ["/", "/for-you"])
def test_after_a_save_the_page_leads_to_the_changed_list(papers_site: SiteWorld, browser: Browser, path: str) -> None:
    with visit(papers_site, browser, size=PHONE) as visitor:
        page = visitor.go(path)
        link = page.get_by_role("link", name="Your list has changed: show it")
        expect(link).to_be_hidden()
        visitor.press("save", visitor.cards()[0])
        expect(link).to_be_visible()
        expect(page.locator("#live")).to_have_text("Saved. Your list has changed: show it.")
        assert overflow(page) == 0
        assert violations(page) == []
        link.click()
        page.wait_for_url("**/for-you")
        expect(page.locator("#undo")).to_be_hidden()


def test_elsewhere_a_save_leads_nowhere(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser) as visitor:
        visitor.go("/papers/trending")
        visitor.press("save", visitor.cards()[0])
        expect(visitor.page.locator("#undo")).to_be_visible()
        expect(visitor.page.get_by_role("link", name="Your list has changed")).to_have_count(0)


def test_the_help_begins_at_its_title_and_not_at_the_switch(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser) as visitor:
        page = visitor.go("/")
        page.wait_for_function("window.paperfeed")
        page.keyboard.press("?")
        expect(page.get_by_role("heading", name="Keyboard")).to_be_focused()
        page.keyboard.press("Space")
        expect(page.get_by_label("These keys work in this browser")).to_be_checked()
        assert violations(page) == []
