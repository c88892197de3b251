"""Every page of the site, at addresses that show something."""

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import orjson
from playwright.sync_api import Browser, StorageState

from tests.browser.site_world import MODERATOR, SiteWorld, visit

# Name and address; what stands in braces is filled in from the papers there are.
PAGES: Final[dict[str, str]] = {
    "today": "/",
    "date": "/papers/date/{day}",
    "week": "/papers/week/{week}",
    "month": "/papers/month/{month}",
    "trending": "/papers/trending",
    "for you": "/for-you",
    "search": "/search?q={word}",
    "empty search": "/search?q=nothing+is+called+qqxzy",
    "paper": "/papers/{paper}",
    "author": "/authors/{author}",
    "organisation": "/organizations/{organization}",
    "category": "/categories/{category}",
    "library": "/library",
    "import": "/library/import",
    "import report": "/library/imports/{report}",
    "pending": "/library/pending",
    "submit": "/submit",
    "welcome": "/welcome",
    "judge": "/welcome/judge",
    "settings": "/settings",
    "interests": "/settings/interests",
    "hidden": "/settings/hidden",
    "digest": "/settings/digest",
    "trending by mail": "/digest",
    "feeds": "/settings/feeds",
    "data": "/settings/data",
    "delete": "/settings/delete",
    "sign in": "/sign-in",
    "moderation": "/moderation",
    "documentation": "/docs",
    "nothing": "/nothing-is-here",
}
OPERATORS: Final[dict[str, str]] = {"mails": "/mails", "for a picked reader": "/?reader={reader}"}
WORD: Final = "graph"  # in the titles of the demonstration
UNKNOWN: Final = "2401.99998"  # an arXiv id that is waited for


def addresses(site: SiteWorld) -> dict[str, str]:
    """Return what fills the braces."""
    [paper] = site.rows(
        "SELECT external_id, authors, categories, daily_at FROM papers"
        " WHERE daily_at IS NOT NULL AND authors <> '[]' ORDER BY daily_at DESC LIMIT 1"
    )
    [(organization,)] = site.rows("SELECT organization FROM papers WHERE organization <> 'null' LIMIT 1") or [("{}",)]
    [(reader,)] = site.rows(
        "SELECT external_id FROM users WHERE external_id NOT LIKE 'anon:%' ORDER BY user_id LIMIT 1"
    )
    [(report,)] = site.rows("SELECT coalesce(max(import_id), 0) FROM library_imports")
    day = datetime.fromtimestamp(paper[3] / 1_000_000, UTC).date()
    year, week, _ = day.isocalendar()
    values = {
        "day": day.isoformat(),
        "week": f"{year}-W{week:02}",
        "month": day.isoformat()[:7],
        "word": WORD,
        "paper": paper[0],
        "author": orjson.loads(paper[1])[0],
        "organization": orjson.loads(organization).get("name", "nobody"),
        "category": orjson.loads(paper[2])[0],
        "reader": reader,
        "report": str(report),
    }
    return {name: quote(value) for name, value in values.items()}


def make_known(site: SiteWorld, browser: Browser) -> StorageState:
    """Return the cookies of a moderator who has used everything, so that no page of theirs is empty."""
    with visit(site, browser) as visitor:
        page = visitor.go("/")
        papers = visitor.cards()
        for kind, paper in (*(("save", paper) for paper in papers[:4]), ("upvote", papers[1]), ("dismiss", papers[-1])):
            if page.locator(f'[data-paper="{paper}"] button[name="{kind}"]').count():
                visitor.press(kind, paper)
        card = visitor.go("/library").locator(".card").first
        card.locator("summary").click()
        card.get_by_label("Tags").fill("to read, methods")
        card.get_by_label("Note").fill("Compare with ours.")
        card.get_by_role("button", name="Keep").click()
        page.get_by_role("status").filter(has_text="Tags and note are kept").wait_for()
        visitor.sign_in(MODERATOR)
        paper = addresses(site)["paper"]
        visitor.go(f"/papers/{paper}")
        page.locator("#new").fill("A **good** paper: $x^2$ is not `x`.")
        page.get_by_role("button", name="Comment", exact=True).click()
        page.get_by_text("Your comment is there.").wait_for()
        visitor.go("/settings/feeds")
        page.get_by_label("Name of the program").fill("My reader")
        page.get_by_role("button", name="Make an address").click()
        page.get_by_role("heading", name="Your new address").wait_for()
        visitor.go("/library/import")
        page.locator("textarea").first.fill(f"{UNKNOWN}\nnot an id at all\n")
        page.get_by_role("button", name=re.compile("^Import")).first.click()
        page.wait_for_url("**/library/imports/*")
        return visitor.context.storage_state()
