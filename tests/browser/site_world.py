"""The site as its readers meet it: a running `paperfeed up`, browsers that visit it, and the mails it sends."""

import email
import email.policy
import importlib.metadata
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, Page, Response, StorageState

from tests.browser.world import Watch, watch
from tests.e2e.processes import Installation, embedded, wait_until

# The service's own name for this machine makes whoever sits at it its operator; under this one they are a visitor.
# Chromium takes it for as safe as https, so that nothing is said about headers that only count there.
HOST: Final = "papers.localhost"
PHONE: Final = (360, 740)
DESKTOP: Final = (1280, 800)
NO_NETWORK: Final = {"PAPERFEED_HUGGINGFACE_URL": "http://127.0.0.1:9", "PAPERFEED_ARXIV_URL": "http://127.0.0.1:9"}
QUICK: Final = {**NO_NETWORK, "PAPERFEED_RATE_ANONYMOUS": "0", "PAPERFEED_FIRST_START_SECONDS": "1"}
AXE_FILE: Final = "axe_playwright_python/axe.min.js"
MODEL_SECONDS: Final = 400.0
MODERATOR: Final = "moderator@papers.test"
AXE: Final = Path(str(importlib.metadata.distribution("axe-playwright-python").locate_file(AXE_FILE)))
RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
SHIFTS: Final = """() => new Promise(done => {
    let sum = 0;
    new PerformanceObserver(list => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
    }).observe({type: "layout-shift", buffered: true});
    setTimeout(() => done(sum), 300);
})"""


@dataclass(frozen=True, slots=True)
class SiteWorld:
    """A running service with a demonstration, a model, and mails that go to a folder."""

    installation: Installation

    @property
    def url(self) -> str:
        """Where visitors find it."""
        return f"http://{HOST}:{self.installation.port}"

    @property
    def own_url(self) -> str:
        """Where its operator finds it, at the same machine."""
        return f"http://127.0.0.1:{self.installation.port}"

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what the database says."""
        path = self.installation.data_dir / "paperfeed.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()

    def mails(self, recipient: str) -> list[EmailMessage]:
        """Return the mails to an address, oldest first."""
        folder = self.installation.data_dir / "mails"
        files = sorted(folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        found = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in files]
        return [mail for mail in found if recipient in str(mail["To"])]

    def wait_for_mail(self, recipient: str, *, count: int = 1, seconds: float = 60) -> EmailMessage:
        """Wait until so many mails have come to an address; return the last one."""
        wait_until(lambda: len(self.mails(recipient)) >= count, seconds=seconds, what=f"mail {count} to {recipient}")
        return self.mails(recipient)[-1]

    def link_in(self, mail: EmailMessage, path: str) -> str:
        """Return the first address in a mail that begins with this path, under the name visitors use."""
        body = mail.get_body(("plain",))
        assert body is not None
        found = re.search(rf"https?://[^/\s]+({re.escape(path)}[^\s>)]*)", body.get_content())
        assert found, body.get_content()
        return self.url + found[1]


@dataclass(slots=True)
class Visitor:
    """One browser profile, with what it asked for and complained about."""

    world: SiteWorld
    context: BrowserContext
    page: Page
    seen: Watch
    answers: list[Response] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a page of the site; it must answer."""
        answer = self.page.goto(path if path.startswith("http") else self.world.url + path)
        assert answer is not None
        assert answer.status < 400, f"{path}: {answer.status}"
        return self.page

    def cards(self) -> list[str]:
        """Return the papers of the page's lists, in their order."""
        found: list[str] = self.page.eval_on_selector_all(".card[data-paper]", "all => all.map(it => it.dataset.paper)")
        return found

    def press(self, kind: str, paper: str) -> None:
        """Press a button of a paper and wait until the service has taken it."""
        with self.page.expect_response("**/act"):
            self.page.locator(f'[data-paper="{paper}"] button[name="{kind}"]').click()

    def sign_in(self, mail: str) -> None:
        """Sign in by a link that comes by mail, as people do."""
        before = len(self.world.mails(mail))
        page = self.go("/sign-in")
        page.get_by_label("Your mail address").fill(mail)
        page.get_by_role("button", name="Mail me a link").click()
        link = self.world.link_in(self.world.wait_for_mail(mail, count=before + 1), "/sign-in/")
        self.go(link).get_by_role("main").get_by_role("button", name="Sign in").click()
        page.get_by_role("status").filter(has_text="You are signed in").wait_for()

    def told(self) -> str:
        """Return what the page says has happened."""
        return " ".join(self.page.locator("[role=status]").all_inner_texts())

    def check_calm(self) -> None:
        """Nothing was complained about, and nobody else was asked for anything."""
        assert self.seen.complaints == []
        assert self.seen.hosts() <= {self.world.url.split("/")[2], self.world.own_url.split("/")[2]}


@contextmanager
def run_site(folder: Path, *, environment: dict[str, str] | None = None) -> Iterator[SiteWorld]:
    """Run the service on a folder, with the demonstration and its first model."""
    moderators = {"PAPERFEED_MODERATORS": MODERATOR}
    with embedded(folder, environment={**QUICK, **moderators, **(environment or {})}) as installation:
        world = SiteWorld(installation)
        wait_until(lambda: has_model(installation), seconds=MODEL_SECONDS, what="the first model", every=0.5)
        yield world


def has_model(installation: Installation) -> bool:
    """True when lists can be personal."""
    return bool(installation.http.get("/readyz").json()["checks"]["model"]["state"] == "ok")


@contextmanager
def visit(
    world: SiteWorld,
    browser: Browser,
    *,
    size: tuple[int, int] = DESKTOP,
    scheme: str = "light",
    script: bool = True,
    known: StorageState | None = None,
) -> Iterator[Visitor]:
    """Open a browser profile that has been nowhere, or one with the cookies of another."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=script,
        reduced_motion="reduce",
        accept_downloads=True,
        storage_state=known,
    )
    context.set_default_timeout(20_000)
    visitor = Visitor(world, context, context.new_page(), watch(context))

    def note(answer: Response) -> None:
        visitor.answers.append(answer)

    context.on("response", note)
    yield visitor
    context.close()


def violations(page: Page, *, rules: tuple[str, ...] = RULES) -> list[str]:
    """Return what axe has against a page."""
    page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')} }}")
    page.wait_for_function("document.readyState === 'complete'")
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", list(rules))
    return [
        f"{page.url}: {violation['id']}: {node['target']} {node['html'][:150]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def shifts(page: Page) -> float:
    """Return by how much the page moved while it was loaded, as browsers sum it up."""
    return float(page.evaluate(SHIFTS))


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def weight(visitor: Visitor) -> int:
    """Return the bytes of everything but pictures that a page has loaded."""
    loaded = [answer for answer in visitor.answers if answer.request.resource_type not in {"image", "ping"}]
    return sum(len(answer.body()) for answer in loaded if answer.request.method == "GET" and answer.status == 200)
