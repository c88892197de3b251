"""The papers of a collection, and what saving through them does."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from api.services import collection_items
from api.store.engine import Database
from api.store.tables import Paper
from api.store.tables_collections import PaperCollection
from recommender.domain import EventKind
from tests.api.routes.collections.readers import LIBRARY, Reader, kinds
from tests.api.routes.conftest import count_rows


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


def test_an_item_that_is_not_there_is_404(ada: Reader) -> None:
    for slug in (LIBRARY, ada.make("List")):
        for item in ("0" * 24, "f" * 24, "x", "0" * 23 + "9"):
            ada.ask("PATCH", f"{slug}/items/{item}", {"note": "x"}, status=404)
            ada.ask("DELETE", f"{slug}/items/{item}", status=404)
