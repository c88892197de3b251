"""A paper's own page: what it shows of hostile papers, why its visitor got to see it, and which click counts."""

import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.services.bibliography import read_bibtex
from api.store.engine import Database
from api.store.tables import Paper
from tests.api.hub_world import MONDAY, daily_row, insert_papers
from tests.api.routes.site.pages import HTML

PAGE = "/papers/2512.00001"
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{7*7}}"


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


class Reader(HTMLParser):
    """What could run, be loaded or lead somewhere in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.handlers: list[str] = []
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.handlers += [name for name in values if name.startswith("on") or name == "style"]
        if "src" in values:
            self.loaded.append(values["src"])
        self.links += [values[name] for name in ("href", "action", "formaction") if name in values]
        self._in_script = tag == "script"

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.scripts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False


def check_safe(page: str) -> None:
    """Nothing in the page runs, and it loads nothing but the site's own files."""
    reader = Reader()
    reader.feed(page)
    assert (reader.handlers, reader.scripts) == ([], [])
    assert all(source.startswith(("/static/", "/beacon.js")) for source in reader.loaded), reader.loaded
    for link in reader.links:
        assert link.startswith(("/", "#", "https://", "http://")), link
        assert not link.startswith("//"), link


def test_whatever_a_paper_says_nothing_runs_in_its_page(client: TestClient, database: Database) -> None:
    insert_papers(
        database,
        daily_row(
            1,
            MONDAY,
            title=HOSTILE + r" $\text{<script>alert(2)</script>}$",
            summary=HOSTILE + r" $\href{javascript:alert(3)}{x}$",
            ai_summary=HOSTILE,
            authors=[HOSTILE] * 30,
            categories=[HOSTILE[:40]],
            keywords=[HOSTILE],
            organization={"name": HOSTILE, "fullname": HOSTILE},
            submitted_by=HOSTILE,
            journal_ref=HOSTILE,
            doi=HOSTILE,
            project_page="javascript:alert(4)",
            github_repo='https://evil.test/"onmouseover="alert(5)',
        ),
    )
    for path in (PAGE, f"{PAGE}?slate={quote(HOSTILE)}", f"{PAGE}?reader={quote(HOSTILE)}"):
        page = client.get(path, headers=HTML)
        assert page.status_code == 200
        assert page.text.count("alert(1)") > 10
        assert "{{7*7}}" in page.text
        assert "&#39;49" not in page.text  # no template reads what a paper says
        check_safe(page.text)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_an_address_that_is_no_paper_says_so_without_running(client: TestClient) -> None:
    page = client.get(f"/papers/{quote(HOSTILE)}", headers=HTML)
    assert page.status_code == 404
    check_safe(page.text)


def test_mathematics_is_mathml_on_the_page_and_text_in_its_title(client: TestClient, database: Database) -> None:
    insert_papers(database, daily_row(1, MONDAY, title=r"In $O(n^2)$ steps", summary=r"As \(x_1\) and $\broken{$."))
    page = client.get(PAGE, headers=HTML).text
    assert "<title>In $O(n^2)$ steps · Paperfeed</title>" in page
    assert "<msup><mi>n</mi><mn>2</mn></msup>" in page
    assert "<msub><mi>x</mi><mn>1</mn></msub> </math>".replace(" ", "") in page.replace(" ", "").replace(
        "<mrow>", ""
    ).replace("</mrow>", "")
    assert r"$\broken{$." in page


