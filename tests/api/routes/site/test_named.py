"""The pages of authors, organisations and categories."""

from datetime import timedelta
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import Paper, PaperCategory
from tests.api.hub_world import MONDAY, daily_row, insert_papers
from tests.api.routes.search.index import write
from tests.api.routes.site.pages import HTML, links, listed


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


@pytest.fixture
def found(database: Database, client: TestClient, runtime: Runtime) -> TestClient:
    """Return a browser at a service whose index has papers of two authors, who share a word of their names."""
    ada = {"authors": ["Ada Müller", "Grace Hopper"], "organization": {"name": "acme", "fullname": "Acme Labs"}}
    both = {"authors": ["Ada Müller Schmidt"], "organization": {"name": "other", "fullname": "Other Acme Labs"}}
    write(database, runtime, {number: (f"Ladders {number}", "They lean.") for number in range(1, 4)}, **ada)
    write(database, runtime, {number: (f"Snakes {number}", "They wind.") for number in range(4, 6)}, **both)
    client.headers.update(HTML)
    return client


@pytest.mark.parametrize("name", ["Ada Müller", "ada muller", "ADA%20M%C3%BCller"])
def test_an_author_has_their_papers_newest_first(found: TestClient, name: str) -> None:
    page = found.get(f"/authors/{name}")
    assert page.status_code == 200
    assert listed(page.text) == [3, 2, 1]
    assert "<h1>Ada Müller</h1>" in page.text
    assert "3 papers, the newest first." in page.text
    assert f'href="/feeds/authors/{quote("Ada Müller")}.atom"' in page.text


@pytest.mark.parametrize("name", ["acme", "Acme Labs"])
def test_an_organisation_has_its_papers_by_either_name(found: TestClient, name: str) -> None:
    page = found.get(f"/organizations/{name}")
    assert listed(page.text) == [3, 2, 1]


@pytest.mark.parametrize("path", ["/authors/Nobody At All", "/organizations/nowhere", "/categories/cs.NOPE"])
def test_a_name_that_nobody_has_is_not_found_in_words(found: TestClient, path: str) -> None:
    page = found.get(path)
    assert page.status_code == 404
    assert "<main" in page.text
    assert not listed(page.text)


@pytest.mark.parametrize("path", ["/authors/%00", "/authors/" + "x" * 500, "/authors/%20", "/categories/" + "c" * 80])
def test_what_can_be_no_name_is_not_found(found: TestClient, path: str) -> None:
    assert found.get(path).status_code == 404


def test_the_names_on_a_card_lead_to_these_pages(found: TestClient) -> None:
    page = found.get("/categories/cs.CL").text
    assert f'<a class="by" href="/authors/{quote("Ada Müller")}">Ada Müller</a>' in page
    assert "<b>" not in page


def test_a_name_is_text_whatever_it_looks_like(found: TestClient) -> None:
    page = found.get("/authors/<script>alert(1)<%2Fscript>")
    assert page.status_code == 404
    assert "<script>alert" not in page.text


def test_an_author_is_found_while_the_index_is_away(client: TestClient, database: Database) -> None:
    insert_papers(database, *(daily_row(number, MONDAY + timedelta(minutes=number)) for number in range(1, 4)))
    page = client.get("/authors/Alan Turing", headers=HTML)
    if "index is being made anew" not in page.text:
        pytest.skip("the index was there before the page")
    assert listed(page.text) == [3, 2, 1]


def test_a_category_can_be_read_to_its_end(client: TestClient, database: Database) -> None:
    rows = [daily_row(number, MONDAY + timedelta(minutes=number)) for number in range(1, 51)]
    insert_papers(database, *rows)
    places = [{"category": "cs.LG", "paper_id": row["paper_id"], "listed_at": row["listed_at"]} for row in rows]
    with database.write() as session:
        session.execute(sa.insert(PaperCategory), places)
    seen: list[int] = []
    path = "/categories/cs.LG"
    while path:
        page = client.get(path, headers=HTML)
        assert page.status_code == 200
        seen += listed(page.text)
        path = next(iter(links(page.text, "next")), "")
        if len(seen) == 20:  # what comes meanwhile moves nothing
            _add(database, daily_row(99, MONDAY + timedelta(hours=9)))
    assert seen == list(range(50, 0, -1))
    assert "These are all of them." in page.text


def test_a_page_of_another_category_is_refused(client: TestClient, database: Database) -> None:
    rows = [daily_row(number, MONDAY + timedelta(minutes=number)) for number in range(1, 31)]
    for row in rows:
        _add(database, row)
    [following] = links(client.get("/categories/cs.LG", headers=HTML).text, "next")
    assert client.get(following.replace("cs.LG", "cs.CL"), headers=HTML).status_code in {400, 422}


def _add(database: Database, row: dict[str, object]) -> None:
    with database.write() as session:
        session.connection().execute(sa.insert(Paper), [row])
        place = {"category": "cs.LG", "paper_id": row["paper_id"], "listed_at": row["listed_at"]}
        session.execute(sa.insert(PaperCategory), [place])
