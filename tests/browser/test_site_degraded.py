"""A visit while Redis stands still: pages answer, say so, and keep what is pressed."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.site_pages import PAGES, addresses
from tests.browser.site_world import SiteWorld, violations, visit
from tests.e2e.processes import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(700)]

VISITED = ("today", "for you", "trending", "search", "paper", "library", "settings", "feeds")
AWAY = "The cache is away"


@pytest.fixture
def still(papers_site: SiteWorld) -> Iterator[SiteWorld]:
    """Return the site with both of its Redis servers stopped, not dead: they answer nobody."""
    servers = papers_site.installation.processes("redis-server")
    assert len(servers) == 2
    for server in servers:
        server.suspend()
    yield papers_site
    for server in servers:
        server.resume()


def test_without_redis_pages_answer_and_what_is_saved_is_kept(still: SiteWorld, browser: Browser) -> None:
    with visit(still, browser) as visitor:
        page = visitor.go("/")
        wait_until(lambda: visitor.go("/").get_by_text(AWAY).count() == 1, seconds=60, what="the word that it is away")
        paper = visitor.cards()[0]
        visitor.press("save", paper)
        values = addresses(still)
        for name in VISITED:
            visitor.go(PAGES[name].format(**values))
            assert page.get_by_text(AWAY).count() == 1, name
            assert page.get_by_role("heading", level=1).count() == 1, name
        assert violations(page) == []
        visitor.go("/library")
        assert visitor.cards() == [paper]
        visitor.check_calm()
