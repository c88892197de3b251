"""The daily lists, papers by publication and search, as stock clients ask for them."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.hub_asking import DAILY_PARAMETERS, FOUND_PARAMETERS, PUBLISHED_PARAMETERS
from api.runtime.state import Runtime
from api.services.trending import forget_boards
from api.store.engine import Database
from api.store.tables import Event
from recommender.domain import EventKind
from tests.api.hub_world import LAST_WEEK, MONDAY, daily_row, insert_papers, insert_readers, vote
from tests.api.routes.hub_fixtures import error_of, ids_of, let_changes_be_seen

TUESDAY = MONDAY + timedelta(days=1)
NOVEMBER = MONDAY.replace(month=11)


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; the SQL of the lists is tested on both kinds elsewhere."""
    return sqlite_database


@pytest.fixture(autouse=True)
def _world(database: Database, client: TestClient) -> None:
    forget_boards()
    insert_readers(database, 1, 2)
    insert_papers(
        database,
        daily_row(1, NOVEMBER, upvotes=90),
        daily_row(2, LAST_WEEK, upvotes=5, submitted_by="ada"),
        daily_row(3, MONDAY, upvotes=10),
        daily_row(4, MONDAY + timedelta(hours=1), upvotes=12, submitted_by="ada"),
        daily_row(5, MONDAY + timedelta(hours=2), upvotes=10),
        daily_row(6, TUESDAY, upvotes=0),
        daily_row(7, None, published_at=TUESDAY),
    )


def test_without_a_date_the_newest_come_first(client: TestClient) -> None:
    assert ids_of(client) == ["6", "5", "4", "3", "2", "1"]
    assert ids_of(client, "?sort=publishedAt&limit=2") == ["6", "5"]


def test_a_day_has_the_most_upvoted_first_and_the_newest_of_equals(client: TestClient) -> None:
    assert ids_of(client, "?date=2025-12-08") == ["4", "5", "3"]
    assert ids_of(client, "?date=2025-12-10") == []


def test_votes_of_readers_count_in_order_and_number(client: TestClient, database: Database, runtime: Runtime) -> None:
    for user_id in (1, 2):
        vote(database, user_id, 3, EventKind.UPVOTE, at=MONDAY)
    vote(database, 1, 5, EventKind.UPVOTE, at=MONDAY)
    vote(database, 2, 4, EventKind.UPVOTE, at=MONDAY)
    let_changes_be_seen(runtime)
    items = client.get("/api/daily_papers?date=2025-12-08").json()
    assert [(item["paper"]["id"][-1], item["upvotes"], item["paper"]["upvotes"]) for item in items] == [
        ("4", 13, 13),
        ("3", 12, 12),
        ("5", 11, 11),
    ]
    assert client.get("/api/papers/2512.00003").json()["upvotes"] == 12


def test_weeks_and_months_go_by_the_day_of_the_daily_list(client: TestClient) -> None:
    assert ids_of(client, "?week=2025-W50") == ["6", "5", "4", "3"]
    assert ids_of(client, "?week=2025-W49") == ["2"]
    assert ids_of(client, "?month=2025-12") == ["6", "5", "4", "3", "2"]
    assert ids_of(client, "?month=2025-11") == ["1"]


def test_a_submitter_narrows_every_list(client: TestClient) -> None:
    assert ids_of(client, "?submitter=ada") == ["4", "2"]
    assert ids_of(client, "?submitter=ada&date=2025-12-08") == ["4"]
    assert ids_of(client, "?submitter=ada&sort=trending") == ["4", "2"]
    assert ids_of(client, "?submitter=nobody") == ids_of(client, "?submitter=") == []


def test_pages_lead_to_each_other_by_link_and_end(client: TestClient) -> None:
    seen: list[str] = []
    following: str | None = "/api/daily_papers?limit=4&month=2025-12&unknown=x"
    while following is not None:
        answer = client.get(following)
        seen += [item["paper"]["id"][-1] for item in answer.json()]
        following = answer.links.get("next", {}).get("url")
        if following is not None:
            assert following.startswith("http://testserver/api/daily_papers?")
    assert seen == ["6", "5", "4", "3", "2"]
    for path in ("/api/daily_papers?", "/api/daily_papers?sort=trending&", "/api/papers?"):
        for page in (7, 99, 9_999, 99_999_999_999_999_999_999):
            past = client.get(f"{path}p={page}")
            assert (past.json(), "link" in past.headers) == ([], False)


