"""A library goes into a file and comes back from it, whole, for somebody else."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.site_world import PHONE, SiteWorld, Visitor, visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(700)]

FORMATS = ("bib", "ris", "csl.json", "json")
TAG, NOTE = "to read", "Compare with ours: 5 % & more"
UNKNOWN = "2401.99999"


def shelf(visitor: Visitor) -> set[str]:
    """Return what a visitor has saved."""
    visitor.go("/library")
    return set(visitor.cards())


def export(visitor: Visitor, folder: Path, ending: str) -> Path:
    """Download a library as its page offers it."""
    page = visitor.go("/library")
    with page.expect_download() as download:
        page.locator(f'a[href$="/library/export.{ending}"]').click()
    path = folder / f"library.{ending}"
    download.value.save_as(path)
    return path


@pytest.mark.parametrize("ending", FORMATS)
def test_what_is_exported_is_imported_by_another_reader(
    papers_site: SiteWorld, browser: Browser, tmp_path: Path, ending: str
) -> None:
    with visit(papers_site, browser) as giver, visit(papers_site, browser, size=PHONE) as taker:
        page = giver.go("/papers/trending")
        for paper in giver.cards()[:3]:
            giver.press("save", paper)
        card = giver.go("/library").locator(".card").first
        card.locator("summary", has_text="Add tags or a note").click()
        card.get_by_label("Tags").fill(TAG)
        card.get_by_label("Note").fill(NOTE)
        card.get_by_role("button", name="Keep").click()
        page.get_by_role("status").filter(has_text="Tags and note are kept").wait_for()
        path = export(giver, tmp_path, ending)
        import_file(taker, path)
        assert shelf(taker) == shelf(giver)
        assert len(shelf(taker)) == 3
        assert taker.page.get_by_text(NOTE).count() >= 1
        assert taker.page.locator(".tag", has_text=TAG).count() >= 1
        assert export(taker, tmp_path, ending).read_bytes()
        giver.check_calm()
        taker.check_calm()


def test_what_is_not_here_is_waited_for_and_seen(papers_site: SiteWorld, browser: Browser) -> None:
    with visit(papers_site, browser) as visitor:
        page = visitor.go("/library/import")
        page.locator("textarea").first.fill(f"{UNKNOWN}\nnot an id at all\n")
        page.get_by_role("button", name=re.compile("^Import")).first.click()
        page.wait_for_url("**/library/imports/*")
        text = page.locator("main").inner_text()
        assert "Not imported" in text
        visitor.go("/library/pending")
        assert UNKNOWN in page.locator("main").inner_text()
        visitor.check_calm()


def import_file(visitor: Visitor, path: Path) -> None:
    """Import a file."""
    page = visitor.go("/library/import")
    page.locator('input[type="file"]').set_input_files(path)
    page.get_by_role("button", name=re.compile("^Import")).first.click()
    page.wait_for_url("**/library/imports/*")
