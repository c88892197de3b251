"""What becomes of the beacon's events without a network, a service or room to keep them: none is lost, none doubled."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Route

from tests.browser.world import ON_SCREEN, World, open_page, queue, wait_for_queue, watch

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

EVENTS = "**/v1/events"


def answer_with(status: int, **headers: str) -> Callable[[Route], None]:
    """Return a handler that answers in the place of the service."""

    def answer(route: Route) -> None:
        route.fulfill(status=status, headers={"Access-Control-Allow-Origin": "*", **headers}, body="")

    return answer


def cut_off(route: Route) -> None:
    route.abort()


def test_offline_and_back_again_counts_once_with_the_same_ids(world: World, context: BrowserContext) -> None:
    shown = world.show("offline")
    seen = watch(context)
    page = open_page(context, shown.url)
    context.set_offline(True)
    ids = wait_for_queue(page, ON_SCREEN)
    page.wait_for_timeout(3_000)  # longer than it takes to send
    assert seen.sent_ids() == []
    assert seen.complaints == []
    assert world.logged("offline") == []
    context.set_offline(False)
    logged = world.wait_logged("offline", "impression", shown.papers[:ON_SCREEN])
    assert sorted(entry.event_id for entry in logged) == sorted(ids)
    wait_for_queue(page, 0)


def test_what_waits_in_the_storage_goes_out_after_a_reload_under_its_ids(world: World, context: BrowserContext) -> None:
    shown = world.show("reloads")
    context.route(EVENTS, cut_off)
    page = open_page(context, shown.url)
    ids = wait_for_queue(page, ON_SCREEN)
    page.wait_for_timeout(2_500)  # tried and failed
    assert sorted(queue(page)) == sorted(ids)
    context.unroute(EVENTS)
    world.site.pages["/reloads"] = world.site.pages["/reloads"].replace("data-paper", "data-nothing")
    page.reload()
    logged = world.wait_logged("reloads", "impression", shown.papers[:ON_SCREEN])
    assert sorted(entry.event_id for entry in logged) == sorted(ids)
    wait_for_queue(page, 0)


@pytest.mark.parametrize("status", [503, 429, 500])
def test_a_service_that_cannot_answer_is_left_alone_for_as_long_as_it_asks(
    world: World, context: BrowserContext, status: int
) -> None:
    reader = f"failing-{status}"
    shown = world.show(reader)
    headers = {"Retry-After": "4", "Access-Control-Expose-Headers": "Retry-After"}
    context.route(EVENTS, answer_with(status, **headers))
    seen = watch(context)
    page = open_page(context, shown.url)
    ids = wait_for_queue(page, ON_SCREEN)
    page.wait_for_timeout(5_500)  # the first try came after two seconds
    assert len(seen.bodies()) == 1
    context.unroute(EVENTS)
    wait_for_queue(page, 0)
    logged = world.wait_logged(reader, "impression", shown.papers[:ON_SCREEN])
    assert sorted(entry.event_id for entry in logged) == sorted(ids)
    assert set(seen.sent_ids()) == set(ids)


@pytest.mark.parametrize("status", [400, 401, 413])
def test_what_the_service_refuses_is_given_up(world: World, context: BrowserContext, status: int) -> None:
    shown = world.show(f"refused-{status}")
    context.route(EVENTS, answer_with(status))
    seen = watch(context)
    page = open_page(context, shown.url)
    wait_for_queue(page, ON_SCREEN)
    wait_for_queue(page, 0)
    page.wait_for_timeout(2_500)
    assert len(seen.bodies()) == 1


def test_an_event_that_is_rejected_by_itself_is_not_sent_again(world: World, context: BrowserContext) -> None:
    shown = world.show("foreign")
    world.site.pages["/foreign"] = world.site.pages["/foreign"].replace(shown.papers[0], "no-such-paper")
    seen = watch(context)
    page = open_page(context, shown.url)
    world.wait_logged("foreign", "impression", shown.papers[1:ON_SCREEN])
    wait_for_queue(page, 0)
    assert len(seen.sent_ids()) == ON_SCREEN


@pytest.mark.parametrize(
    "storage",
    [
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})",
        "Object.defineProperty(window, 'localStorage', {value: null})",
        "let text = 'x'.repeat(2 ** 20); for (let at = 0; text; at++) {"
        "try { localStorage['full' + at] = text } catch { text = text.slice(text.length / 2 + 1) } }",
    ],
    ids=["blocked", "none", "full"],
)
def test_without_room_in_the_storage_events_are_sent_all_the_same(
    world: World, context: BrowserContext, storage: str, request: pytest.FixtureRequest
) -> None:
    reader = f"storage-{request.node.callspec.id}"
    shown = world.show(reader)
    context.add_init_script(storage)
    seen = watch(context)
    context.route(EVENTS, answer_with(503))
    page = open_page(context, shown.url)
    page.wait_for_timeout(4_000)
    context.unroute(EVENTS)
    world.wait_logged(reader, "impression", shown.papers[:ON_SCREEN], seconds=30)
    page.locator("li a").nth(0).click()
    page.wait_for_url("**/away")
    world.wait_logged(reader, "click", shown.papers[:1])
    assert [text for text in seen.complaints if "503" not in text] == []


def test_two_tabs_share_a_queue_and_lose_or_double_nothing(world: World, context: BrowserContext) -> None:
    first, second = world.show("two-tabs", path="/tab-1"), world.show("two-tabs", path="/tab-2")
    context.route(EVENTS, cut_off)
    pages = [open_page(context, first.url), open_page(context, second.url)]
    ids = wait_for_queue(pages[0], 2 * ON_SCREEN)
    assert sorted(queue(pages[1])) == sorted(ids)
    context.unroute(EVENTS)
    logged = world.wait_logged("two-tabs", "impression", 2 * first.papers[:ON_SCREEN], seconds=40)
    assert sorted(entry.event_id for entry in logged) == sorted(ids)
    assert len({entry.slate_id for entry in logged}) == 2
    for page in pages:
        wait_for_queue(page, 0)


def test_a_long_time_offline_keeps_the_last_thousand(world: World, context: BrowserContext) -> None:
    shown = world.show("long")
    page = open_page(context, shown.url)
    world.wait_logged("long", "impression", shown.papers[:ON_SCREEN])
    wait_for_queue(page, 0)
    context.set_offline(True)
    fill: Any = """slate => {
        for (let at = 0; at < 1000; at++) {
            localStorage["paperfeed." + (1e12 + at) + crypto.randomUUID()] = slate + " {}";
        }
    }"""
    page.evaluate(fill, shown.slate)
    page.locator("li button").nth(0).click()
    wait_for_queue(page, 1000)
    assert page.evaluate("Object.keys(localStorage).some(key => key.startsWith('paperfeed.1000000000000'))") is False


def test_a_long_queue_leaves_in_batches_that_a_browser_may_send_while_closing(
    world: World, context: BrowserContext
) -> None:
    shown = world.show("many")
    ids = [str(uuid.uuid4()) for _ in range(120)]
    page = open_page(context, shown.url)
    world.wait_logged("many", "impression", shown.papers[:ON_SCREEN])
    wait_for_queue(page, 0)
    seen = watch(context)
    fill = """([slate, paper_id, ids]) => ids.forEach((id, at) => {
        const event = {id, kind: "save", paper_id, occurred_at: new Date()};
        localStorage["paperfeed." + (Date.now() + at) + id] = slate + " " + JSON.stringify(event);
    })"""
    page.evaluate(fill, [shown.slate, shown.papers[0], ids])
    page.evaluate("() => { window.dispatchEvent(new Event('pagehide')) }")  # a tab that really closes shows no requests
    logged = world.wait_logged("many", "save", [shown.papers[0]] * len(ids))
    assert sorted(entry.event_id for entry in logged) == sorted(ids)
    assert [len(body["events"]) for body in seen.bodies()] == [50, 50, 20]
    assert max(len(request.post_data or "") for request in seen.requests) < 16_384
