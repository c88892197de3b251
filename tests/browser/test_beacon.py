"""What the beacon script tells from a page of another site: what was seen, opened and read, each once."""

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.world import CARD_PIXELS, ON_SCREEN, World, open_page, queue, wait_for_queue, watch

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LONGER_THAN_SEEN = 1_300  # milliseconds, against the second that a card must be seen
SHORTER_THAN_SEEN = 400
LEAVE = "() => window.dispatchEvent(new Event('pagehide'))"


def read(page: Page, card: int, *, milliseconds: int = 1_500) -> None:
    """Open the details of a card and stay there."""
    page.locator("summary").nth(card).click()
    page.wait_for_timeout(milliseconds)


def test_what_half_of_was_seen_for_a_second_is_an_impression_once(world: World, context: BrowserContext) -> None:
    shown = world.show("seen")
    seen = watch(context)
    page = open_page(context, shown.url)
    logged = world.wait_logged("seen", "impression", shown.papers[:ON_SCREEN])
    assert [entry.position for entry in logged] == [1, 2]

    page.evaluate(f"window.scrollTo(0, {5 * CARD_PIXELS})")  # further down, and back too soon
    page.wait_for_timeout(SHORTER_THAN_SEEN)
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(LONGER_THAN_SEEN)
    page.evaluate(f"window.scrollTo(0, {2 * CARD_PIXELS})")
    world.wait_logged("seen", "impression", shown.papers[:4])
    page.evaluate("window.scrollTo(0, 0)")  # what was counted is seen again
    page.wait_for_timeout(2 * LONGER_THAN_SEEN)
    wait_for_queue(page, 0)
    world.wait_logged("seen", "impression", shown.papers[:4])
    assert len(seen.sent_ids()) == len(set(seen.sent_ids())) == 4


def test_a_page_of_another_site_asks_nobody_else_and_has_nothing_to_complain_about(
    world: World, context: BrowserContext
) -> None:
    shown = world.show("polite")
    seen = watch(context)
    page = open_page(context, shown.url)
    world.wait_logged("polite", "impression", shown.papers[:ON_SCREEN])
    wait_for_queue(page, 0)  # the answers could be read
    page.close()
    assert seen.complaints == []
    assert seen.hosts() == {world.url.split("/")[2], world.site.url.split("/")[2]}
    body = seen.bodies()[0]
    assert set(body) == {"events", "sent_at", "slate"}
    assert body["slate"] == shown.slate
    assert seen.requests[-1].headers["content-type"].startswith("text/plain")
    assert context.cookies() == []


def test_a_page_hidden_from_the_start_shows_nothing_until_somebody_looks(world: World, context: BrowserContext) -> None:
    shown = world.show("hidden")
    context.add_init_script(
        "window.away = true; Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true})"
    )
    page = open_page(context, shown.url)
    page.wait_for_timeout(2 * LONGER_THAN_SEEN)
    assert queue(page) == []
    assert world.logged("hidden") == []
    page.evaluate(
        "() => { window.away = false; document.dispatchEvent(new Event('visibilitychange', {bubbles: true})) }"
    )
    world.wait_logged("hidden", "impression", shown.papers[:ON_SCREEN])


def test_cards_that_come_later_and_lists_that_are_replaced_are_seen(world: World, context: BrowserContext) -> None:
    shown = world.show("later")
    page = open_page(context, shown.url)
    world.wait_logged("later", "impression", shown.papers[:ON_SCREEN])
    third, fourth = shown.papers[2:4]
    page.evaluate("paper => document.querySelector('li').dataset.paper = paper", third)  # the same element, reused
    page.evaluate(
        """paper => {
            const card = document.createElement("li");
            card.dataset.paper = paper;
            document.querySelector("ol").prepend(card);
        }""",
        fourth,
    )
    world.wait_logged("later", "impression", shown.papers[:4])


def test_opening_by_mouse_wheel_and_keyboard_are_clicks_and_a_double_click_is_one(
    world: World, context: BrowserContext
) -> None:
    shown = world.show("opens")
    page = open_page(context, shown.url)
    page.evaluate("addEventListener('click', event => event.preventDefault())")
    links = page.locator("li a")
    links.nth(0).dblclick()
    links.nth(1).press("Enter")
    with context.expect_page() as opened:
        links.nth(1).click(button="middle")
    opened.value.close()
    links.nth(0).click(button="right")
    world.wait_logged("opens", "click", [shown.papers[0], shown.papers[1], shown.papers[1]])


def test_a_click_that_leaves_the_page_is_not_lost(world: World, context: BrowserContext) -> None:
    shown = world.show("leaves")
    page = open_page(context, shown.url)
    page.locator("li a").nth(1).click()
    page.wait_for_url("**/away")
    world.wait_logged("leaves", "click", [shown.papers[1]])


def test_a_button_that_names_an_event_sends_it(world: World, context: BrowserContext) -> None:
    shown = world.show("saves")
    page = open_page(context, shown.url)
    page.locator("li button").nth(1).click()
    world.wait_logged("saves", "save", [shown.papers[1]])
    assert world.wait_logged("saves", "click", []) == []


def test_reading_is_the_time_that_details_are_open_and_on_the_screen(world: World, context: BrowserContext) -> None:
    shown = world.show("reads")
    page = open_page(context, shown.url)
    read(page, 0)
    page.locator("summary").nth(0).click()  # closed again
    page.wait_for_timeout(LONGER_THAN_SEEN)
    read(page, 1)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    [first, second] = world.wait_logged("reads", "read", shown.papers[:2])
    assert [first.paper_id, second.paper_id] == shown.papers[:2]
    assert all(1.4 < (entry.value or 0) < 6 for entry in (first, second))


@pytest.mark.parametrize("runs_handlers", [True, False])
def test_a_tab_closed_mid_read_loses_nothing_that_was_seen(
    world: World, context: BrowserContext, runs_handlers: bool
) -> None:
    reader = f"closes-{runs_handlers}"
    shown = world.show(reader)
    page = open_page(context, shown.url)
    read(page, 0, milliseconds=1_500)
    page.close(run_before_unload=runs_handlers)
    world.wait_logged(reader, "impression", shown.papers[:ON_SCREEN])
    [entry] = world.wait_logged(reader, "read", shown.papers[:1])
    assert (entry.value or 0) > 1


def test_a_script_that_is_included_twice_counts_once(world: World, context: BrowserContext) -> None:
    shown = world.show("twice")
    script = f'<script src="{world.url}/beacon.js" defer></script>'
    world.site.pages["/twice"] += script
    page = open_page(context, shown.url)
    world.wait_logged("twice", "impression", shown.papers[:ON_SCREEN])
    page.evaluate(LEAVE)
    page.wait_for_timeout(1_000)
    world.wait_logged("twice", "impression", shown.papers[:ON_SCREEN])
