"""The main pages as pictures for the README: `make screenshots` writes docs/screenshots/*.png."""

import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS
from tests.browser.site_pages import addresses, make_known
from tests.browser.site_world import DESKTOP, PHONE, SiteWorld, run_site, visit
from tests.browser.world import find_chromium

FOLDER: Final = Path(__file__).parents[1] / "docs" / "screenshots"
MOST_BYTES: Final = 150_000  # of one picture
# Name of the file: the page, the window, light or dark.
SHOTS: Final[dict[str, tuple[str, tuple[int, int], str]]] = {
    "today": ("/", DESKTOP, "light"),
    "today-phone-dark": ("/", PHONE, "dark"),
    "for-you": ("/for-you", DESKTOP, "light"),
    "paper": ("/papers/{paper}", DESKTOP, "dark"),
    "search": ("/search?q={word}", DESKTOP, "light"),
    "library": ("/library", DESKTOP, "light"),
    "welcome-phone": ("/welcome", PHONE, "light"),
    "digest": ("/settings/digest", DESKTOP, "light"),
}


def main() -> int:
    """Start the service, take every picture, say how large each is; 1 when one is too large."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="paperfeed-shots-") as folder, run_site(Path(folder) / "data") as site:
        sizes = take(site)
    lines = [f"{name}.png: {size:,} bytes" for name, size in sizes.items()]
    large = [name for name, size in sizes.items() if size > MOST_BYTES]
    if large:
        lines.append(f"larger than {MOST_BYTES:,} bytes: {', '.join(large)}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if large else 0


def take(site: SiteWorld) -> dict[str, int]:
    """Take the pictures; return the bytes of each."""
    values, sizes = addresses(site), {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        known = make_known(site, browser)
        for name, (path, size, scheme) in SHOTS.items():
            with visit(site, browser, size=size, scheme=scheme, known=known) as visitor:
                sizes[name] = shoot(visitor.go(path.format(**values)), FOLDER / f"{name}.png")
        browser.close()
    return sizes


def shoot(page: Page, path: Path) -> int:
    """Write a picture of what the window shows."""
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    return len(page.screenshot(path=path, scale="css", animations="disabled"))


if __name__ == "__main__":
    sys.exit(main())
