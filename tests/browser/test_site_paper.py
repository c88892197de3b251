"""A paper's page in a real browser: clicks from mails, hostile papers and comments, mathematics, narrow windows."""

from pathlib import Path
from urllib.parse import quote

import orjson
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.site_world import DESKTOP, PHONE, overflow, violations
from tests.browser.world import PAPERS, World, watch
from tests.e2e.journeys import event, send

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ATTACK = '<script>document.title="taken"</script><img src=x onerror=\'document.title="taken"\'>'
HOSTILE = {
    "id": "2402.99999",
    "title": f"On $\\mathcal{{O}}(n^2)$ {ATTACK} and averyveryverylongwordthatnobodyeverwroteinanytitlebefore" * 2,
    "summary": (
        f"{ATTACK} We show $$\\sum_{{i=1}}^{{n}} \\frac{{x_i^2 + y_i^2 + z_i^2}}{{\\sqrt{{1 + \\lambda_i}}}} "
        "= a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7 + a_8 + a_9 + a_{10} + a_{11} + a_{12} + a_{13}$$ "
        "for $\\text{<script>x</script>}$ and $\\href{javascript:alert(1)}{x}$."
    ),
    "authors": [ATTACK, *(f"Author {number}" for number in range(60))],
    "categories": ["cs.IR"],
    "keywords": [ATTACK],
    "github_repo": "https://github.com/example/code",
    "published_at": "2024-02-01T00:00:00Z",
}
COMMENT = f"# Not a heading\n\n{ATTACK}\n\n[x](javascript:alert(1)) with $a_1^2$ and `{'code ' * 40}`\n\n> quoted"


@pytest.fixture(scope="module")
def hostile(world: World, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a paper whose every word means harm."""
    path: Path = tmp_path_factory.mktemp("hostile") / "papers.jsonl"
    path.write_bytes(orjson.dumps(HOSTILE))
    world.installation.command("ingest", str(path))
    return f"{world.url}/papers/{HOSTILE['id']}"


def comment(page: Page, text: str, *, label: str = "Your comment", press: str = "Comment") -> None:
    """Write a comment as a person does."""
    page.get_by_label(label, exact=True).first.fill(text)
    page.get_by_role("button", name=press, exact=True).first.click()


def test_a_click_from_a_mail_is_counted_once_a_person_opens_it(world: World, context: BrowserContext) -> None:
    reader = "mail-reader"
    send(world.installation, reader, event("save", PAPERS[0]["id"]))
    feed = world.installation.get("/v1/feed", reader=reader, limit=10)
    paper = feed["items"][2]["paper"]["id"]
    link = f"{world.url}/papers/{paper}?slate={quote(feed['slate'])}&position=3"
    for _ in range(2):  # as a program that looks behind every link of a mail
        assert context.request.get(link).ok
    seen = watch(context)
    page = context.new_page()
    page.goto(link)
    [click] = world.wait_logged(reader, "click", [paper])
    assert click.position == 3
    page.wait_for_timeout(1_200)
    page.goto("about:blank")
    [read] = world.wait_logged(reader, "read", [paper])
    assert read.value is not None
    assert read.value > 1
    assert world.wait_logged(reader, "impression", []) == []
    assert seen.complaints == []


def test_a_page_asked_for_by_itself_reports_no_click(world: World, context: BrowserContext) -> None:
    reader = "passer-by"
    send(world.installation, reader, event("save", PAPERS[0]["id"]))
    page = context.new_page()
    page.goto(f"{world.url}/papers/{PAPERS[5]['id']}?reader={reader}")
    page.wait_for_timeout(1_500)
    page.goto("about:blank")
    world.wait_logged(reader, "read", [PAPERS[5]["id"]])
    assert [entry.kind for entry in world.logged(reader)] == ["read"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_runs_and_everything_is_in_the_window(
    world: World, browser: Browser, hostile: str, size: tuple[int, int], scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    seen = watch(context)
    page = context.new_page()
    page.goto(f"{hostile}?reader=critic-{scheme}-{size[0]}")
    comment(page, COMMENT)
    page.get_by_text("Your comment is there.").first.wait_for()
    page.get_by_text("Reply", exact=True).first.click()
    comment(page, f"reply {ATTACK}", label="Your reply", press="Reply")
    page.get_by_text("reply <script>").first.wait_for()
    assert page.title().endswith("· Paperfeed")
    assert page.locator("main script, main img").count() == 0
    assert page.locator("math").count() >= 5
    for summary in page.locator("main details > summary").all():
        summary.click()
    assert overflow(page) == 0
    assert violations(page) == []
    assert seen.complaints == []
    assert seen.hosts() == {world.url.split("/")[2]}
    page.get_by_role("button", name="Hide", exact=True).first.click()
    page.get_by_text("hidden by a moderator").first.wait_for()
    page.goto(f"{world.url}/moderation?view=hidden")
    assert page.get_by_text("hidden by").count() >= 1
    assert overflow(page) == 0
    assert violations(page) == []
    page.goto(f"{world.url}/submit?reader=critic")
    page.get_by_label("arXiv ids or addresses").fill(f"2402.99999 and {ATTACK}")
    page.get_by_role("button", name="Submit", exact=True).click()
    page.get_by_role("alert").wait_for()
    assert violations(page) == []
    assert page.title().endswith("· Paperfeed")
    context.close()
