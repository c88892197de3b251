"""Every page of the site while something is away: it answers, in words, with what there still is."""

from itertools import chain
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.store.tables import Paper
from tests.api.feed_world import load_installation
from tests.api.routes.site.conftest import ORIGIN, hidden_fields

PAGES: Final = (
    "/",
    "/papers/date/{day}",
    "/papers/week/{week}",
    "/papers/month/{month}",
    "/papers/trending",
    "/for-you",
    "/search?q=paper",
    "/papers/{paper}",
    "/authors/{author}",
    "/organizations/{author}",
    "/categories/{category}",
    "/library",
    "/library/import",
    "/library/pending",
    "/submit",
    "/welcome",
    "/welcome/judge",
    "/digest",
    "/sign-in",
    "/settings",
    "/settings/interests",
    "/settings/hidden",
    "/settings/digest",
    "/settings/feeds",
    "/settings/data",
    "/settings/delete",
    "/moderation",
    "/mails",
    "/feeds/daily.rss",
    "/feeds/trending.json",
    "/feeds/categories/{category}.atom",
)
FORMS: Final = (
    ("/settings/feeds", {"label": "x"}),
    ("/papers/{paper}/comments", {"text": "hello"}),
    ("/sign-in", {"mail": "ada@papers.test"}),
    ("/settings/delete", {"sure": "yes"}),
    ("/settings/digest", {"mail": "a@papers.test", "cadence": "daily", "weekday": "0", "hour": "7", "zone": "UTC"}),
    ("/submit", {"ids": "2401.00001"}),
    ("/library/import", {"text": "2401.00001"}),
    ("/welcome", {"terms": "graphs", "next": "list"}),
)
SPILLED: Final = ("Traceback", "sqlalchemy", "OperationalError", "redis.exceptions", "Something went wrong here")
READ_ONLY: Final = "The database is read-only"
READER: Final = "u1"
NOBODY: Final = "Ada Lovelace"  # while the search index is being made, nobody can say whether she has a paper
OF_NOBODY: Final = ("/authors/", "/organizations/")


def fill(runtime: Runtime, path: str) -> str:
    """Return the address of a page that shows one of the papers there are."""
    with runtime.db.read() as session:
        paper = session.scalars(sa.select(Paper).order_by(Paper.listed_at.desc()).limit(1)).one()
    year, week, _ = paper.listed_at.isocalendar()
    values = {
        "day": paper.listed_at.date().isoformat(),
        "week": f"{year}-W{week:02}",
        "month": f"{paper.listed_at:%Y-%m}",
        "paper": paper.external_id,
        "author": NOBODY,
        "category": (paper.categories or ["cs.IR"])[0],
    }
    return path.format(**{name: quote(value) for name, value in values.items()})


def problems_of(browser: TestClient, path: str, *, said: str, query: str = "") -> list[str]:
    """Return what is wrong with a page that is to answer and to say these words; without words it may be away."""
    address = f"{path}{'&' if '?' in path else '?'}{query}" if query else path
    answer = browser.get(address)
    if answer.status_code not in ({200, 404, 503} if not said or path.startswith(OF_NOBODY) else {200}):
        return [f"{address}: {answer.status_code} {answer.text[:200]}"]
    problems = [f"{address}: {words}" for words in SPILLED if words in answer.text]
    if path.startswith("/feeds/"):
        return problems
    if "<h1" not in answer.text or not answer.headers["content-type"].startswith("text/html"):
        problems.append(f"{address}: no page")
    return problems if said in answer.text else [*problems, f"{address}: does not say {said!r}"]


def problems_of_all(browser: TestClient, paths: list[str], *, said: str, query: str = "") -> str:
    """Return what is wrong with any of these pages, one on a line."""
    return "\n".join(chain.from_iterable(problems_of(browser, path, said=said, query=query) for path in paths))


def fill_all(runtime: Runtime) -> list[str]:
    """Return the addresses of all pages."""
    return [fill(runtime, path) for path in PAGES]


