"""Search as a client sees it: what is found, counted, marked and refused, and pages that never repeat."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.runtime.state import Runtime
from api.schemas.search import EXAMPLE_SEARCH, SearchOut
from api.store.engine import Database
from api.store.search_query import Everything, SearchQuery
from api.store.tables import Paper, PaperCategory
from tests.api.feed_world import paper_row
from tests.e2e.processes import wait_until

DAY = datetime(2026, 3, 1, tzinfo=UTC)
TEXTS = {
    1: ("Sparse attention for long documents", "We cut attention to what matters in long texts."),
    2: ("Dense retrieval of scientific papers", "Papers are found by <b>vectors</b> & nothing else."),
    3: ("Graph learning at scale", "Graphs with a billion edges, learned on one machine."),
    4: ("Attention sinks in streaming models", "Why the first token draws attention."),
    5: ("A survey of mixture of experts", "Routing decides which experts work."),
}


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; what SQL is asked here is asked of both kinds elsewhere."""
    return sqlite_database


@pytest.fixture
def found(database: Database, client: TestClient, runtime: Runtime) -> TestClient:
    """Return a client of a service whose index has five papers."""
    write(database, runtime, TEXTS)
    return client


def write(database: Database, runtime: Runtime, texts: dict[int, tuple[str, str]], **fields: object) -> None:
    """Store papers and wait until they can be found."""
    rows = [
        paper_row(number, title=title, category=category_of(number), listed_at=DAY.replace(day=number % 28 + 1))
        | {
            "external_id": f"2603.{number:05}",
            "summary": summary,
            "authors": [f"Ada Nr{number}"],
            "updated_at": datetime.now(UTC),
        }
        | fields
        for number, (title, summary) in texts.items()
    ]
    with database.write() as session:
        session.execute(sa.insert(Paper), rows)
        categories = [
            {"category": category_of(row["paper_id"]), "paper_id": row["paper_id"], "listed_at": row["listed_at"]}
            for row in rows
        ]
        session.execute(sa.insert(PaperCategory), categories)
        wanted = session.scalar(sa.select(sa.func.count()).select_from(Paper))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        runtime.search.poll()
        index = runtime.search.current
        if index is not None and index.num_papers == wanted:
            return
        time.sleep(0.01)
    pytest.fail(f"{wanted} papers not indexed: {runtime.search.failure}")


def category_of(paper_id: object) -> str:
    """Return the category of a paper by its number."""
    assert isinstance(paper_id, int)
    return "cs.CL" if paper_id % 2 else "cs.IR"


def ask(client: TestClient, q: str = "", **params: Any) -> dict[str, Any]:
    """Return the answer to a search."""
    answer = client.get("/v1/search", params={"q": q} | params)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def ids(document: dict[str, Any]) -> list[int]:
    """Return the numbers of the papers of a page."""
    return [int(item["paper"]["id"].split(".")[1]) for item in document["items"]]


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


def test_pages_never_repeat_a_paper_while_the_index_changes(
    found: TestClient, database: Database, runtime: Runtime
) -> None:
    page = ask(found, "", limit=2)
    seen = ids(page)
    assert page["counts"] is not None
    number = 10
    while page["next"]:
        write(database, runtime, {number: (f"A newer one {number}", "x")})
        page = ask(found, "", limit=2, cursor=page["next"])
        assert page["counts"] is None
        assert page["total"] == 5
        seen += ids(page)
        number += 1
    assert seen == [5, 4, 3, 2, 1]


def test_a_paper_removed_meanwhile_leaves_no_gap(found: TestClient, database: Database, runtime: Runtime) -> None:
    page = ask(found, "", limit=2)
    with database.write() as session:
        session.execute(sa.delete(PaperCategory).where(PaperCategory.paper_id == 3))
        session.execute(sa.delete(Paper).where(Paper.paper_id == 3))
    runtime.papers.forget([3])
    following = ask(found, "", limit=2, cursor=page["next"])
    assert ids(following) == [2, 1]
    assert [item["rank"] for item in following["items"]] == [3, 4]
    assert following["next"] is None


def test_a_cursor_is_for_its_own_search(found: TestClient) -> None:
    cursor = ask(found, "", limit=2)["next"]
    for params in ({"q": "attention"}, {"q": "", "sort": "oldest"}, {"q": "", "categories": "cs.CL"}):
        answer = found.get("/v1/search", params={**params, "cursor": cursor})
        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-cursor"
    assert found.get("/v1/search", params={"cursor": cursor[:8] + "AAAA" + cursor[12:]}).status_code == 422


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


def test_anonymous_answers_may_be_kept_for_a_moment(found: TestClient) -> None:
    answer = found.get("/v1/search", params={"q": "attention"})
    assert answer.headers["cache-control"] == "public, max-age=15"
    assert answer.headers["vary"] == "Authorization, X-User"
    again = found.get("/v1/search", params={"q": "attention"}, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert found.get("/v1/search", params={"q": "graph"}).headers["etag"] != answer.headers["etag"]


def test_answers_to_somebody_are_kept_by_nobody(found: TestClient, as_ada: dict[str, str]) -> None:
    for personal in ("false", "true"):
        answer = found.get("/v1/search", params={"q": "attention", "personal": personal}, headers=as_ada)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-store"
        assert "etag" not in answer.headers


def test_a_personal_search_needs_a_reader(found: TestClient, as_ada: dict[str, str]) -> None:
    assert found.get("/v1/search", params={"personal": "true"}).status_code == 401
    service = {"Authorization": as_ada["Authorization"]}
    assert found.get("/v1/search", params={"personal": "true"}, headers=service).status_code == 400
    assert found.get("/v1/search", headers={"Authorization": "Bearer pf_wrong"}).status_code == 401


@pytest.mark.parametrize("reader", ["ada", None])
def test_a_personal_search_needs_a_token_that_may_read(
    found: TestClient, token_of: Callable[..., str], reader: str | None
) -> None:
    headers = {"Authorization": f"Bearer {token_of('write', reader=reader)}", "X-User": "ada"}
    answer = found.get("/v1/search", params={"q": "attention", "personal": "true"}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["scope"] == "read"
    assert found.get("/v1/search", params={"q": "attention"}, headers=headers).status_code == 200


def test_a_personal_cursor_is_nobody_elses(found: TestClient, as_ada: dict[str, str]) -> None:
    params: dict[str, str] = {"q": "", "limit": "1", "personal": "true"}
    cursor = found.get("/v1/search", params=params, headers=as_ada).json()["next"]
    assert found.get("/v1/search", params={**params, "cursor": cursor}, headers=as_ada).status_code == 200
    assert found.get("/v1/search", params={"q": "", "limit": 1, "cursor": cursor}).status_code == 422


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
