"""The start page and who may use its buttons."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.runtime.state import Runtime
from api.settings import Settings, read_settings
from api.store.engine import Database
from api.store.tables import Base, Event, Paper
from tests.api.feed_world import load_installation, register_model
from tests.api.routes.conftest import make_paper

HOST = {"host": "127.0.0.1:8000"}
ORIGIN = {"origin": "http://127.0.0.1:8000"}


@pytest.fixture
def embedded(tmp_path: Path, short_dir: Path) -> Iterator[Settings]:
    """Return settings of the embedded mode with a database but no cache."""
    settings = Settings(data_dir=tmp_path / "data")
    settings.data_dir.mkdir()
    database = Database(settings.resolved_database_url)
    Base.metadata.create_all(database.engine)
    database.engine.dispose()
    read_settings.cache_clear()
    yield settings
    read_settings.cache_clear()


@pytest.fixture
def local(embedded: Settings) -> Iterator[TestClient]:
    """Return a browser on the same machine."""
    with TestClient(create_app(embedded), client=("127.0.0.1", 5000), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def runtime_of_local(local: TestClient) -> Runtime:
    """Return the runtime behind the page, with papers, readers and a model."""
    runtime = local.app.state.runtime  # type: ignore[attr-defined] # TestClient types its application as any ASGI one
    assert isinstance(runtime, Runtime)
    load_installation(runtime.db)
    register_model(runtime.db, runtime.settings.models_dir)
    runtime.serving.poll()
    return runtime


class Links(HTMLParser):
    """Everything a page makes a browser load, and whether it is well nested."""

    VOID = frozenset({"meta", "link", "input", "br", "option"})

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in {"script", "img"}:
            self.loads.append(values.get("src") or tag)
        if tag in {"iframe", "style"} or "style" in values or any(name.startswith("on") for name in values):
            self.loads.append(tag)
        if tag == "link":
            self.loads.append(values["href"] or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def act(client: TestClient, **changes: Any) -> Any:
    """Press a button."""
    fields = {"reader": "newcomer", "kind": "save", "paper": "p1000"} | changes.pop("fields", {})
    headers = {**ORIGIN, **changes.pop("headers", {})}
    return client.post("/page/act", data=fields, headers=headers, follow_redirects=False)


def events_in(database: Database) -> int:
    """Count events that are not part of the planted world."""
    with database.read() as session:
        query = sa.select(sa.func.count()).select_from(Event).where(sa.not_(Event.is_import))
        return session.execute(query).scalar_one()


def test_the_page_shows_three_columns_and_loads_nothing_from_elsewhere(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    answer = local.get("/?reader=u1")
    links = Links()
    links.feed(answer.text)

    assert answer.status_code == 200
    assert answer.text.count("<section") == 3
    assert "because you saved" in answer.text
    assert links.open == []
    assert all(link.startswith(("/static/", "/beacon.js?")) for link in links.loads)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_every_file_a_page_loads_is_there(local: TestClient, runtime_of_local: Runtime) -> None:
    links = Links()
    links.feed(local.get("/").text)
    links.feed(local.get("/docs").text)
    assert links.loads
    assert {local.get(link).status_code for link in links.loads} == {200}
    assert local.get("/static/nothing.css").status_code == 404
    assert local.get("/static/..%2ftemplates%2fbase.html").status_code == 404


def test_saving_on_the_page_makes_the_feed_personal(local: TestClient, runtime_of_local: Runtime) -> None:
    before = local.get("/?reader=newcomer").text
    pressed = act(local)
    after = local.get(pressed.headers["location"]).text

    assert pressed.status_code == 303
    assert "Nothing is known about this reader yet" in before
    assert "Ranked for this reader by model" in after
    assert after.count("because you saved") >= 9


def test_not_interested_removes_the_paper_from_the_next_page(local: TestClient, runtime_of_local: Runtime) -> None:
    act(local)
    [first, *_] = re.findall(r'name="paper" value="(p\d+)"', local.get("/?reader=newcomer").text)
    act(local, fields={"kind": "dismiss", "paper": first})
    for_you = local.get("/?reader=newcomer").text.split('id="trending"')[0]
    assert f'value="{first}"' not in for_you


FROM_ELSEWHERE = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9999"},
    {"origin": "https://127.0.0.1:8000"},
    {"origin": "http://["},
    {"origin": "", "referer": "http://[x]/"},
    {"x-forwarded-proto": "https", "origin": "https://127.0.0.1:8000"},
    {"host": "evil.example:8000", "origin": "http://evil.example:8000"},
    {"host": "127.0.0.1.evil.example"},
    {"host": ""},
    {"host": "[::1"},
    {"x-forwarded-for": "127.0.0.1"},
    {"forwarded": "for=127.0.0.1"},
]


def test_a_form_from_elsewhere_changes_nothing(local: TestClient, runtime_of_local: Runtime) -> None:
    answers = [act(local, headers=headers) for headers in FROM_ELSEWHERE]
    assert [answer.status_code for answer in answers] == [403] * len(FROM_ELSEWHERE)
    assert events_in(runtime_of_local.db) == 0


def test_a_form_without_origin_needs_our_own_referer(local: TestClient, runtime_of_local: Runtime) -> None:
    fields = {"reader": "newcomer", "kind": "save", "paper": "p1000"}
    refused = local.post("/page/act", data=fields, follow_redirects=False)
    taken = local.post(
        "/page/act", data=fields, headers={"referer": "http://127.0.0.1:8000/?reader=x"}, follow_redirects=False
    )
    assert (refused.status_code, taken.status_code) == (403, 303)


def test_every_name_of_this_machine_is_accepted(local: TestClient, runtime_of_local: Runtime) -> None:
    hosts = ("127.0.0.1:8000", "localhost:8000", "[::1]:8000", "localhost")
    for number, host in enumerate(hosts):
        answer = local.post(
            "/page/act",
            data={"reader": "newcomer", "kind": "save", "paper": f"p{1000 + number}"},
            headers={"host": host, "origin": f"http://{host}"},
            follow_redirects=False,
        )
        assert (host, answer.status_code) == (host, 303)
    assert events_in(runtime_of_local.db) == len(hosts)


def test_an_impossible_form_is_refused(local: TestClient, runtime_of_local: Runtime) -> None:
    for fields in (
        {"kind": "read"},
        {"kind": ""},
        {"paper": "unknown"},
        {"paper": ""},
        {"reader": " "},
        {"reader": "x" * 201},
    ):
        answer = act(local, fields=fields)
        assert (fields, answer.status_code) == (fields, 303)
        assert 'role="status"' in local.get(answer.headers["location"]).text, fields
    assert events_in(runtime_of_local.db) == 0


def test_somebody_on_another_machine_sees_no_reader(embedded: Settings) -> None:
    with TestClient(create_app(embedded), client=("192.0.2.7", 5000), base_url="http://127.0.0.1:8000") as client:
        page = client.get("/?reader=u1")
        assert page.status_code == 200
        assert "<form" not in page.text
        assert act(client).status_code == 403


def test_outside_the_embedded_mode_nobody_may_act(client: TestClient, papers: list[str]) -> None:
    page = client.get("/?reader=ada", headers=HOST)
    assert "<form" not in page.text
    assert act(client, headers=HOST).status_code == 403


def test_an_empty_installation_says_so_in_words(local: TestClient) -> None:
    page = local.get("/")
    assert page.status_code == 200
    assert "There are no papers yet" in page.text
    assert "No model has been fitted yet" in page.text
    assert "The cache is away" in page.text


def test_a_demonstration_says_so(client: TestClient, database: Database) -> None:
    with database.write() as session:
        paper = make_paper("2401.00001")
        paper.is_demo = True
        session.add(paper)
    page = client.get("/").text
    assert "<strong>Demonstration.</strong>" in page


def test_hostile_text_is_shown_as_text(client: TestClient, database: Database) -> None:
    with database.write() as session:
        paper = make_paper('"><script>alert(1)</script>')
        paper.title = "<script>alert(2)</script>"
        session.add(paper)
    page = client.get("/").text
    assert page.count("<script") == page.count('<script src="/beacon.js?') == 1


def test_without_its_database_the_page_says_so(client: TestClient, database: Database, runtime: Runtime) -> None:
    runtime.serving.stop()
    Base.metadata.drop_all(runtime.db.engine)
    answer = client.get("/")
    Base.metadata.create_all(runtime.db.engine)  # other tests share them
    assert answer.status_code == 503
    assert "The database cannot be reached" in answer.text


def test_the_reference_names_every_operation(client: TestClient) -> None:
    page = client.get("/docs").text
    document = client.get("/openapi.json").json()
    operations = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
    assert operations
    missing = [operation for operation in operations if f"<code>{operation[0]} {operation[1]}</code>" not in page]
    assert missing == []


def test_the_stylesheet_reads_well_in_both_schemes(client: TestClient) -> None:
    css = client.get("/static/paperfeed.css").text
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in css.split("prefers-color-scheme: dark", 1)
    )
    for scheme in (light, dark):
        for ground in ("ground", "panel", "banner", "tag"):
            assert contrast(scheme["text"], scheme[ground]) >= 4.5
        for text in ("soft", "link"):
            assert contrast(scheme[text], scheme["panel"]) >= 4.5
            assert contrast(scheme[text], scheme["ground"]) >= 4.5
        assert contrast(scheme["on-strong"], scheme["strong"]) >= 4.5


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of WCAG."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_papers_without_a_day_or_authors_are_shown(client: TestClient, database: Database) -> None:
    with database.write() as session:
        paper = make_paper("odd")
        paper.authors, paper.num_authors, paper.published_at = [], 12, None
        session.add(paper)
    assert "12 authors" in client.get("/").text
    with database.read() as session:
        assert session.scalar(sa.select(Paper.daily_at)) is None
