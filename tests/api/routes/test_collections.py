"""Collections over HTTP: whose they are, who sees them, what saving through them does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.services import collection_items
from api.store.engine import Database
from api.store.tables import Event, Paper
from api.store.tables_collections import PaperCollection
from recommender.domain import EventKind
from tests.api.routes.conftest import count_rows

Json = dict[str, Any]


class Reader:
    """A reader with a token of their own."""

    def __init__(self, client: TestClient, token: str | None) -> None:
        self.client = client
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: object = None, *, status: int = 200, **params: Any) -> Any:
        answer = self.client.request(method, f"/api/collections{path}", json=body, params=params, headers=self.headers)
        assert answer.status_code == status, answer.text
        if status >= 400:
            assert isinstance(answer.json()["error"], str)
        return answer.json()

    def make(self, title: str, **fields: object) -> str:
        slug: str = self.ask("POST", "", {"title": title, **fields})["slug"]
        return "/" + slug

    def add(self, slug: str, paper: str, *, status: int = 200, **fields: object) -> Json:
        found: Json = self.ask(
            "POST", f"{slug}/items", {"item": {"id": paper, "type": "paper"}, **fields}, status=status
        )
        return found

    def papers(self, slug: str) -> list[str]:
        return [item["id"] for item in self.ask("GET", slug)["items"]]

    def slugs(self, **params: Any) -> list[str]:
        return [found["slug"] for found in self.ask("GET", "", **params)]


@pytest.fixture
def reader_of(client: TestClient, token_of: Callable[..., str]) -> Callable[..., Reader]:
    def make(name: str | None, *scopes: str) -> Reader:
        return Reader(client, None if name is None else token_of(*scopes, reader=name))

    return make


@pytest.fixture
def ada(reader_of: Callable[..., Reader], papers: list[str]) -> Reader:
    return reader_of("ada")


@pytest.fixture
def eve(reader_of: Callable[..., Reader]) -> Reader:
    return reader_of("eve")


@pytest.fixture
def nobody(reader_of: Callable[..., Reader]) -> Reader:
    return reader_of(None)


def kinds(database: Database) -> list[EventKind]:
    with database.read() as session:
        return [EventKind(kind) for kind in session.scalars(sa.select(Event.kind).order_by(Event.event_pk))]


LIBRARY = "/ada/library"


def test_every_reader_has_a_library_before_anything_is_written(ada: Reader, database: Database) -> None:
    library = ada.ask("GET", LIBRARY)
    assert (library["title"], library["owner"], library["items"]) == ("Library", "ada", [])
    assert library["private"]
    assert library["position"] == 0
    assert ada.slugs(owner="ada") == ["ada/library"]
    assert count_rows(database, PaperCollection) == 0


def test_a_paper_put_into_the_library_is_saved(ada: Reader, papers: list[str], database: Database) -> None:
    answer = ada.add(LIBRARY, f"arXiv:{papers[1]}v3")
    assert [(item["id"], item["type"], item["position"]) for item in answer["items"]] == [(papers[1], "paper", 0)]
    assert kinds(database) == [EventKind.SAVE]
    saved = ada.client.get("/v1/me/library", headers=ada.headers).json()["items"]
    assert [item["paper"]["id"] for item in saved] == [papers[1]]
    hidden = ada.client.get("/v1/me/hidden", headers=ada.headers).json()["items"]
    assert [(item["paper"]["id"], item["why"]) for item in hidden] == [(papers[1], "saved")]


def test_a_paper_saved_elsewhere_is_in_the_library_collection(ada: Reader, papers: list[str]) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    events = [
        {
            "id": f"0f8fad5b-d9cb-469f-a165-70867728950{at}",
            "kind": "save",
            "paper_id": paper,
            "occurred_at": (start + timedelta(minutes=at)).isoformat(),
        }
        for at, paper in enumerate([papers[2], papers[0]])
    ]
    ada.client.post("/v1/events", json={"events": events}, headers=ada.headers)
    library = ada.ask("GET", LIBRARY)
    assert [item["id"] for item in library["items"]] == [papers[2], papers[0]]
    changed = datetime.fromisoformat(library["lastUpdated"])
    assert abs(changed - (start + timedelta(minutes=1))) < timedelta(milliseconds=1)


def test_taking_a_paper_out_of_the_library_unsaves_it(ada: Reader, papers: list[str], database: Database) -> None:
    item = ada.add(LIBRARY, papers[0], note="mine")["items"][0]
    ada.ask("DELETE", f"{LIBRARY}/items/{item['_id']}")
    assert ada.papers(LIBRARY) == []
    assert kinds(database) == [EventKind.SAVE, EventKind.UNSAVE]
    ada.ask("DELETE", f"{LIBRARY}/items/{item['_id']}", status=404)
    assert "note" not in ada.add(LIBRARY, papers[0])["items"][0]


def test_a_paper_in_any_collection_is_saved_once(ada: Reader, papers: list[str], database: Database) -> None:
    first, second = ada.make("First"), ada.make("Second")
    ada.add(first, papers[0])
    ada.add(second, papers[0])
    assert kinds(database) == [EventKind.SAVE]
    assert ada.papers(LIBRARY) == ada.papers(first) == ada.papers(second) == [papers[0]]


def test_taking_a_paper_out_of_another_collection_leaves_it_saved(
    ada: Reader, papers: list[str], database: Database
) -> None:
    slug = ada.make("Later")
    item = ada.add(slug, papers[0])["items"][0]
    ada.ask("DELETE", f"{slug}/items/{item['_id']}")
    assert ada.papers(slug) == []
    assert ada.papers(LIBRARY) == [papers[0]]
    assert kinds(database) == [EventKind.SAVE]


@pytest.mark.parametrize("is_library", [True, False])
def test_a_paper_that_is_there_is_a_conflict_and_changes_nothing(
    ada: Reader, papers: list[str], database: Database, *, is_library: bool
) -> None:
    slug = LIBRARY if is_library else ada.make("List")
    ada.add(slug, papers[0], note="first")
    ada.add(slug, papers[0], note="second", status=409)
    assert ada.ask("GET", slug)["items"][0]["note"] == {"text": "first"}
    assert kinds(database) == [EventKind.SAVE]


@pytest.mark.parametrize("is_library", [True, False])
def test_items_move_and_new_ones_come_last(ada: Reader, papers: list[str], *, is_library: bool) -> None:
    slug = LIBRARY if is_library else ada.make("List")
    for paper in papers[:4]:
        ada.add(slug, paper)
    ids = {item["id"]: item["_id"] for item in ada.ask("GET", slug)["items"]}
    ada.ask("PATCH", f"{slug}/items/{ids[papers[2]]}", {"position": 0})
    assert ada.papers(slug) == [papers[2], papers[0], papers[1], papers[3]]
    ada.ask("PATCH", f"{slug}/items/{ids[papers[0]]}", {"position": 99})
    assert ada.papers(slug) == [papers[2], papers[1], papers[3], papers[0]]
    ada.ask("DELETE", f"{slug}/items/{ids[papers[1]]}")
    ada.add(slug, papers[4])
    ada.ask("PATCH", f"{slug}/items/{ids[papers[3]]}", {"position": 2})
    assert ada.papers(slug) == [papers[2], papers[0], papers[3], papers[4]]
    assert [item["position"] for item in ada.ask("GET", slug)["items"]] == [0, 1, 2, 3]


@pytest.mark.parametrize("is_library", [True, False])
def test_notes_are_kept_replaced_and_taken_away(ada: Reader, papers: list[str], *, is_library: bool) -> None:
    slug = LIBRARY if is_library else ada.make("List")
    item = ada.add(slug, papers[0], note="Read section 3.")["items"][0]
    assert item["note"] == {"text": "Read section 3."}
    path = f"{slug}/items/{item['_id']}"
    ada.ask("PATCH", path, {"note": "Read it all."})
    ada.ask("PATCH", path, {})
    assert ada.ask("GET", slug)["items"][0]["note"] == {"text": "Read it all."}
    ada.ask("PATCH", path, {"note": ""})
    assert "note" not in ada.ask("GET", slug)["items"][0]
    ada.ask("PATCH", path, {"note": "x" * 501}, status=400)


def test_what_is_no_known_paper_is_refused(ada: Reader, database: Database) -> None:
    for item, status in (
        ({"id": "2401.99999", "type": "paper"}, 404),
        ({"id": "\u0007", "type": "paper"}, 400),
        ({"id": "someone/some-model", "type": "model"}, 404),
        ({"id": "2401.00001", "type": "poem"}, 400),
        ({"id": "2401.00001"}, 400),
    ):
        ada.ask("POST", f"{LIBRARY}/items", {"item": item}, status=status)
    assert kinds(database) == []


def test_a_paper_that_its_source_removed_is_in_no_collection(
    ada: Reader, papers: list[str], database: Database
) -> None:
    slug = ada.make("List")
    item = ada.add(slug, papers[0])["items"][0]["_id"]
    with database.write() as session:
        session.execute(sa.update(Paper).where(Paper.external_id == papers[0]).values(deleted_at=datetime.now(UTC)))
    assert ada.papers(slug) == ada.papers(LIBRARY) == []
    ada.add(ada.make("Other"), papers[0], status=404)
    ada.ask("DELETE", f"{slug}/items/{item}", status=404)


def test_a_full_collection_refuses_a_paper_before_anything_is_recorded(
    ada: Reader, papers: list[str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection_items, "MOST_ITEMS", 1)
    slug = ada.make("List")
    ada.add(slug, papers[0])
    ada.add(slug, papers[1], status=400)
    assert kinds(database) == [EventKind.SAVE]
    assert ada.papers(LIBRARY) == [papers[0]]


def test_a_paper_that_its_source_removed_takes_no_room(
    ada: Reader, papers: list[str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection_items, "MOST_ITEMS", 1)
    slug = ada.make("List")
    ada.add(slug, papers[0])
    with database.write() as session:
        session.execute(sa.update(Paper).where(Paper.external_id == papers[0]).values(deleted_at=datetime.now(UTC)))
    ada.add(slug, papers[1])
    assert ada.papers(slug) == [papers[1]]


def test_a_save_moves_a_library_that_has_a_row_to_the_front(ada: Reader, eve: Reader, papers: list[str]) -> None:
    ada.ask("PATCH", LIBRARY, {"private": False})
    slug = eve.make("Newer")[1:]
    assert eve.slugs(sort="lastModified")[-1] == "ada/library"
    event = {"id": "0f8fad5b-d9cb-469f-a165-708677289501", "kind": "save", "paper_id": papers[0]}
    event["occurred_at"] = datetime.now(UTC).isoformat()
    ada.client.post("/v1/events", json={"events": [event]}, headers=ada.headers)
    found = eve.ask("GET", "", sort="lastModified")
    assert [one["slug"] for one in found].index("ada/library") < [one["slug"] for one in found].index(slug)
    changed = datetime.fromisoformat(found[0]["lastUpdated"])
    assert abs(changed - datetime.fromisoformat(event["occurred_at"])) < timedelta(milliseconds=1)


def test_a_title_of_ones_own_is_taken_once_and_its_slug_is_said(ada: Reader, eve: Reader) -> None:
    slug = ada.make("Recent models")
    said = ada.ask("POST", "", {"title": "recent  Models!"}, status=409)
    assert "/" + said["slug"] == slug
    assert ada.ask("POST", "", {"title": "Library"}, status=409)["slug"] == "ada/library"
    eve.make("Recent models")


def test_a_slug_keeps_its_end_when_the_title_changes_and_the_old_one_still_leads_there(ada: Reader) -> None:
    slug = ada.make("Recent models")
    data = ada.ask("PATCH", slug, {"title": "Ältere Modelle", "theme": "pink", "description": "Von früher."})["data"]
    assert data["slug"].startswith("ada/altere-modelle-")
    assert data["slug"][-24:] == slug[-24:]
    assert ada.ask("GET", slug) == data
    assert (data["theme"], data["description"]) == ("pink", "Von früher.")
    assert "description" not in ada.ask("PATCH", slug, {"description": ""})["data"]


def test_another_collections_title_cannot_be_taken(ada: Reader) -> None:
    ada.make("First")
    second = ada.make("Second")
    ada.ask("PATCH", second, {"title": "FIRST"}, status=409)
    assert ada.ask("PATCH", second, {"title": "second!"})["data"]["title"] == "second!"


def test_the_library_can_be_renamed_and_shown_but_not_deleted(ada: Reader, eve: Reader, papers: list[str]) -> None:
    ada.add(LIBRARY, papers[0])
    eve.ask("GET", LIBRARY, status=404)
    data = ada.ask("PATCH", LIBRARY, {"title": "What I read", "private": False})["data"]
    assert (data["slug"], data["title"]) == ("ada/library", "What I read")
    assert eve.papers(LIBRARY) == [papers[0]]
    ada.ask("DELETE", LIBRARY, status=403)
    assert ada.papers(LIBRARY) == [papers[0]]


def test_a_deleted_collection_is_gone_and_its_papers_stay_saved(ada: Reader, papers: list[str]) -> None:
    slug = ada.make("List")
    ada.add(slug, papers[0])
    ada.ask("DELETE", slug)
    ada.ask("GET", slug, status=404)
    ada.ask("DELETE", slug, status=404)
    assert ada.papers(LIBRARY) == [papers[0]]


def test_a_private_collection_is_hidden_from_everybody_else(
    ada: Reader, eve: Reader, nobody: Reader, papers: list[str]
) -> None:
    slug = ada.make("Secret", private=True)
    item = ada.add(slug, papers[0])["items"][0]["_id"]
    for other in (eve, nobody):
        other.ask("GET", slug, status=404)
        assert slug[1:] not in other.slugs()
        assert other.slugs(item=f"papers/{papers[0]}") == []
    assert slug[1:] in ada.slugs()
    eve.ask("PATCH", slug, {"title": "Mine"}, status=404)
    eve.ask("DELETE", slug, status=404)
    eve.add(slug, papers[1], status=404)
    eve.ask("DELETE", f"{slug}/items/{item}", status=404)
    eve.ask("PATCH", f"{slug}/items/{item}", {"note": "x"}, status=404)


def test_a_public_collection_is_read_by_all_and_written_by_its_owner_alone(
    ada: Reader, eve: Reader, nobody: Reader, papers: list[str], database: Database
) -> None:
    slug = ada.make("Open")
    item = ada.add(slug, papers[0])["items"][0]["_id"]
    before = kinds(database)
    for method, path, body in (
        ("PATCH", slug, {"title": "Mine"}),
        ("DELETE", slug, None),
        ("POST", f"{slug}/items", {"item": {"id": papers[1], "type": "paper"}}),
        ("PATCH", f"{slug}/items/{item}", {"note": "x"}),
        ("DELETE", f"{slug}/items/{item}", None),
        ("POST", f"{slug}/resource-group", {"resourceGroupId": None}),
    ):
        eve.ask(method, path, body, status=403)
        nobody.ask(method, path, body, status=401)
    nobody.ask("POST", "", {"title": "Mine"}, status=401)
    assert eve.papers(slug) == nobody.papers(slug) == [papers[0]]
    assert kinds(database) == before


def test_a_token_that_only_reads_writes_nothing(reader_of: Callable[..., Reader], papers: list[str]) -> None:
    reading = reader_of("ada", "read")
    reading.add(LIBRARY, papers[0], status=403)
    reading.ask("POST", "", {"title": "List"}, status=403)
    assert reading.papers(LIBRARY) == []


def test_a_token_that_only_writes_sees_what_everybody_sees(reader_of: Callable[..., Reader], papers: list[str]) -> None:
    writing = reader_of("ada", "write")
    writing.ask("GET", LIBRARY, status=404)
    assert writing.slugs() == []


def test_a_token_that_only_writes_learns_nothing_of_private_collections(
    ada: Reader, reader_of: Callable[..., Reader], papers: list[str], database: Database
) -> None:
    slug = ada.make("Secret", private=True)
    item = ada.add(slug, papers[0])["items"][0]["_id"]
    before = kinds(database)
    writing = reader_of("ada", "write")
    for method, path, body in (
        ("POST", "", {"title": "Secret"}),
        ("PATCH", slug, {"theme": "green"}),
        ("DELETE", slug, None),
        ("POST", f"{slug}/items", {"item": {"id": papers[1], "type": "paper"}}),
        ("PATCH", f"{slug}/items/{item}", {"note": "x"}),
        ("DELETE", f"{slug}/items/{item}", None),
        ("POST", f"{slug}/resource-group", {"resourceGroupId": None}),
    ):
        assert "scope `read`" in writing.ask(method, path, body, status=403)["error"]
    assert ada.papers(slug) == [papers[0]]
    assert kinds(database) == before


def test_a_service_acts_for_the_reader_it_names(client: TestClient, as_ada: dict[str, str], papers: list[str]) -> None:
    service = Reader(client, None)
    service.headers = {"Authorization": as_ada["Authorization"]}
    service.ask("POST", "", {"title": "List"}, status=400)
    assert service.slugs() == []
    service.headers["X-User"] = "somebody new"
    slug = "/somebody~20new/library"
    assert service.add(slug, papers[0])["owner"] == "somebody~20new"
    assert service.papers(slug) == [papers[0]]


def test_collections_are_made_in_ones_own_name_only(ada: Reader) -> None:
    assert ada.make("List", namespace="ada")
    ada.ask("POST", "", {"title": "Other", "namespace": "eve"}, status=403)
    ada.ask("POST", "", {"title": "Other", "resourceGroupId": "a" * 24}, status=400)


def test_a_collection_that_cannot_be_is_refused(ada: Reader) -> None:
    for body in (
        {},
        {"title": ""},
        {"title": "x" * 201},
        {"title": "x", "description": "x" * 151},
        {"title": "x", "private": "yes"},
        {"title": "x", "theme": "plaid"},
        {"title": "x\u0000"},
        ["title"],
    ):
        ada.ask("POST", "", body, status=400)


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


def test_what_anybody_may_see_has_a_tag_and_what_is_personal_is_never_kept(
    ada: Reader, nobody: Reader, papers: list[str]
) -> None:
    slug = ada.make("Open")
    answer = nobody.client.get(f"/api/collections{slug}")
    assert answer.headers["cache-control"] == "public, no-cache"
    assert "Authorization" in answer.headers["vary"]
    again = nobody.client.get(f"/api/collections{slug}", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    ada.add(slug, papers[0])
    changed = nobody.client.get(f"/api/collections{slug}", headers={"If-None-Match": answer.headers["etag"]})
    assert changed.status_code == 200
    mine = ada.client.get(f"/api/collections{slug}", headers=ada.headers)
    assert mine.headers["cache-control"] == "private, no-store"
    assert "etag" not in mine.headers


def test_what_is_not_there_is_404(ada: Reader) -> None:
    for path in ("/ada/nothing", "/ada/x-0123456789abcdef01234567", "/~zz/library", "/ADA/library", "/eve/library"):
        ada.ask("GET", path, status=404)
        ada.ask("PATCH", path, {"title": "x"}, status=404)
        ada.ask("DELETE", path, status=404)
        ada.add(path, "2401.00001", status=404)


def test_an_item_that_is_not_there_is_404(ada: Reader) -> None:
    for slug in (LIBRARY, ada.make("List")):
        for item in ("0" * 24, "f" * 24, "x", "0" * 23 + "9"):
            ada.ask("PATCH", f"{slug}/items/{item}", {"note": "x"}, status=404)
            ada.ask("DELETE", f"{slug}/items/{item}", status=404)


def test_there_are_no_resource_groups(ada: Reader) -> None:
    slug = ada.make("List")
    ada.ask("POST", f"{slug}/resource-group", {"resourceGroupId": None})
    ada.ask("POST", f"{slug}/resource-group", {"resourceGroupId": "a" * 24}, status=400)


def test_a_revoked_or_invented_token_is_401(client: TestClient) -> None:
    stranger = Reader(client, "pf_0123456789abcdef_" + "x" * 43)
    stranger.ask("GET", "", status=401)
    stranger.ask("POST", "", {"title": "List"}, status=401)


def test_a_public_collection_has_a_page_and_a_private_one_has_none(ada: Reader, papers: list[str]) -> None:
    slug = ada.make("Graphs <b>", description="What we read.")
    ada.add(slug, papers[0], note="Read <i>it</i>.")
    shown = ada.client.get(f"/collections{slug}")
    assert shown.status_code == 200
    assert "Graphs &lt;b&gt;" in shown.text
    assert f'href="/papers/{papers[0]}"' in shown.text
    assert "Read &lt;i&gt;it&lt;/i&gt;." in shown.text
    ada.ask("PATCH", slug, {"private": True})
    for path in (slug, LIBRARY, "/ada/nothing"):
        assert ada.client.get(f"/collections{path}", headers=ada.headers).status_code == 404