def test_the_page_leads_to_authors_organisation_categories_code_and_day(client: TestClient, database: Database) -> None:
    insert_papers(
        database,
        daily_row(
            1,
            MONDAY,
            authors=["Ada Lovelace", "A/B C"],
            organization={"name": "northlake", "fullname": "Northlake Institute"},
            github_repo="https://github.com/example/ladders",
            github_stars=17,
            project_page="https://project.example",
            doi="10.1000/a<b",
        ),
    )
    page = client.get(PAGE, headers=HTML).text
    for link, words in (
        ("/authors/Ada%20Lovelace", "Ada Lovelace"),
        ("/authors/A%2FB%20C", "A/B C"),
        ("/organizations/northlake", "Northlake Institute"),
        ("/categories/cs.LG", "cs.LG"),
        ("/papers/date/2025-12-08", "daily list of 2025-12-08"),
        ("/papers/2512.00001.bib", "The same as a file"),
    ):
        assert f'href="{link}">{words}</a>' in page, link
    for link in (
        "https://github.com/example/ladders",
        "https://project.example",
        "https://arxiv.org/abs/2512.00001",
        "https://arxiv.org/pdf/2512.00001",
        "https://doi.org/10.1000/a%3Cb",
    ):
        assert f'href="{link}" rel="noreferrer"' in page, link
    assert "Code (17 stars)" in page


def test_a_long_list_of_authors_opens_on_demand(client: TestClient, database: Database) -> None:
    authors = [f"Author {number}" for number in range(600)]
    insert_papers(database, daily_row(1, MONDAY, authors=authors), daily_row(2, MONDAY, authors=[], num_authors=1))
    page = client.get(PAGE, headers=HTML).text
    assert "<summary>575 more authors</summary>" in page
    assert page.count('href="/authors/') == 500
    assert "100 more</p>" in page
    assert "1 author</p>" in client.get("/papers/2512.00002", headers=HTML).text


def test_bibtex_is_read_by_other_programs_whatever_the_paper_says(client: TestClient, database: Database) -> None:
    title = "Braces } { \\ % $x$ & “quotes” @article{x, and é"
    insert_papers(database, daily_row(1, MONDAY, title=title, authors=["Ada Lovelace", 'Mc"Quote, Jr.']))
    answer = client.get(f"{PAGE}.bib")
    assert answer.headers["content-type"] == "application/x-bibtex; charset=utf-8"
    [entry], rejected = read_bibtex(answer.text)
    assert rejected == []
    assert (entry.paper_id, entry.authors[0], entry.published) == ("2512.00001", "Ada Lovelace", "2025-12-06")
    assert entry.title.split() == title.split()
    assert (
        unescape(re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", client.get(PAGE, headers=HTML).text, re.DOTALL)[0])
        == answer.text
    )
    assert client.get("/papers/2512.99999.bib").status_code == 404


def test_without_a_model_the_page_has_no_similar_papers_and_no_error(client: TestClient, database: Database) -> None:
    insert_papers(database, daily_row(1, MONDAY))
    page = client.get(PAGE, headers=HTML).text
    assert "Papers like this one" not in page
    assert "None yet" not in page.replace("none here yet", "")
    assert "2 comments at its source, none here yet." in page


def test_similar_papers_are_those_of_its_topic_without_withdrawn_ones(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    page = local.get("/papers/p1000").text
    similar = re.findall(r'<li><p><a href="/papers/(p\d+)">', page)
    assert len(similar) == 6
    assert "p1000" not in similar
    with runtime_of_local.db.read() as session:
        rows = session.execute(
            sa.select(Paper.external_id, Paper.categories).where(Paper.external_id.in_([*similar, "p1000"]))
        )
        topics = {row.external_id: row.categories[0] for row in rows}
    assert sum(topics[name] == topics["p1000"] for name in similar) >= 5
    with runtime_of_local.db.write() as session:
        session.execute(sa.update(Paper).where(Paper.external_id == similar[0]).values(withdrawn_at=MONDAY))
    runtime_of_local.papers.forget([int(similar[0][1:])])
    assert f'<a href="/papers/{similar[0]}">' not in local.get("/papers/p1000").text


def test_every_link_and_form_keeps_the_picked_reader(local: TestClient, runtime_of_local: Runtime) -> None:
    page = local.get("/papers/p1000?reader=u3").text
    main = page[page.index("<main") : page.index("</main>")]
    within = [link for link in re.findall(r'href="(/[^"]*)"', main) if not link.endswith(".bib")]
    assert within
    assert all("reader=u3" in link for link in within), within
    assert main.count("<form") == main.count('name="reader" value="u3"')
