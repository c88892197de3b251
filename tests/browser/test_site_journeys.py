"""What readers do: find a paper, save it, see their list follow, take it along in a feed reader."""

import re

import httpx2
import pytest
from playwright.sync_api import Browser

from recommender.domain import EventKind
from tests.api.feed_checker import check
from tests.browser.site_pages import WORD, addresses
from tests.browser.site_world import HOST, PHONE, SiteWorld, Visitor, visit
from tests.e2e.processes import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(700)]

LIST_SECONDS = 30.0
TYPES = {"application/rss+xml": "rss", "application/atom+xml": "atom", "application/feed+json": "json"}
LISTS = ("/", "/papers/trending", "/categories/{category}", "/authors/{author}", f"/search?q={WORD}")
RANKED = "Ranked for you by model"


def own_list(visitor: Visitor) -> list[str]:
    """Return the papers on the first page of a visitor's list."""
    visitor.go("/for-you")
    return visitor.cards()


def is_personal(visitor: Visitor) -> bool:
    """True when a visitor's list is made for them."""
    return visitor.go("/for-you").get_by_text(RANKED).count() == 1


def test_a_first_visit_ends_in_a_list_of_ones_own(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser, size=PHONE) as visitor:
        page = visitor.go("/")
        assert page.get_by_role("main").get_by_role("link", name="Say what you like to read").count() == 1
        visitor.go("/for-you")
        everybodys = visitor.cards()
        page.get_by_role("main").get_by_role("link", name="say what you like").click()
        page.get_by_role("group", name="Categories").get_by_role("checkbox").first.check()
        page.get_by_label("Topics in your words").fill("graph neural networks")
        page.get_by_role("button", name="Show my list").click()
        page.wait_for_url("**/for-you**")
        page.get_by_text(RANKED).wait_for()
        assert visitor.cards() != everybodys
        assert page.locator(".card .reason").count() > 0
        visitor.check_calm()


def test_a_few_judged_papers_make_the_list_and_can_be_skipped(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser) as visitor:
        page = visitor.go("/welcome")
        page.get_by_role("button", name="Judge a few papers first").click()
        page.wait_for_url("**/welcome/judge**")
        asked = []
        for answer in ("Yes, like this", "Not for me", "Cannot say", "Yes, like this"):
            asked.append(page.locator("article h2").inner_text())
            page.get_by_role("button", name=answer).click()
            page.locator("article h2").filter(has_not_text=asked[-1]).wait_for()
        assert len(set(asked)) == len(asked)
        page.get_by_role("link", name="Enough: show my list").click()
        page.get_by_text(RANKED).wait_for()
        assert asked[1] not in page.locator(".card h3").all_inner_texts()
        visitor.check_calm()


def test_what_is_saved_changes_the_list(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser) as visitor:
        page = visitor.go("/papers/trending")
        first, second = visitor.cards()[:2]
        visitor.press("save", first)
        assert page.locator(f'[data-paper="{first}"] button.save').inner_text() == "Saved"
        wait_until(lambda: is_personal(visitor), seconds=LIST_SECONDS, what="a list of one's own")
        before = own_list(visitor)
        assert first not in before
        visitor.go("/papers/trending")
        visitor.press("save", second)
        wait_until(lambda: own_list(visitor) != before, seconds=LIST_SECONDS, what="another list")
        assert second not in own_list(visitor)
        visitor.check_calm()


def test_a_paper_that_does_not_interest_is_gone_until_it_is_taken_back(
    papers_site: SiteWorld, browser: Browser
) -> None:
    with visit(papers_site, browser) as visitor:
        page = visitor.go("/for-you")
        paper = visitor.cards()[0]
        visitor.press("dismiss", paper)
        assert paper not in own_list(visitor)
        visitor.go("/papers/trending")
        page.goto(f"{papers_site.url}/papers/{paper}")
        page.get_by_role("button", name="Show again").click()
        page.get_by_role("button", name="Not interested").wait_for()
        wait_until(lambda: paper in own_list(visitor), seconds=LIST_SECONDS, what="the paper again")
        visitor.check_calm()


