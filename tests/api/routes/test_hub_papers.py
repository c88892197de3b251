"""Single papers as stock clients ask for them: records, markdown, pages."""

import pytest
from fastapi.testclient import TestClient

from api.schemas.hub import EXAMPLE_ITEM, EXAMPLE_RECORD
from api.store.engine import Database
from tests.api.hub_world import MONDAY, daily_row, insert_papers
from tests.api.routes.hub_fixtures import error_of

OLD = "hep-th/9901001"
FORMS = ("2512.00001", "2512.00001v3", "arXiv:2512.00001", "arxiv.org/abs/2512.00001v1")
FULL = {
    "project_page": "https://project.example",
    "github_repo": "https://github.com/example/ladders",
    "github_stars": 17,
    "ai_summary": "In short.",
    "thumbnail": "https://cdn.example/1.png",
    "organization": {"name": "northlake", "fullname": "Northlake Institute"},
}


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; records do not depend on its kind."""
    return sqlite_database


@pytest.fixture(autouse=True)
def _world(database: Database, client: TestClient) -> None:
    insert_papers(
        database,
        daily_row(1, MONDAY, **FULL),
        daily_row(2, None, external_id=OLD, title="An old <b>one</b>", authors=[], num_authors=3, summary=""),
    )


@pytest.mark.parametrize("name", FORMS)
def test_a_record_is_found_under_every_form_of_its_id(client: TestClient, name: str) -> None:
    assert client.get(f"/api/papers/{name}").json()["id"] == "2512.00001"
    assert client.get(f"/papers/{name}.md").text.startswith("# Ladders of kind 1\n")
    assert client.get(f"/api/arxiv/{name}/repos").status_code == 200


@pytest.mark.parametrize("name", [OLD, f"{OLD}v2", OLD.replace("/", "%2F")])
def test_old_ids_have_a_slash(client: TestClient, name: str) -> None:
    assert client.get(f"/api/papers/{name}").json()["id"] == OLD
    assert client.get(f"/papers/{name}.md").text.startswith("# An old <b>one</b>\n\n3 authors\n")
    assert client.get(f"/papers/{name}").status_code == 200
    assert client.get(f"/api/arxiv/{name}/repos").json()["models"] == []


@pytest.mark.parametrize("name", ["2512.99999", "nothing", "%00", "x" * 300, "a/b/c", "%F0%9F%98%80", "search/x"])
def test_an_unknown_paper_is_404_everywhere(client: TestClient, name: str) -> None:
    for path in (f"/api/papers/{name}", f"/papers/{name}.md", f"/papers/{name}", f"/api/arxiv/{name}/repos"):
        assert error_of(client.get(path))[0] == 404, path


def test_a_record_has_the_keys_that_clients_read(client: TestClient) -> None:
    record = client.get("/api/papers/2512.00001").json()
    assert record["publishedAt"] == "2025-12-06T00:30:00.000Z"
    assert record["submittedOnDailyAt"] == "2025-12-08T00:30:00.000Z"
    assert record["submittedOnDailyBy"].items() >= {"user": "grace", "name": "grace", "type": "user"}.items()
    assert [author["name"] for author in record["authors"]] == ["Ada Lovelace", "Alan Turing"]
    assert record["organization"].items() >= {"name": "northlake", "fullname": "Northlake Institute"}.items()
    assert {"avatar", "avatarUrl", "_id"} <= set(record["organization"])
    assert (record["projectPage"], record["githubStars"], record["ai_summary"]) == (
        "https://project.example",
        17,
        "In short.",
    )
    assert (record["ai_keywords"], record["numComments"]) == (["ladders"], 2)
    for name in ("Models", "Datasets", "Spaces"):
        assert (record[f"linked{name}"], record[f"numTotal{name}"]) == ([], 0)
    assert set(EXAMPLE_RECORD) <= set(record)
    assert "comments" not in record


def test_comments_are_an_empty_list_for_who_asks(client: TestClient) -> None:
    assert client.get("/api/papers/2512.00001?field=comments").json()["comments"] == []
    assert client.get("/api/papers/2512.00001?field=other").status_code == 200


def test_an_item_repeats_what_clients_read_of_it_alone(client: TestClient) -> None:
    [item] = client.get("/api/daily_papers").json()
    assert set(EXAMPLE_ITEM) <= set(item)
    assert item["publishedAt"] == item["paper"]["submittedOnDailyAt"]
    assert item["submittedBy"] == item["paper"]["submittedOnDailyBy"]
    for name in ("title", "summary", "upvotes", "ai_summary", "ai_keywords", "githubRepo", "githubStars"):
        assert item[name] == item["paper"][name]
    assert item["organization"] == item["paper"]["organization"]
    assert item["projectPage"] == item["paper"]["projectPage"]
    assert (item["numComments"], item["isAuthorParticipating"]) == (2, False)
    assert not {"authors", "comments", "id"} & set(item)  # would replace what clients take from the paper


def test_what_is_not_known_is_left_out_and_counts_are_numbers(client: TestClient) -> None:
    record = client.get(f"/api/papers/{OLD}").json()
    assert record["authors"] == []
    assert not {"organization", "projectPage", "githubRepo", "submittedOnDailyAt", "ai_summary"} & set(record)
    assert (record["upvotes"], record["numComments"]) == (2, 2)


def test_a_paper_without_a_day_of_publication_has_one_of_arrival(client: TestClient, database: Database) -> None:
    insert_papers(database, daily_row(3, MONDAY, published_at=None))
    items = client.get("/api/daily_papers").json()
    item = next(item for item in items if item["paper"]["id"] == "2512.00003")
    assert item["paper"]["publishedAt"] is None
    assert item["submittedOnDailyAt"] == item["publishedAt"] == "2025-12-08T00:30:00.000Z"


def test_markdown_has_title_facts_and_summaries(client: TestClient) -> None:
    answer = client.get("/papers/2512.00001.md")
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text.splitlines()[0] == "# Ladders of kind 1"
    for line in (
        "Ada Lovelace, Alan Turing",
        "* Organisation: Northlake Institute",
        "* arXiv: https://arxiv.org/abs/2512.00001",
        "* Code: https://github.com/example/ladders",
        "* Upvotes: 1",
        "In short.",
        "What paper 1 says.",
    ):
        assert line in answer.text.splitlines()


def test_a_withdrawn_paper_says_so(client: TestClient, database: Database) -> None:
    insert_papers(database, daily_row(4, MONDAY, withdrawn_at=MONDAY))
    assert "withdrawn by its authors" in client.get("/papers/2512.00004.md").text
    assert "withdrawn by its authors" in client.get("/papers/2512.00004").text


@pytest.mark.parametrize(
    ("accept", "is_markdown"),
    [
        ("text/markdown", True),
        ("text/markdown, text/html;q=0.5", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("text/html, text/markdown", False),
        ("*/*", False),
    ],
)
def test_a_papers_address_answers_markdown_to_who_prefers_it(
    client: TestClient, accept: str, is_markdown: bool
) -> None:
    for _ in range(2):  # the second from memory, if that is where it is
        answer = client.get("/papers/2512.00001", headers={"Accept": accept})
        assert ("text/markdown" in answer.headers["content-type"]) == is_markdown
        assert answer.headers["vary"] == ("Accept" if is_markdown else "Accept, Cookie")


def test_a_page_shows_text_as_text_and_links_web_addresses_only(client: TestClient, database: Database) -> None:
    insert_papers(database, daily_row(5, None, project_page="javascript:alert(1)", github_repo="https://code.example"))
    page = client.get(f"/papers/{OLD}").text
    assert "An old &lt;b&gt;one&lt;/b&gt;" in page
    assert "<b>one" not in page
    page = client.get("/papers/2512.00005").text
    assert "javascript:" not in page
    assert 'href="https://code.example"' in page


def test_an_unknown_paper_is_a_page_for_a_browser(client: TestClient) -> None:
    answer = client.get("/papers/2512.99999", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_these_answers_need_no_token_and_are_the_same_with_any(client: TestClient) -> None:
    for path in ("/api/papers/2512.00001", "/papers/2512.00001.md", "/api/daily_papers"):
        without = client.get(path)
        wrong = client.get(path, headers={"Authorization": "Bearer hf_of_another_service"})
        assert (wrong.status_code, wrong.content) == (200, without.content)
        assert wrong.headers["cache-control"] == without.headers["cache-control"] == "public, max-age=15"