@pytest.mark.parametrize("query", ["?date=2025-12-08&limit=1", "?sort=trending&limit=1", "?limit=1"])
def test_every_order_has_pages(client: TestClient, query: str) -> None:
    whole = ids_of(client, query.replace("limit=1", "limit=100"))
    paged: list[str] = []
    following: str | None = f"/api/daily_papers{query}"
    while following is not None:
        answer = client.get(following)
        paged += [item["paper"]["id"][-1] for item in answer.json()]
        following = answer.links.get("next", {}).get("url")
    assert paged == whole
    assert len(whole) == len(set(whole)) >= 3


def test_a_host_that_is_none_gets_no_say_in_the_link(client: TestClient) -> None:
    answer = client.get("/api/daily_papers?limit=1", headers={"Host": 'evil>; rel="next", <x'})
    assert answer.headers["link"] == '</api/daily_papers?limit=1&p=1>; rel="next"'


def test_a_link_names_the_host_that_was_asked_and_believes_no_stranger_about_https(client: TestClient) -> None:
    headers = {"X-Forwarded-Proto": "https", "Host": "papers.example.org:8000"}
    answer = client.get("/api/daily_papers?limit=1", headers=headers)
    assert answer.headers["link"].startswith("<http://papers.example.org:8000/")
    assert client.get("https://testserver/api/daily_papers?limit=1").headers["link"].startswith("<https://testserver/")


def test_trending_is_an_order_of_the_same_papers(client: TestClient) -> None:
    assert set(ids_of(client, "?sort=trending")) == set(ids_of(client))


def test_what_readers_do_now_is_trending(client: TestClient, database: Database) -> None:
    now = datetime.now(UTC)
    vote(database, 1, 2, EventKind.SAVE, at=now)
    vote(database, 2, 2, EventKind.SAVE, at=now)
    vote(database, 1, 1, EventKind.UPVOTE, at=now)
    vote(database, 1, 7, EventKind.SAVE, at=now)  # in no daily list
    with database.write() as session:
        session.execute(sa.update(Event).values(received_at=now))
    forget_boards()
    assert ids_of(client, "?sort=trending") == ["2", "1", "6", "5", "4", "3"]
    assert ids_of(client, "?sort=trending&month=2025-12") == ["2", "4", "5", "3", "6"]  # the others by votes
    assert ids_of(client, "?sort=trending&limit=3&p=1") == ["5", "4", "3"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/daily_papers?limit=0", "limit"),
        ("/api/daily_papers?limit=101", "1 to 100"),
        ("/api/daily_papers?p=-1", "`p`"),
        ("/api/daily_papers?date=yesterday", "date"),
        ("/api/daily_papers?week=2025-W60", "week"),
        ("/api/daily_papers?month=2025-13", "month"),
        ("/api/daily_papers?sort=best", "for_you"),
        ("/api/papers?limit=x", "limit"),
        ("/api/papers/search?q=a&limit=121", "1 to 120"),
        (f"/api/papers/search?q={'x' * 251}", "250"),
    ],
)
def test_invalid_parameters_are_400(client: TestClient, path: str, words: str) -> None:
    status, error = error_of(client.get(path))
    assert status == 400
    assert words in error


def test_unknown_parameters_are_ignored(client: TestClient) -> None:
    assert ids_of(client, "?colour=green&limit=1&date[]=x") == ["6"]


def test_papers_by_publication_are_records_of_all_lists(client: TestClient) -> None:
    answer = client.get("/api/papers?limit=2")
    assert [(record["id"], record["numComments"]) for record in answer.json()] == [("2512.00007", 2), ("2512.00006", 2)]
    assert answer.links["next"]["url"] == "http://testserver/api/papers?limit=2&p=1"


def test_search_answers_items_of_all_papers(client: TestClient) -> None:
    found = client.get("/api/papers/search?q=ladders kind 7&limit=120").json()
    assert found[0]["paper"]["id"] == "2512.00007"
    assert found[0]["publishedAt"].endswith("Z")  # of a paper in no daily list: its place in the others
    assert client.get("/api/papers/search?q=nothingwhatsoever").json() == []


