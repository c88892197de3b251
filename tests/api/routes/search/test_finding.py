"""Search as a client sees it: what is found, counted, marked and refused."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.runtime.state import Runtime
from api.schemas.search import EXAMPLE_SEARCH, SearchOut
from api.store.engine import Database
from api.store.search_query import Everything, SearchQuery
from tests.api.routes.search.index import ask, ids, write
from tests.e2e.processes import wait_until


def test_papers_are_found_by_their_words(found: TestClient) -> None:
    page = ask(found, "sparse attention")
    assert ids(page)[0] == 1
    assert page["total"] == 1
    assert not page["degraded"]
    assert [item["rank"] for item in page["items"]] == list(range(1, len(page["items"]) + 1))


def test_the_answer_is_what_the_schema_says(found: TestClient) -> None:
    SearchOut.model_validate(ask(found, "attention"))
    SearchOut.model_validate(EXAMPLE_SEARCH)


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("atention sinks", 4),
        ("graf learning", 3),
        ("retriev", 2),
        ('"mixture of experts"', 5),
        ("title:survey", 5),
        ("author:nr3", 3),
        ("id:2603.00004", 4),
        ("attention -sparse", 4),
        ("cat:cs.IR attention", 4),
        ("2603.00002v3", 2),
        ("https://arxiv.org/abs/2603.00002", 2),
    ],
)
def test_the_language_reaches_the_index(found: TestClient, q: str, first: int) -> None:
    assert ids(ask(found, q))[0] == first


def test_what_is_excluded_stays_out(found: TestClient) -> None:
    assert 1 not in ids(ask(found, "attention -sparse"))
    assert 1 not in ids(ask(found, "-sparse"))


def test_no_text_lists_everything_the_newest_first(found: TestClient) -> None:
    page = ask(found)
    assert ids(page) == [5, 4, 3, 2, 1]
    assert page["total"] == 5


def test_text_without_a_word_finds_nothing(found: TestClient) -> None:
    page = ask(found, "?!")
    assert page["items"] == []
    assert page["counts"] == {"categories": [], "organizations": [], "years": [], "with_code": 0}


@pytest.mark.parametrize(("sort", "expected"), [("newest", [4, 1]), ("oldest", [1, 4])])
def test_matches_come_in_the_order_asked_for(found: TestClient, sort: str, expected: list[int]) -> None:
    assert ids(ask(found, "attention", sort=sort)) == expected


def test_filters_narrow_and_each_is_counted_without_itself(
    found: TestClient, database: Database, runtime: Runtime
) -> None:
    write(
        database,
        runtime,
        {7: ("Attention with code", "x")},
        github_repo="https://example.org/code",
        organization={"name": "lab", "fullname": "The Lab"},
    )
    page = ask(found, "attention", categories="cs.CL")
    assert set(ids(page)) == {1, 7}
    assert {each["value"]: each["count"] for each in page["counts"]["categories"]} == {"cs.CL": 2, "cs.IR": 1}
    assert page["counts"]["with_code"] == 1
    assert page["counts"]["organizations"] == [{"value": "lab", "count": 1}]
    assert page["counts"]["years"] == [{"value": "2026", "count": 2}]
    assert ids(ask(found, "attention", with_code="true")) == [7]
    assert ask(found, "attention", with_code="false")["counts"]["with_code"] == 1
    assert ids(ask(found, "attention", organization="the lab")) == [7]
    assert ids(ask(found, "attention", **{"from": "2026-03-05", "to": "2026-03-05"})) == [4]
    assert ask(found, "attention", to="2026-03-02")["total"] == 1


def test_what_matches_is_marked_and_what_looks_like_markup_is_text(found: TestClient) -> None:
    [item] = ask(found, "vectors retrieval ", limit=1)["items"]
    assert item["highlights"]["title"] == "Dense <mark>retrieval</mark> of scientific papers"
    assert (
        item["highlights"]["summary"]
        == "Papers are found by &lt;b&gt;<mark>vectors</mark>&lt;/b&gt; &amp; nothing else."
    )


def test_misspelt_words_mark_what_was_meant(found: TestClient, runtime: Runtime) -> None:
    def marked() -> str:
        runtime.search.poll()  # the words of new papers are known after a rest
        return str(ask(found, "sparse atention ")["items"][0]["highlights"]["title"])

    wait_until(lambda: "<mark>Sparse</mark> <mark>attention</mark>" in marked(), seconds=60, what="the words")


@pytest.mark.parametrize(
    "params",
    [
        {"q": "x" * 1001},
        {"sort": "best"},
        {"from": "yesterday"},
        {"to": "2026-13-01"},
        {"from": "2026-03-02", "to": "2026-03-01"},
        {"limit": 0},
        {"limit": 101},
        {"with_code": "perhaps"},
        {"categories": "x" * 61},
        {"organization": ["lab"] * 1 + [str(number) for number in range(20)]},
    ],
)
def test_what_cannot_be_is_a_problem(found: TestClient, params: dict[str, Any]) -> None:
    answer = found.get("/v1/search", params=params)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "q", ["x" * 1000, '"' * 400, "-" * 300, "title:" * 100, "the of a", "论文 注意力", "\x00\x1f", "-a -b"]
)
def test_no_text_is_an_error(found: TestClient, q: str) -> None:
    assert ask(found, q)["total"] >= 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(q=st.text(max_size=300))
def test_any_text_can_be_searched(found: TestClient, q: str) -> None:
    page = ask(found, q.encode("utf-8", "replace").decode())
    assert len(set(ids(page))) == len(page["items"])


def test_without_an_index_titles_answer_and_say_so(
    found: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.search, "_current", None)
    monkeypatch.setattr(type(runtime.search), "poll", lambda _: False)
    answer = found.get("/v1/search", params={"q": "the sparse attention"})
    assert answer.json()["degraded"]
    assert answer.json()["counts"] is None
    assert ids(answer.json()) == [1]
    assert answer.headers["cache-control"] == "private, no-store"
    assert ids(ask(found, "2603.00004")) == [4]
    assert ids(ask(found, "author:nr3")) == []
    assert ids(ask(found, "")) == [5, 4, 3, 2, 1]
    with pytest.raises(Exception, match="index"):
        runtime.search.search(SearchQuery(Everything()), limit=1)


def test_a_search_asks_sql_once_for_papers_it_has_not_shown_yet(found: TestClient, statements: list[str]) -> None:
    for _ in range(2):
        ask(found, "attention")
    # The threads that follow the model and the index ask for other columns.
    assert len([statement for statement in statements if "papers.submitted_by" in statement]) == 1
