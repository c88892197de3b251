"""The first page in a real browser: what it logs, what it shows on a phone, and that it needs no script."""

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.world import PAPERS, World, wait_for_queue, watch
from tests.e2e.journeys import event, send
from tests.e2e.processes import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

WIDTHS = {"phone": (360, 740), "desktop": (1280, 800)}
READER_COOKIE = "paperfeed_reader"


def known(world: World, reader: str) -> str:
    """Return the address of the page of a reader who has done something before."""
    send(world.installation, reader, event("save", PAPERS[0]["id"]))
    return f"{world.url}/?reader={reader}"


def papers_in_sight(page: Page) -> list[str]:
    """Return the papers of all cards of which half is in the window."""
    found: list[str] = page.evaluate(
        """[...document.querySelectorAll("[data-slate] [data-paper]")].filter(card => {
            const {top, bottom} = card.getBoundingClientRect();
            return Math.min(bottom, innerHeight) - Math.max(top, 0) >= (bottom - top) / 2;
        }).map(card => card.dataset.paper)"""
    )
    return found


def reader_cookie(context: BrowserContext) -> str:
    """Return the cookie of an anonymous reader, which scripts cannot read and other sites cannot use."""
    [cookie] = [cookie for cookie in context.cookies() if cookie["name"] == READER_COOKIE]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    return cookie["value"]


def test_the_page_of_a_reader_logs_what_they_saw_and_read(world: World, context: BrowserContext) -> None:
    url = known(world, "page-reader")
    seen = watch(context)
    page = context.new_page()
    page.goto(url)
    in_sight = papers_in_sight(page)
    assert in_sight
    logged = world.wait_logged("page-reader", "impression", in_sight)
    assert min(entry.position or 0 for entry in logged) == 1
    card = page.locator("[data-paper]").first
    card.locator("summary").click()
    page.wait_for_timeout(1_500)
    card.locator("summary").click()
    world.wait_logged("page-reader", "read", [card.get_attribute("data-paper") or ""])
    wait_for_queue(page, 0)
    assert seen.complaints == []
    assert seen.hosts() == {world.url.split("/")[2]}


def test_a_stranger_is_known_again_by_a_cookie(world: World, context: BrowserContext) -> None:
    address = f"http://papers.test:{world.installation.port}/"  # without https, and not this machine by its name
    known = {entry.event_id for entry in world.logged("anon:%")}
    watched = watch(context)
    page = context.new_page()
    page.goto(address)
    assert page.locator("#pick").count() == 0
    cookie = reader_cookie(context)
    in_sight = papers_in_sight(page)

    def seen() -> list[str]:
        return sorted(entry.paper_id for entry in world.logged("anon:%") if entry.event_id not in known)

    wait_until(lambda: seen() == sorted(in_sight), seconds=20, what="what a stranger saw")
    page.goto(f"{address}for-you")
    page.locator(".card").first.wait_for()
    # Without https Chromium ignores one of our headers and says so.
    assert [text for text in watched.complaints if "Cross-Origin-Opener-Policy" not in text] == []
    assert reader_cookie(context) == cookie


def test_the_beacon_gives_a_cookie_to_whoever_came_without_one(world: World, context: BrowserContext) -> None:
    address = f"http://papers.test:{world.installation.port}/"
    page = context.new_page()
    page.goto(address)
    context.clear_cookies()  # as where the page itself is another server's, which asks this one for lists only
    known = {entry.event_id for entry in world.logged("anon:%")}
    in_sight = papers_in_sight(page)

    def seen() -> list[str]:
        return sorted(entry.paper_id for entry in world.logged("anon:%") if entry.event_id not in known)

    wait_until(lambda: seen() == sorted(in_sight), seconds=20, what="what was seen without a cookie")
    assert reader_cookie(context)


@pytest.mark.parametrize("script", [True, False])
def test_buttons_work_with_and_without_scripts(world: World, browser: Browser, script: bool) -> None:
    reader = f"buttons-{script}"
    context = browser.new_context(java_script_enabled=script)
    page = context.new_page()
    page.goto(known(world, reader))
    card = page.locator("[data-paper]").nth(2)
    paper = card.get_attribute("data-paper")
    card.get_by_role("button", name="Save").click()
    card.get_by_role("button", name="Saved").wait_for()
    page.get_by_role("button", name="Undo").click()
    card.get_by_role("button", name="Save", exact=True).wait_for()

    def logged() -> list[str]:
        return [entry.kind for entry in world.all_logged(reader) if entry.paper_id == paper]

    wait_until(lambda: {"save", "unsave"} <= set(logged()), seconds=20, what="both presses")
    [save] = [entry for entry in world.logged(reader) if entry.kind == "save" and entry.paper_id == paper]
    assert save.position == 3
    assert "click" not in logged()  # pressing a button opens nothing
    context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out_of_the_window_and_buttons_can_be_hit(world: World, browser: Browser, width: str) -> None:
    across, down = WIDTHS[width]
    context = browser.new_context(viewport={"width": across, "height": down})
    page = context.new_page()
    page.goto(known(world, f"looks-{width}"))
    assert page.evaluate("document.documentElement.scrollWidth") <= across
    targets = page.locator("button:visible, nav.pages a, .who a, summary:visible")
    assert targets.count() > 10
    for target in targets.all()[:14]:
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["width"] >= 44
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= across
    context.close()
