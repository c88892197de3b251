"""Without a network a page keeps what its reader does, and sends it when the network is back."""

import pytest
from playwright.sync_api import Browser, Route

from recommender.domain import EventKind
from tests.browser.site_world import SiteWorld, visit
from tests.browser.world import queue, wait_for_queue
from tests.e2e.processes import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(700)]


def test_what_is_saved_offline_arrives_when_the_network_is_back(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser) as visitor:
        page = visitor.go("/papers/trending")
        paper = visitor.cards()[0]
        wait_for_queue(page, 0)
        visitor.context.set_offline(True)
        page.locator(f'[data-paper="{paper}"] button.save').click()
        page.get_by_text("You are offline").first.wait_for()
        assert page.locator(f'[data-paper="{paper}"] button.save').inner_text() == "Saved"
        assert queue(page)
        visitor.context.set_offline(False)
        wait_for_queue(page, 0)
        visitor.go("/library")
        assert paper in visitor.cards()
        visitor.go("/papers/trending")
        assert page.locator(f'[data-paper="{paper}"] button.save').inner_text() == "Saved"


def test_a_button_whose_press_the_service_refuses_goes_back(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser) as visitor:
        page = visitor.go("/papers/trending")
        paper = visitor.cards()[0]
        page.route("**/act", lambda route: route.fulfill(status=503, json={"detail": "the database cannot be written"}))
        button = page.locator(f'[data-paper="{paper}"] button.save')
        button.click()
        page.get_by_text("Nothing was changed: the database cannot be written").first.wait_for()
        assert button.inner_text() == "Save"


def test_an_undo_is_sent_though_the_page_is_left_before_the_answer(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser) as visitor:
        page = visitor.go("/papers/trending")
        paper = visitor.cards()[0]
        [(before,)] = papers_site.rows("SELECT coalesce(max(event_pk), 0) FROM events")
        held: list[Route] = []

        def hold_the_first(route: Route) -> None:
            held.append(route)
            if len(held) > 1:
                route.continue_()

        page.route("**/act", hold_the_first)
        with page.expect_request("**/act"):
            page.locator(f'[data-paper="{paper}"] button.save').click()
        page.locator("#undo").get_by_role("button", name="Undo").click()
        assert len(held) == 1  # one waits for the other
        visitor.go("/settings")
        query = (
            "SELECT e.kind FROM events e JOIN papers p USING (paper_id)"
            " WHERE e.event_pk > ? AND p.external_id = ? AND e.kind IN (2, 3) ORDER BY e.event_pk"
        )

        def is_undone() -> bool:
            page.wait_for_timeout(100)  # the held route is looked after meanwhile
            return (EventKind.UNSAVE,) in papers_site.rows(query, before, paper)

        wait_until(is_undone, seconds=20, what="the undo")
