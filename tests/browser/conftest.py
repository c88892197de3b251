"""A real Chromium, the running service, and a site of somebody else that shows the service's lists."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.browser.site_world import SiteWorld, run_site
from tests.browser.world import PAPERS, Site, World, find_chromium, serve_site
from tests.e2e.processes import embedded

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP papers.test 127.0.0.1",  # a name under which this machine is not trusted
)
NO_NETWORK = {"PAPERFEED_HUGGINGFACE_URL": "http://127.0.0.1:9", "PAPERFEED_ARXIV_URL": "http://127.0.0.1:9"}


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Return the browser."""
    return find_chromium()


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """Return the browser, started for one module: its event loop must not outlive it into other tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Return a browser profile that has been nowhere."""
    context = browser.new_context(viewport={"width": 1000, "height": 700})
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Return another site."""
    with serve_site() as site:
        yield site


@pytest.fixture(scope="session")
def world(chromium_path: str, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return the running service with papers; pages of the other site may call it."""
    folder: Path = tmp_path_factory.mktemp("browser")
    papers = folder / "papers.jsonl"
    papers.write_bytes(b"\n".join(orjson.dumps(paper) for paper in PAPERS))
    environment = {**NO_NETWORK, "PAPERFEED_CORS_ORIGINS": site.url, "PAPERFEED_RATE_ANONYMOUS": "0"}
    with embedded(folder / "data", "--empty", environment=environment) as installation:
        installation.command("ingest", str(papers))
        yield World(installation, site)


@pytest.fixture(scope="session")
def papers_site(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteWorld]:
    """Return the running service as `make up` starts it without a network: a demonstration and its first model."""
    with run_site(tmp_path_factory.mktemp("site") / "data") as site:
        yield site