def make_read_only(runtime: Runtime) -> None:
    """Let the database refuse writes from now on, as one does that was restored for reading, and be noticed."""
    runtime.db.set_pragmas("query_only=ON")
    runtime.conditions.distrust()


def take_database(runtime: Runtime) -> None:
    """Take the database away."""
    folder = Path(str(runtime.db.engine.url.database)).parent
    runtime.db.engine.dispose()
    folder.rename(folder.with_name("elsewhere"))
    runtime.conditions.distrust()


@pytest.fixture
def bare(local: TestClient) -> Runtime:
    """Return the runtime behind a browser: papers and readers, but no model and no cache."""
    runtime = local.app.state.runtime  # type: ignore[attr-defined] # TestClient types its application as any ASGI one
    assert isinstance(runtime, Runtime)
    load_installation(runtime.db)
    runtime.conditions.distrust()
    return runtime


@pytest.mark.parametrize("query", ["", f"reader={READER}"], ids=["stranger", "picked"])
@pytest.mark.parametrize("words", ["No model has been fitted yet", "The cache is away"])
def test_without_a_model_and_a_cache_every_page_answers(
    local: TestClient, bare: Runtime, query: str, words: str
) -> None:
    assert not problems_of_all(local, fill_all(bare), said=words, query=query)


def test_without_a_model_a_list_says_which_categories_it_was_narrowed_to(local: TestClient, bare: Runtime) -> None:
    hidden = hidden_fields(local.get(f"/?reader={READER}").text)
    fields = {**hidden, "category": "cs.T2", "terms": "", "next": "list"}
    assert local.post("/welcome", data=fields, headers=ORIGIN, follow_redirects=False).status_code == 303
    assert "Until a model answers: what is trending and new in cs.T2, built" in local.get("/for-you?reader=u1").text


def test_without_a_cache_every_page_answers(local: TestClient, runtime_of_local: Runtime) -> None:
    paths = fill_all(runtime_of_local)
    assert not problems_of_all(local, paths, said="The cache is away", query=f"reader={READER}")


@pytest.mark.parametrize("query", ["", f"reader={READER}"], ids=["stranger", "picked"])
def test_while_the_database_is_read_only_every_page_answers_and_says_so(
    local: TestClient, runtime_of_local: Runtime, query: str
) -> None:
    paths = fill_all(runtime_of_local)
    hidden = hidden_fields(local.get(f"/?{query}").text)
    text = {**hidden, "text": "2401.99999\nnot an id\n"}
    report = local.post("/library/import", data=text, headers=ORIGIN, follow_redirects=False).headers["location"]
    make_read_only(runtime_of_local)
    assert not problems_of_all(local, [*paths, report.partition("?")[0]], said=READ_ONLY, query=query)
    assert "2401.99999" in local.get(f"/library/pending?{query}").text
    for ending in ("bib", "ris", "csl.json", "json"):
        exported = local.get(f"/library/export.{ending}?{query}")
        assert (ending, exported.status_code) == (ending, 200)
        assert "2401.99999" in exported.text


def test_while_the_database_is_away_every_page_is_still_words(local: TestClient, runtime_of_local: Runtime) -> None:
    paths = fill_all(runtime_of_local)
    take_database(runtime_of_local)
    assert not problems_of_all(local, paths, said="")


@pytest.mark.parametrize(("path", "fields"), FORMS)
def test_a_form_that_cannot_be_kept_says_so(
    local: TestClient, runtime_of_local: Runtime, path: str, fields: dict[str, str]
) -> None:
    address = fill(runtime_of_local, path)
    hidden = hidden_fields(local.get(f"/?reader={READER}").text)
    make_read_only(runtime_of_local)
    answer = local.post(address, data={**hidden, **fields}, headers=ORIGIN, follow_redirects=False)
    assert answer.status_code == 503
    assert not [words for words in SPILLED if words in answer.text]
    assert "<h1" in answer.text