def test_search_without_words_shows_the_newest(client: TestClient) -> None:
    found = client.get("/api/papers/search?limit=1").json()
    assert [item["paper"]["id"] for item in found] == ["2512.00006"]


def test_withdrawn_and_removed_papers_are_in_no_list(client: TestClient, database: Database, runtime: Runtime) -> None:
    insert_papers(
        database, daily_row(8, TUESDAY, withdrawn_at=TUESDAY), daily_row(9, TUESDAY, deleted_at=TUESDAY, upvotes=99)
    )
    let_changes_be_seen(runtime)
    for query in ("", "?date=2025-12-09", "?sort=trending"):
        assert not {"8", "9"} & set(ids_of(client, query))
    assert client.get("/api/papers/2512.00008").status_code == 200
    assert error_of(client.get("/api/papers/2512.00009"))[0] == 404


def test_a_list_costs_the_same_few_statements_whatever_its_length(
    client: TestClient, statements: list[str], runtime: Runtime
) -> None:
    counts = []
    for query in ("?limit=1", "?limit=6", "?date=2025-12-08"):
        let_changes_be_seen(runtime)
        statements.clear()
        ids_of(client, query)
        counts.append(len([one for one in statements if one.startswith("SELECT")]))
    assert max(counts) <= 4
    statements.clear()
    ids_of(client, "?limit=6")
    assert statements == []


@pytest.mark.parametrize("query", ["date=2025-12-08", "month=2025-12&sort=trending", "date=2025-12-08&sort=trending"])
def test_all_pages_of_a_span_are_cut_from_one_order(client: TestClient, statements: list[str], query: str) -> None:
    whole = ids_of(client, f"?{query}&limit=6")
    statements.clear()
    paged = [ids_of(client, f"?{query}&limit=1&p={page}") for page in range(len(whole))]
    assert [one for page in paged for one in page] == whole
    assert ids_of(client, f"?{query}&limit=6&p=900") == []
    assert not any("daily_at >=" in one for one in statements)


def test_a_vote_reorders_pages_that_were_never_asked_for(
    client: TestClient, database: Database, runtime: Runtime
) -> None:
    assert ids_of(client, "?date=2025-12-08&limit=1") == ["4"]
    for user_id in (1, 2):
        vote(database, user_id, 3, EventKind.UPVOTE, at=MONDAY)
    let_changes_be_seen(runtime)
    assert ids_of(client, "?date=2025-12-08&limit=2") == ["4", "3"]
    assert ids_of(client, "?date=2025-12-08&limit=2&p=1") == ["5"]


@pytest.mark.parametrize("path", ["/api/daily_papers", "/api/papers"])
def test_a_link_repeats_no_unknown_parameters(client: TestClient, path: str) -> None:
    answer = client.get(f"{path}?limit=1&colour=green&p=1")
    assert answer.links["next"]["url"] == f"http://testserver{path}?limit=1&p=2"


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/api/daily_papers", "limit=1"),
        ("/api/papers", "limit=1"),
        ("/api/papers/search", "q=ladders"),
        ("/api/papers/2512.00003", "field=comments"),
        ("/api/arxiv/2512.00003/repos", ""),
        ("/papers/2512.00003.md", ""),
    ],
)
def test_whatever_else_a_query_says_is_one_answer(client: TestClient, runtime: Runtime, path: str, known: str) -> None:
    first = client.get(f"{path}?{known}")
    for other in ("x=1", "x=2", "date[]=x&y=", "&&", known):
        again = client.get(f"{path}?{known}&{other}")
        assert again.headers["etag"] == first.headers["etag"]
    assert len(runtime.answers) == 1


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/api/daily_papers", DAILY_PARAMETERS),
        ("/api/papers", PUBLISHED_PARAMETERS),
        ("/api/papers/search", FOUND_PARAMETERS),
    ],
)
def test_known_parameters_are_those_that_are_documented(client: TestClient, path: str, known: frozenset[str]) -> None:
    parameters = client.get("/openapi.json").json()["paths"][path]["get"]["parameters"]
    assert {one["name"] for one in parameters if one["in"] == "query"} == known
