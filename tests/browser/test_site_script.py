"""The script of the pages in a real browser: presses that answer at once, that fail, wait and are taken back; keys."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.site_world import violations
from tests.browser.world import World, queue, wait_for_queue, watch
from tests.e2e.processes import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def page(world: World, context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Return the first page of a reader who is new, ready to be pressed; nothing may be complained about."""
    seen = watch(context)
    page = context.new_page()
    page.goto(f"{world.url}/?reader={reader_of(request)}")
    page.wait_for_function("window.paperfeed")
    yield page
    offline = ("Failed to load resource", "net::")  # what the browser itself says of answers that failed on purpose
    assert [text for text in seen.complaints if not any(words in text for words in offline)] == []


def reader_of(request: pytest.FixtureRequest) -> str:
    """Return the reader of a test."""
    return str(request.node.name).removeprefix("test_")[:60]


def kinds(world: World, request: pytest.FixtureRequest) -> list[str]:
    """Return what the reader of a test did, but for what they only saw."""
    return [entry.kind for entry in world.all_logged(reader_of(request)) if entry.kind != "impression"]


def wait_kinds(world: World, request: pytest.FixtureRequest, *expected: str) -> None:
    """Wait until exactly this was done."""
    try:
        wait_until(lambda: kinds(world, request) == list(expected), seconds=20, what="what was pressed")
    except TimeoutError as error:
        raise AssertionError(f"{kinds(world, request)}, expected {expected}") from error


def focused(page: Page) -> str | None:
    """Return the paper that has the focus."""
    found: str | None = page.evaluate("document.activeElement.closest('[data-paper]')?.dataset.paper ?? null")
    return found


def papers(page: Page) -> list[str]:
    """Return the papers of a page."""
    found: list[str] = page.eval_on_selector_all("[data-paper]", "all => all.map(card => card.dataset.paper)")
    return found


def test_a_press_answers_before_the_service_does(world: World, page: Page, request: pytest.FixtureRequest) -> None:
    held: list[Route] = []
    page.route("**/act", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks what it is given
    card = page.locator(".card").nth(1)
    address = page.url
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_role("button", name="Saved")).to_have_class("save on")
    expect(page.locator("#live")).to_have_text("Saved.")
    expect(page.locator("#undo")).to_be_visible()
    assert page.url == address
    assert kinds(world, request) == []
    wait_until(lambda: len(held) == 1, seconds=10, what="the press")
    held[0].continue_()
    wait_kinds(world, request, "save")


def test_presses_on_one_paper_arrive_in_their_order(world: World, page: Page, request: pytest.FixtureRequest) -> None:
    card = page.locator(".card").first
    card.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Undo").click()
    card.get_by_role("button", name="Upvote").click()
    expect(card.locator(".vote span")).to_have_text("1")
    expect(card.locator(".vote")).to_have_attribute("aria-label", "Take back your vote, 1 so far")
    wait_kinds(world, request, "save", "unsave", "upvote")
    page.reload()
    expect(card.locator(".vote span")).to_have_text("1")
    expect(card.get_by_role("button", name="Save", exact=True)).to_be_visible()


def test_a_dismissed_paper_is_folded_and_comes_back(world: World, page: Page, request: pytest.FixtureRequest) -> None:
    card = page.locator(".card").first
    card.get_by_role("button", name="Not interested").click()
    expect(card.locator(".meta")).to_be_hidden()
    expect(card.get_by_role("button", name="Show again")).to_be_focused()
    page.get_by_role("button", name="Undo").click()
    expect(card.locator(".meta")).to_be_visible()
    wait_kinds(world, request, "dismiss", "undismiss")


@pytest.mark.parametrize("status", [403, 422, 500, 503])
def test_a_press_that_fails_is_taken_back_and_told(
    world: World, page: Page, request: pytest.FixtureRequest, status: int
) -> None:
    body = '{"detail": "the database cannot be written just now"}' if status == 503 else "<html>"
    page.route("**/act", lambda route: route.fulfill(status=status, body=body))
    card = page.locator(".card").first
    card.get_by_role("button", name="Save").click()
    words = "the database cannot be written just now" if status == 503 else "the service did not take it"
    expect(page.locator("#live")).to_have_text(f"Nothing was changed: {words}.")
    expect(card.get_by_role("button", name="Save", exact=True)).to_have_class("save")
    expect(page.get_by_role("button", name="Undo")).to_be_hidden()
    assert kinds(world, request) == []


