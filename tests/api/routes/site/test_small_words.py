"""Small things on pages: names of categories, what stands between the parts of a line, who is at the top."""

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.routes.rendering import fragment
from api.routes.site import named
from api.routes.site.cards import CARD_TEMPLATE, Shown, make_card
from api.routes.site.subjects import NAMES
from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.paper_marks import Marks
from api.store.tables import PaperCategory
from tests.api.hub_world import MONDAY, daily_row, insert_papers
from tests.api.routes.site.pages import HTML
from tests.api.routes.site.test_cards import PAPER

ARCHIVES = {"astro-ph", "cond-mat", "cs", "econ", "eess", "math", "nlin", "physics", "q-bio", "q-fin", "stat"}
WHOLE = {"gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "nucl-ex", "nucl-th", "quant-ph"}


def meta_of(**changes: object) -> str:
    """Return the line below the title of a card."""
    paper: dict[str, Any] = {**PAPER, **changes}
    written = str(fragment(CARD_TEMPLATE, make_card(Shown(paper, 7), Marks())))
    return written.partition('<p class="meta parts">')[2].partition("</p>")[0]


def test_every_category_of_arxiv_has_a_name_of_its_own() -> None:
    assert len(NAMES) == len(set(NAMES.values())) == 155
    assert {name.partition(".")[0] for name in NAMES} == ARCHIVES | WHOLE
    assert NAMES["cs.ET"] == "Emerging technologies"
    assert NAMES["physics.flu-dyn"] == "Fluid dynamics"


@pytest.mark.parametrize("authors", [[], ["Ada Lovelace"]])
def test_a_cards_line_has_no_separator_of_its_own_in_any_part(authors: list[str]) -> None:
    meta = meta_of(authors=authors, num_authors=len(authors) or None)
    assert "·" not in meta
    assert "<time>2026-05-01</time>" in meta
    assert ("<span><a" in meta.partition("<time>")[0]) is bool(authors)
    assert re.sub(r"<(span|time)>.*?</\1>", "", meta).strip() == ""  # nothing stands between the parts


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


@pytest.fixture
def papers(database: Database, client: TestClient) -> TestClient:
    """Return a browser at three papers of a category."""
    insert_papers(database, *(daily_row(number, MONDAY) for number in range(1, 4)))
    with database.write() as session:
        for number in range(1, 4):
            session.add(PaperCategory(category="cs.CL", paper_id=number, listed_at=MONDAY))
    client.headers.update(HTML)
    return client


def test_a_categorys_page_is_called_by_its_name_and_counts(papers: TestClient) -> None:
    page = papers.get("/categories/cs.CL").text
    assert "<h1>Computation and language (cs.CL)</h1>" in page
    assert "<title>Papers in Computation and language (cs.CL) · Paperfeed</title>" in page
    assert "3 papers, the newest first." in page


def test_a_large_category_is_not_counted_to_its_end(papers: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "MOST_COUNTED", 2)
    assert "More than 2 papers, the newest first." in papers.get("/categories/cs.CL").text


def test_settings_are_called_so_for_everybody(local: TestClient, runtime_of_local: Runtime) -> None:
    for path in ("/", "/?reader=u1"):
        top = local.get(path).text.partition('<p class="who">')[2].partition("</p>")[0]
        assert "Settings" in top


def test_a_very_long_question_is_clipped_above_its_answer(local: TestClient, runtime_of_local: Runtime) -> None:
    assert '<h1 class="clip">' in local.get("/search", params={"q": "ladders " * 30}).text
    assert "<h1>Papers for" in local.get("/search?q=ladders").text


def test_a_no_looks_lighter_than_a_yes(local: TestClient, runtime_of_local: Runtime) -> None:
    page = local.get("/welcome/judge").text
    assert '<button name="answer" value="yes">' in page
    assert '<button name="answer" value="no" class="quiet">' in page
