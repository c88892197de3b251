"""Lists of collections: their order, filters and pages."""

from datetime import UTC, datetime

from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables_collections import PaperCollection
from tests.api.routes.collections.readers import Json, Reader
from tests.api.routes.conftest import count_rows


def test_ones_own_list_has_ones_own_order(ada: Reader) -> None:
    slugs = [ada.make(title)[1:] for title in ("A", "B", "C")]
    assert ada.slugs(owner="ada") == ["ada/library", *slugs]
    assert ada.ask("PATCH", f"/{slugs[2]}", {"position": 0})["data"]["position"] == 0
    assert ada.slugs(owner="ada") == [slugs[2], "ada/library", slugs[0], slugs[1]]
    assert ada.ask("GET", f"/{slugs[1]}")["position"] == 3
    assert ada.slugs(owner="ada", sort="lastModified")[0] == slugs[2]


def test_lists_are_filtered_by_owner_paper_and_words(ada: Reader, eve: Reader, papers: list[str]) -> None:
    hers, theirs = ada.make("Graph networks"), eve.make("Diffusion", description="100% graphs")
    ada.add(hers, papers[0])
    eve.add(theirs, papers[0])
    eve.add(theirs, papers[1])
    public = {hers[1:], theirs[1:]}
    assert set(ada.slugs()) == public | {"ada/library"}
    assert ada.slugs(owner="eve") == [theirs[1:]]
    assert set(ada.slugs(owner=["eve", "ada"], q="GRAPH")) == public
    assert ada.slugs(owner="nobody-here") == ada.slugs(owner="\u00e9") == []
    assert set(ada.slugs(item=f"papers/{papers[0]}")) == public | {"ada/library"}
    assert ada.slugs(item=[f"papers/{papers[1]}", "models/some/thing"]) == [theirs[1:]]
    assert ada.slugs(item="models/some/thing") == ada.slugs(item="papers/2401.99999") == []
    assert ada.slugs(q="0%") == [theirs[1:]]
    assert ada.slugs(q="_") == []


def test_an_unwritten_library_is_found_by_what_is_in_it(ada: Reader, papers: list[str], database: Database) -> None:
    event = {"id": "0f8fad5b-d9cb-469f-a165-708677289501", "kind": "save", "paper_id": papers[0]}
    event["occurred_at"] = datetime.now(UTC).isoformat()
    ada.client.post("/v1/events", json={"events": [event]}, headers=ada.headers)
    assert ada.slugs(item=f"papers/{papers[0]}") == ada.slugs(q="librar") == ["ada/library"]
    assert ada.slugs(item=f"papers/{papers[1]}") == ada.slugs(q="other") == ada.slugs(owner="eve") == []
    assert count_rows(database, PaperCollection) == 0


def test_pages_follow_their_links_without_repeat_or_gap(ada: Reader) -> None:
    for number in range(5):
        ada.make(f"List {number}")
    orders: list[Json] = [{"owner": "ada"}, {}, {"sort": "upvotes"}]
    for params in orders:
        whole = ada.slugs(**params)
        assert len(whole) == 6
        for limit in (1, 2, 5, 6):
            assert follow_pages(ada, {**params, "limit": limit}) == whole


def follow_pages(reader: Reader, params: Json) -> list[str]:
    answer = reader.client.get("/api/collections", params=params, headers=reader.headers)
    found = [one["slug"] for one in answer.json()]
    while "next" in answer.links:
        answer = reader.client.get(answer.links["next"]["url"], headers=reader.headers)
        assert 0 < len(answer.json()) <= params["limit"]
        found += [one["slug"] for one in answer.json()]
    return found


def test_a_page_without_a_row_of_the_library_goes_on_after_it(ada: Reader, eve: Reader) -> None:
    slugs = [eve.make(title)[1:] for title in ("A", "B")]
    assert follow_pages(ada, {"limit": 1}) == ["ada/library", *reversed(slugs)]


def test_parameters_that_cannot_be_are_400(nobody: Reader) -> None:
    wrong: list[Json] = [{"sort": "size"}, {"limit": "0"}, {"limit": "x"}, {"cursor": "x"}, {"q": "x" * 251}]
    for params in wrong:
        nobody.ask("GET", "", status=400, **params)
    nobody.ask("GET", "", limit=100_000)  # a page of as many as fit


def test_a_list_shows_the_first_four_papers_and_no_position(ada: Reader, papers: list[str]) -> None:
    slug = ada.make("List")
    for paper in papers:
        ada.add(slug, paper)
    for shown in ada.ask("GET", ""):
        assert [item["id"] for item in shown["items"]] == papers[:4]
        assert "position" not in shown
    assert len(ada.ask("GET", slug)["items"]) == 5


def test_a_list_takes_a_fixed_number_of_statements(
    ada: Reader, papers: list[str], runtime: Runtime, statements: list[str]
) -> None:
    for number in range(3):
        slug = ada.make(f"List {number}")
        ada.add(slug, papers[number])
    ada.slugs()
    statements.clear()
    assert len(ada.slugs()) == 4
    selects = [statement for statement in statements if statement.lstrip().upper().startswith("SELECT")]
    assert len(selects) <= 7  # public and private collections, the row of the library, and four of papers