def test_a_visitor_without_a_network_is_told_and_the_press_is_sent_later(world: World, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"http://papers.test:{world.installation.port}/")
    page.wait_for_function("window.paperfeed")
    page.wait_for_timeout(1_200)  # what is in sight counts as seen
    wait_for_queue(page, 0)
    known = {entry.event_id for entry in world.all_logged("anon:%")}
    context.set_offline(True)
    page.locator(".card").first.get_by_role("button", name="Save").click()
    expect(page.locator("#live")).to_have_text("You are offline: this is sent when you are back.")
    assert len(queue(page)) == 1
    context.set_offline(False)
    wait_for_queue(page, 0, seconds=30)

    def saved() -> list[str]:
        entries = [entry for entry in world.all_logged("anon:%") if entry.event_id not in known]
        return [entry.kind for entry in entries if entry.kind == "save"]

    wait_until(lambda: saved() == ["save"], seconds=20, what="the press")


def test_keys_move_and_act_on_the_paper_in_focus(world: World, page: Page, request: pytest.FixtureRequest) -> None:
    first, second, third, *_ = papers(page)
    for key, paper in (("j", first), ("j", second), ("j", third), ("k", second)):
        page.keyboard.press(key)
        assert focused(page) == paper, key
    card = page.locator(f'[data-paper="{second}"]')
    page.keyboard.press("s")
    expect(card.get_by_role("button", name="Saved")).to_be_visible()
    page.keyboard.press("u")
    expect(card.locator(".vote")).to_have_class("vote on")
    page.keyboard.press("x")
    expect(card).to_have_class("card gone")
    page.keyboard.press("z")
    expect(card).to_have_class("card")
    wait_kinds(world, request, "save", "upvote", "dismiss", "undismiss")
    assert {entry.paper_id for entry in world.all_logged(reader_of(request)) if entry.kind != "impression"} == {second}


def test_keys_end_at_the_ends_of_the_list(page: Page) -> None:
    first, *_, last = papers(page)
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert focused(page) == first
    for _ in range(len(papers(page)) + 3):
        page.keyboard.press("j")
    assert focused(page) == last
    expect(page.locator(f'[data-paper="{last}"] h3 a')).to_be_in_viewport(ratio=1)


def test_a_key_without_a_paper_in_focus_does_nothing(world: World, page: Page, request: pytest.FixtureRequest) -> None:
    page.keyboard.press("s")
    expect(page.locator("#live")).to_have_text("Choose a paper first: j goes to the next one.")
    assert kinds(world, request) == []


def test_keys_typed_into_a_field_or_with_others_are_left_alone(
    world: World, page: Page, request: pytest.FixtureRequest
) -> None:
    page.keyboard.press("j")
    page.keyboard.press("Control+s")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("sxuj?/")
    expect(page.locator("#q")).to_have_value("sxuj?/")
    expect(page.locator("#keys")).to_be_hidden()
    assert kinds(world, request) == []


def test_the_help_opens_closes_and_switches_the_keys_off(world: World, page: Page) -> None:
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()
    assert violations(page) == []
    page.get_by_label("These keys work in this browser").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.reload()
    page.wait_for_function("window.paperfeed")
    page.keyboard.press("j")
    assert focused(page) is None
    page.get_by_role("button", name="Keyboard").click()
    expect(dialog).to_be_visible()
    page.get_by_label("These keys work in this browser").check()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("j")
    assert focused(page) in papers(page)  # the first in the window, which the press has moved


def test_the_page_of_a_paper_has_the_same_keys(world: World, page: Page, request: pytest.FixtureRequest) -> None:
    page.locator(".card h3 a").first.click()
    page.wait_for_function("window.paperfeed")
    page.keyboard.press("s")
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    wait_until(lambda: "save" in kinds(world, request), seconds=20, what="the press")


def test_storage_that_is_forbidden_stops_nothing(world: World, context: BrowserContext) -> None:
    context.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})")
    seen = watch(context)
    page = context.new_page()
    page.goto(f"{world.url}/?reader=no-storage")
    page.keyboard.press("j")
    page.keyboard.press("s")
    expect(page.locator("#live")).to_have_text("Saved.")
    page.keyboard.press("?")
    page.get_by_label("These keys work in this browser").uncheck()
    assert seen.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_a_press_shows_is_accessible(world: World, context: BrowserContext, scheme: str) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{world.url}/?reader=axe-{scheme}")
    for name in ("Save", "Not interested"):
        page.locator(".card").first.get_by_role("button", name=name, exact=True).click()
    expect(page.locator("#undo")).to_be_visible()
    assert violations(page) == []