def test_one_tap_is_undone_by_one_tap_with_and_without_a_script(papers_site: SiteWorld, browser: Browser) -> None:
    for script in (True, False):
        with visit(papers_site, browser, size=PHONE, script=script) as visitor:
            page = visitor.go("/")
            paper = visitor.page.locator(".card[data-paper]").first.get_attribute("data-paper")
            card = page.locator(f'.card[data-paper="{paper}"]')
            with page.expect_response("**/act"):
                card.get_by_role("button", name="Save", exact=True).click()
            card.get_by_role("button", name="Saved").wait_for()
            with page.expect_response("**/act"):
                page.get_by_role("button", name="Undo").click()
            card.get_by_role("button", name="Save", exact=True).wait_for()
            page.reload()
            card.get_by_role("button", name="Save", exact=True).wait_for()
            visitor.check_calm()


def test_the_keyboard_goes_through_a_list(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser) as visitor:
        page = visitor.go("/papers/trending")
        second = visitor.cards()[1]
        page.keyboard.press("j")
        page.keyboard.press("j")
        with page.expect_response("**/act"):
            page.keyboard.press("s")
        assert page.locator(f'[data-paper="{second}"] button.save').inner_text() == "Saved"
        page.keyboard.press("?")
        page.get_by_role("dialog").wait_for()
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        page.keyboard.type(WORD)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(rf"/search\?.*q={WORD}"))
        visitor.check_calm()


def test_a_search_finds_narrows_and_opens(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser) as visitor:
        page = visitor.go("/")
        page.get_by_role("searchbox", name="Search papers").first.fill(WORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/search?*")
        found = visitor.cards()
        assert found
        assert page.locator(".card mark").count() > 0
        category = addresses(papers_site)["category"]
        visitor.go(f"/search?q={WORD}&category={category}")
        narrowed = visitor.cards()
        assert len(narrowed) <= len(found)
        page.locator(".card h3 a").first.click()
        page.wait_for_url("**/papers/**")
        assert page.get_by_role("heading", level=1).count() == 1
        visitor.check_calm()


@pytest.mark.parametrize(
    "name", ["/", "/papers/trending", "/categories/{category}", "/authors/{author}", "/search?q=graph"]
)
def test_a_page_names_its_feeds_and_they_are_valid(papers_site: SiteWorld, browser: Browser, name: str) -> None:
    with visit(papers_site, browser) as visitor:
        page = visitor.go(name.format(**addresses(papers_site)))
        links = page.locator('link[rel="alternate"]').all()
        named = {
            TYPES[kind]: link.get_attribute("href") or ""
            for link in links
            if (kind := link.get_attribute("type")) in TYPES
        }
        assert set(named) == set(TYPES.values())
        for form, path in named.items():
            answer = fetch(papers_site, path)
            assert check(answer.content, form, self_url=papers_site.url + path)
            assert fetch(papers_site, path, **{"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_a_private_feed_is_made_read_and_revoked(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser) as visitor:
        visitor.sign_in("feeds@papers.test")
        page = visitor.go("/settings/feeds")
        page.get_by_label("Name of the program").fill("My phone")
        page.get_by_role("button", name="Make an address").click()
        address = page.get_by_role("link", name=re.compile(r"\.json$")).inner_text()
        path = address.removeprefix(papers_site.url)
        answer = fetch(papers_site, path)
        items = check(answer.content, "json", self_url=address)
        assert items
        assert fetch(papers_site, path, **{"If-None-Match": answer.headers["etag"]}).status_code == 304
        visitor.go(items[0]["url"])
        query = (
            "SELECT count(*) FROM events e JOIN users u USING (user_id) JOIN accounts a USING (user_id)"
            " WHERE a.mail = 'feeds@papers.test' AND e.kind = ? AND e.slate_position = 1"
        )
        wait_until(lambda: papers_site.rows(query, EventKind.CLICK)[0][0] == 1, seconds=20, what="the click")
        visitor.go("/settings/feeds")
        page.get_by_role("button", name="Revoke My phone").click()
        page.get_by_role("status").filter(has_text="does not work any more").wait_for()
        assert fetch(papers_site, path).status_code == 410
        visitor.check_calm()


def fetch(site: SiteWorld, path: str, **headers: str) -> httpx2.Response:
    """Ask as a feed reader does: without cookies, under the name visitors use."""
    host = f"{HOST}:{site.installation.port}"
    return site.installation.http.get(path, headers={"Host": host, **headers})
