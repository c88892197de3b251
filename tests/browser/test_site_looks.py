"""Every page, on a phone and on a screen, light and dark: accessible, at rest, light, and nobody else is asked."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, StorageState

from tests.browser.site_pages import OPERATORS, PAGES, addresses, make_known
from tests.browser.site_world import DESKTOP, PHONE, SiteWorld, Visitor, overflow, shifts, violations, visit, weight

pytestmark = [pytest.mark.browser, pytest.mark.timeout(700)]

SIZES = {"phone": PHONE, "desktop": DESKTOP}
MOST_SHIFT = 0.02
MOST_BYTES = 60_000  # of what a first page loads, unpacked, without pictures
MOST_FOUND_BYTES = 70_000  # a search shows passages beside its papers, and nobody begins there
NOT_FOUND = "the server responded with a status of 404"  # what the browser itself says about a missing page


@pytest.fixture(scope="module")
def known(papers_site: SiteWorld, browser: Browser) -> StorageState:
    """Return the cookies of somebody whose pages are not empty."""
    return make_known(papers_site, browser)


@pytest.fixture(scope="module")
def filled(papers_site: SiteWorld, known: StorageState) -> dict[str, str]:
    """Return the addresses of all pages."""
    values = addresses(papers_site)
    own = {name: papers_site.own_url + path for name, path in OPERATORS.items()}
    return {name: path.format(**values) for name, path in {**PAGES, **own}.items()}


@pytest.fixture(scope="module", params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")], ids="-".join)
def visitor(
    request: pytest.FixtureRequest, papers_site: SiteWorld, browser: Browser, known: StorageState
) -> Iterator[Visitor]:
    """Return a visitor with a window of this size, in this scheme."""
    size, scheme = request.param
    with visit(papers_site, browser, size=SIZES[size], scheme=scheme, known=known) as visitor:
        yield visitor


@pytest.mark.parametrize("name", [*PAGES, *OPERATORS])
def test_a_page_is_accessible_and_at_rest(visitor: Visitor, filled: dict[str, str], name: str) -> None:
    visitor.seen.complaints.clear()
    path = filled[name]
    answer = visitor.page.goto(path if path.startswith("http") else visitor.world.url + path)
    assert answer is not None
    assert answer.status == (404 if name == "nothing" else 200)
    assert shifts(visitor.page) < MOST_SHIFT
    assert overflow(visitor.page) == 0
    assert violations(visitor.page) == []
    visitor.seen.complaints[:] = [
        text for text in visitor.seen.complaints if name != "nothing" or NOT_FOUND not in text
    ]
    visitor.check_calm()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["today", "for you", "paper", "search", "welcome", "sign in", "trending"])
def test_a_strangers_page_is_accessible_and_light(
    papers_site: SiteWorld, browser: Browser, filled: dict[str, str], size: str, name: str
) -> None:
    with visit(papers_site, browser, size=SIZES[size]) as visitor:
        page = visitor.go(filled[name])
        page.wait_for_load_state("networkidle")
        assert weight(visitor) < (MOST_FOUND_BYTES if name == "search" else MOST_BYTES)
        assert shifts(page) < MOST_SHIFT
        assert violations(page) == []
        visitor.check_calm()


@pytest.mark.parametrize("name", ["today", "paper", "settings", "library"])
def test_a_page_reads_the_same_without_its_script(
    papers_site: SiteWorld, browser: Browser, filled: dict[str, str], known: StorageState, name: str
) -> None:
    with visit(papers_site, browser, size=PHONE, script=False, known=known) as visitor:
        page = visitor.go(filled[name])
        assert page.get_by_role("heading", level=1).count() == 1
        assert page.locator("main").inner_text().strip()
        visitor.check_calm()
