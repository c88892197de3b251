"""What all pages have in common: what they load, how they are built, and that words of others stay words."""

import gzip
import re
from html.parser import HTMLParser
from typing import Final

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.error_pages import NAVIGATION
from api.routes.rendering import WEB, static_file
from api.routes.visitors import COOKIE
from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import Paper
from tests.api.routes.conftest import make_paper
from tests.api.routes.site.conftest import press
from tests.api.routes.site.pages import HTML

PAGES = ("/", "/?reader=u1", "/for-you", "/for-you?reader=u1", "/papers/trending", "/papers/p1000", "/docs", "/nowhere")
MOST_PAGE_BYTES: Final = 60_000  # with style and scripts, without pictures
MOST_SCRIPT_BYTES: Final = 4_000  # packed
MOST_STYLE_BYTES: Final = 6_000


class Parts(HTMLParser):
    """Everything that a page makes a browser load or run, its ids, its forms, and whether it is well nested."""

    VOID = frozenset({"meta", "link", "input", "br", "option", "img", "hr", "wbr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.headings: list[int] = []
        self.posts: list[set[str]] = []  # the fields of each form that is posted
        self.nameless: list[str] = []  # fields without a label
        self.labels: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._note_loads(tag, values)
        if "id" in values:
            self.ids.append(values["id"])
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "form" and values.get("method") == "post":
            self.posts.append(set())
        if tag == "label":
            self.labels.add(values.get("for", ""))
        if tag in {"input", "textarea", "select"}:
            self._note_field(values)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count an element of MathML that closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert tag in self.VOID or self.open.pop() == tag

    def _note_loads(self, tag: str, values: dict[str, str]) -> None:
        if tag in {"script", "img"}:
            self.loads.append(values.get("src", tag))
        if tag == "link" and values["rel"] != "alternate":
            self.loads.append(values["href"])
        is_inline = tag in {"style", "iframe"} or "style" in values or (tag == "script" and "src" not in values)
        if is_inline or any(name.startswith("on") for name in values):
            self.inline.append(tag)

    def _note_field(self, values: dict[str, str]) -> None:
        if "form" in self.open and self.posts:
            self.posts[-1].add(values.get("name", ""))
        is_named = values.get("type") == "hidden" or "aria-label" in values or "label" in self.open
        if not is_named:
            self.nameless.append(values.get("id", ""))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_well_built_and_loads_nothing_from_elsewhere(
    local: TestClient, runtime_of_local: Runtime, path: str
) -> None:
    answer = local.get(path)
    parts = Parts(answer.text)
    assert parts.open == []
    assert parts.inline == []
    assert {link for link in parts.loads if not link.startswith("/")} == set()
    assert {local.get(link).status_code for link in parts.loads} == {200}
    assert len(parts.ids) == len(set(parts.ids))
    assert parts.headings.count(1) == 1
    assert all("csrf" in fields for fields in parts.posts)
    assert set(parts.nameless) <= parts.labels
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self';")
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/", "/for-you", "/for-you?reader=u1"])
def test_a_first_page_is_light(local: TestClient, runtime_of_local: Runtime, path: str) -> None:
    page = local.get(path).text
    assert page.count("data-paper") >= 10
    loaded = [link for link in Parts(page).loads if not link.endswith((".png", ".svg", ".webmanifest"))]
    assert len(loaded) == 3  # one style, two scripts
    weight = len(page.encode()) + sum(len(local.get(link).content) for link in loaded)
    assert weight <= MOST_PAGE_BYTES


def test_script_and_style_are_small() -> None:
    assert len(gzip.compress(static_file("site.js"))) <= MOST_SCRIPT_BYTES
    assert len(gzip.compress(static_file("paperfeed.css"))) <= MOST_STYLE_BYTES


def test_a_file_is_kept_for_ever_under_its_fingerprint_only(client: TestClient) -> None:
    [named] = [link for link in Parts(client.get("/", headers=HTML).text).loads if link.startswith("/static/site.js")]
    assert "immutable" in client.get(named).headers["cache-control"]
    for other in ("/static/site.js", "/static/site.js?v=0000000000000000"):
        assert "immutable" not in client.get(other).headers["cache-control"]
    assert client.get("/static/nothing.css").status_code == 404
    assert client.get("/static/..%2ftemplates%2fsite%2fbase.html").status_code == 404


def test_every_class_of_a_page_is_in_the_style() -> None:
    css = static_file("paperfeed.css").decode()
    known = set(re.findall(r"\.([a-z][a-z-]*)", css))
    hooks = {"comments", "words", "writing", "settings", "paper", "own", "about", "by"}  # for scripts and tests
    used = set()
    for path in (WEB / "templates" / "site").glob("*.html"):
        for value in re.findall(r'class="([^"]*)"', path.read_text()):
            used |= {f"{name} {path.name}" for name in re.sub(r"\{[{%].*?[}%]\}", " ", value).split()}
    unknown = {name for name in used if name.split()[0] not in known | hooks}
    assert unknown == set()


def test_the_navigation_marks_where_one_is(local: TestClient, runtime_of_local: Runtime) -> None:
    for words, path in NAVIGATION[:3]:
        page = local.get(path).text
        assert re.findall(r'<a href="([^"]+)" aria-current="page">([^<]+)</a>', page) == [(path, words)]


def test_links_of_the_frame_keep_the_picked_reader(local: TestClient, runtime_of_local: Runtime) -> None:
    page = local.get("/?reader=u1").text
    for _, path in NAVIGATION:
        assert f'href="{path}?reader=u1"' in page
    assert '<input type="hidden" name="reader" value="u1">' in page
    assert re.search(r'href="/papers/p\d+\?reader=u1"', page)


def test_a_newcomer_is_led_to_the_first_questions_and_nobody_else(local: TestClient, runtime_of_local: Runtime) -> None:
    question = 'New here? <a href="/welcome">'
    assert question in local.get("/").text
    assert question in local.get("/").text  # now with a cookie, and still without a word
    assert question not in local.get("/?reader=u1").text
    press(local, "save", "p1000")
    assert question not in local.get("/").text


@pytest.mark.parametrize("path", PAGES)
def test_every_page_leads_to_trending_papers_by_mail(local: TestClient, runtime_of_local: Runtime, path: str) -> None:
    foot = local.get(path).text.partition('<footer class="foot">')[2]
    assert re.search(r'href="/digest(\?reader=u1)?">', foot)


@pytest.mark.parametrize("path", ["/", "/papers/trending", "/search?q=%3Cscript%3Ealert(3)%3C/script%3E"])
def test_hostile_text_is_shown_as_text(client: TestClient, database: Database, path: str) -> None:
    with database.write() as session:
        paper = make_paper('"><script>alert(1)</script>')
        paper.title = "<script>alert(2)</script> $<script>$ \\href{javascript:alert(4)}{x}"
        paper.summary = "<img src=x onerror=alert(5)> $\\style{x}{<b>}$"
        paper.authors = ["<b onclick=alert(6)>Eve</b>"]
        session.add(paper)
    parts = Parts(client.get(path, headers=HTML).text)
    assert parts.inline == []
    assert [link for link in parts.loads if not link.startswith("/")] == []


def test_hostile_words_of_a_reader_are_shown_as_text(local: TestClient, runtime_of_local: Runtime) -> None:
    name = '"><script>alert(1)</script>'
    page = local.get("/", params={"reader": name}).text
    assert "<script>alert" not in page
    assert Parts(page).inline == []


def test_papers_without_a_day_or_authors_are_shown(client: TestClient, database: Database) -> None:
    with database.write() as session:
        paper = make_paper("odd")
        paper.authors, paper.num_authors, paper.published_at = [], 12, None
        session.add(paper)
    assert "12 authors" in client.get("/", headers=HTML).text
    with database.read() as session:
        assert session.scalar(sa.select(Paper.daily_at)) is None


def test_a_browser_at_an_unknown_address_gets_a_page_and_a_program_a_problem(client: TestClient) -> None:
    page = client.get("/nowhere", headers=HTML)
    problem = client.get("/nowhere", headers={"accept": "*/*"})
    assert (page.status_code, problem.status_code) == (404, 404)
    assert "There is nothing at this address" in page.text
    assert '<a href="/">' in page.text
    assert "Accept" in page.headers["vary"]
    assert problem.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/v1/nowhere", "/api/nowhere", "/static/nowhere", "/v1/feed"])
def test_addresses_of_programs_answer_problems_to_anybody(client: TestClient, path: str) -> None:
    assert client.get(path, headers=HTML).headers["content-type"] != "text/html; charset=utf-8"


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/", 405), ("PUT", "/act", 405), ("GET", "/%00", 404)])
def test_a_request_that_no_page_takes_is_answered_in_words(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path, headers=HTML)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert Parts(answer.text).open == []


def test_the_manifest_names_pictures_of_the_size_they_have(client: TestClient) -> None:
    answer = client.get("/manifest.webmanifest")
    manifest = answer.json()
    assert answer.headers["content-type"] == "application/manifest+json"
    assert {manifest["start_url"], manifest["scope"], manifest["display"]} == {"/", "standalone"}
    sizes = set()
    for icon in manifest["icons"]:
        picture = client.get(icon["src"])
        assert (picture.status_code, picture.headers["content-type"]) == (200, icon["type"])
        if icon["type"] == "image/png":
            width, height = (int.from_bytes(picture.content[at : at + 4]) for at in (16, 20))
            assert icon["sizes"] == f"{width}x{height}"
            sizes.add(width)
    assert {192, 512} <= sizes
    assert any(icon.get("purpose") == "maskable" for icon in manifest["icons"])


def test_the_reference_names_every_operation(client: TestClient) -> None:
    page = client.get("/docs", headers=HTML).text
    document = client.get("/openapi.json").json()
    operations = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
    assert operations
    assert [one for one in operations if f"<code>{one[0]} {one[1]}</code>" not in page] == []


def test_pages_are_no_part_of_the_api(client: TestClient) -> None:
    paths = set(client.get("/openapi.json").json()["paths"])
    assert paths.isdisjoint({"/", "/act", "/docs", "/for-you", "/manifest.webmanifest", "/static/{name}", "/beacon.js"})


def test_the_stylesheet_reads_well_in_both_schemes() -> None:
    css = static_file("paperfeed.css").decode()
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in css.split("prefers-color-scheme: dark", 1)
    )
    for scheme in (light, dark):
        for ground in ("ground", "panel", "banner", "tag"):
            assert contrast(scheme["text"], scheme[ground]) >= 4.5
        for text in ("soft", "link", "bad"):
            assert contrast(scheme[text], scheme["panel"]) >= 4.5
            assert contrast(scheme[text], scheme["ground"]) >= 4.5
        assert contrast(scheme["on-strong"], scheme["strong"]) >= 4.5
        assert contrast(scheme["on-bar"], scheme["bar"]) >= 4.5
        assert contrast(scheme["edge"], scheme["ground"]) >= 3


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of WCAG."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_the_cookie_of_a_visitor_tells_scripts_nothing(local: TestClient, runtime_of_local: Runtime) -> None:
    press(local, "save", "p1000")
    page = local.get("/").text
    assert local.cookies[COOKIE] not in page
    assert "anon:" not in page
