"""Every method, parameter and error of released clients that read and write collections."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from api.store.tables import Event, User
from recommender.domain import EventKind
from tests.compat import seed
from tests.compat.clients import HubClient, Released
from tests.compat.conftest import Server
from tests.compat.test_papers import refused

pytestmark = [pytest.mark.compat, pytest.mark.timeout(600)]

FIRST, SECOND, THIRD = (seed.id_of(number) for number in (1, 2, 3))
ERROR = "HfHubHTTPError"


def papers(collection: dict[str, Any]) -> list[str]:
    assert {item["item_type"] for item in collection["items"]} <= {"paper"}
    return [item["item_id"] for item in collection["items"]]


def add(client: HubClient, slug: str, paper: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.add_collection_item(collection_slug=slug, item_id=paper, item_type="paper", **more)
    return found


def test_a_client_saves_papers_and_the_service_learns_from_it(ada: HubClient, server: Server) -> None:
    library = ada.create_collection(title="Library", exists_ok=True)
    assert library["slug"] == ada.whoami()["name"] + "/library"
    assert papers(add(ada, library["slug"], FIRST)) == [FIRST]
    assert papers(add(ada, library["slug"], f"arxiv.org/abs/{SECOND}v2")) == [FIRST, SECOND]
    item = ada.get_collection(collection_slug=library["slug"])["items"][0]["item_object_id"]
    ada.delete_collection_item(collection_slug=library["slug"], item_object_id=item)
    assert papers(ada.get_collection(collection_slug=library["slug"])) == [SECOND]
    with server.database.read() as session:
        query = sa.select(Event.kind).join(User).where(User.external_id == library["owner"]).order_by(Event.event_pk)
        assert list(session.scalars(query)) == [EventKind.SAVE, EventKind.SAVE, EventKind.UNSAVE]


def test_a_collection_is_made_with_all_it_can_have(ada: HubClient, server: Server) -> None:
    name = ada.whoami()["name"]
    made = ada.create_collection(title="Recent models", namespace=name, description="What we read.", private=True)
    assert made["slug"].startswith(f"{name}/recent-models-")
    assert made["url"] == f"{server.url}/collections/{made['slug']}"
    assert (made["title"], made["description"], made["owner"]) == ("Recent models", "What we read.", name)
    assert (made["private"], made["upvotes"], made["items"], made["position"]) == (True, 0, [], 1)
    assert made["last_updated"]
    assert ada.get_collection(collection_slug=made["slug"]) == made


def test_a_title_that_is_taken_is_a_conflict_unless_that_is_fine(ada: HubClient) -> None:
    made = ada.create_collection(title="Recent models")
    add(ada, made["slug"], FIRST)
    refused(409, ERROR, ada.create_collection, title="Recent models")
    again = ada.create_collection(title="Recent models", exists_ok=True)
    assert again["slug"] == made["slug"]
    assert papers(again) == [FIRST]


def test_a_collection_that_cannot_be_is_refused(ada: HubClient, released: Released) -> None:
    refused(400, "BadRequestError", ada.create_collection, title="")
    refused(400, "BadRequestError", ada.create_collection, title="x", description="x" * 151)
    refused(403, ERROR, ada.create_collection, title="x", namespace="somebody-else")
    if released.version != "0":
        refused(400, "BadRequestError", ada.create_collection, title="x", resource_group_id="6" * 24)


def test_metadata_changes_one_by_one_and_all_at_once(ada: HubClient) -> None:
    made = ada.create_collection(title="Recent models")
    for change in ({"title": "Older"}, {"description": "Old ones."}, {"private": True}, {"theme": "green"}):
        changed = ada.update_collection_metadata(collection_slug=made["slug"], **change)
        assert change.items() <= changed.items()
    assert changed["slug"].startswith(made["owner"] + "/older-")
    assert ada.get_collection(collection_slug=made["slug"])["slug"] == changed["slug"]
    back = ada.update_collection_metadata(
        collection_slug=changed["slug"], title="Recent", description="New.", position=0, private=False, theme="pink"
    )
    assert (back["title"], back["description"], back["position"], back["private"], back["theme"]) == (
        "Recent",
        "New.",
        0,
        False,
        "pink",
    )
    for wrong in ({"theme": "plaid"}, {"position": -1}, {"title": "x" * 201}):
        refused(400, "BadRequestError", ada.update_collection_metadata, collection_slug=made["slug"], **wrong)


def test_collections_have_an_order_of_their_own(ada: HubClient) -> None:
    name = ada.whoami()["name"]
    slugs = [ada.create_collection(title=title)["slug"] for title in ("A", "B", "C")]
    ada.update_collection_metadata(collection_slug=slugs[2], position=1)
    listed = ada.list_collections(owner=name)
    assert [one["slug"] for one in listed] == [f"{name}/library", slugs[2], slugs[0], slugs[1]]
    assert [one["position"] for one in listed] == [0, 1, 2, 3]


def test_a_deleted_collection_is_gone(ada: HubClient) -> None:
    slug = ada.create_collection(title="Useless")["slug"]
    ada.delete_collection(collection_slug=slug)
    refused(404, ERROR, ada.get_collection, collection_slug=slug)
    refused(404, ERROR, ada.delete_collection, collection_slug=slug)
    ada.delete_collection(collection_slug=slug, missing_ok=True)
    refused(403, ERROR, ada.delete_collection, collection_slug=ada.whoami()["name"] + "/library", missing_ok=True)


def test_items_are_added_with_notes_and_once(ada: HubClient) -> None:
    slug = ada.create_collection(title="To read")["slug"]
    added = add(ada, slug, FIRST, note="Read section 3.")
    assert added["items"][0]["note"] == "Read section 3."
    assert papers(add(ada, slug, SECOND)) == [FIRST, SECOND]
    refused(409, ERROR, add, client=ada, slug=slug, paper=FIRST)
    assert papers(add(ada, slug, FIRST, exists_ok=True)) == [FIRST, SECOND]
    assert papers(ada.get_collection(collection_slug=ada.whoami()["name"] + "/library")) == [FIRST, SECOND]


def test_what_is_not_here_cannot_be_added(ada: HubClient) -> None:
    slug = ada.create_collection(title="To read")["slug"]
    refused(404, ERROR, add, client=ada, slug=slug, paper="2603.99999")
    refused(404, ERROR, add, client=ada, slug=slug[:-4] + "ffff", paper=FIRST)
    refused(400, "BadRequestError", add, client=ada, slug=slug, paper=FIRST, note="x" * 501)
    for kind in ("model", "dataset", "space", "collection", "bucket"):
        refused(404, ERROR, ada.add_collection_item, collection_slug=slug, item_id="some/thing", item_type=kind)
    refused(400, "BadRequestError", ada.add_collection_item, collection_slug=slug, item_id="x", item_type="poem")


def test_items_change_their_note_and_place(ada: HubClient) -> None:
    slug = ada.create_collection(title="To read")["slug"]
    for paper in (FIRST, SECOND, THIRD):
        items = add(ada, slug, paper)["items"]
    last = items[-1]["item_object_id"]
    assert ada.update_collection_item(collection_slug=slug, item_object_id=last, note="Soon.", position=0) is None
    changed = ada.get_collection(collection_slug=slug)
    assert papers(changed) == [THIRD, FIRST, SECOND]
    assert [(item["position"], item["note"]) for item in changed["items"]] == [(0, "Soon."), (1, None), (2, None)]
    refused(404, ERROR, ada.update_collection_item, collection_slug=slug, item_object_id="0" * 24, note="x")
    refused(400, "BadRequestError", ada.update_collection_item, collection_slug=slug, item_object_id=last, position=-1)


def test_a_deleted_item_is_gone(ada: HubClient) -> None:
    slug = ada.create_collection(title="To read")["slug"]
    item = add(ada, slug, FIRST)["items"][0]["item_object_id"]
    ada.delete_collection_item(collection_slug=slug, item_object_id=item)
    assert papers(ada.get_collection(collection_slug=slug)) == []
    refused(404, ERROR, ada.delete_collection_item, collection_slug=slug, item_object_id=item)
    ada.delete_collection_item(collection_slug=slug, item_object_id=item, missing_ok=True)


def test_lists_are_filtered_sorted_and_cut(ada: HubClient, client_of: Callable[..., HubClient]) -> None:
    eve = client_of(f"eve-{uuid.uuid4().hex[:8]}")
    owners = [one.whoami()["name"] for one in (ada, eve)]
    hers, theirs = ada.create_collection(title="Hers")["slug"], eve.create_collection(title="Theirs")["slug"]
    for paper in (FIRST, SECOND, THIRD, *(seed.id_of(number) for number in (50, 51))):
        add(ada, hers, paper)
    add(eve, theirs, FIRST)

    def slugs(**asked: Any) -> list[str]:
        return [one["slug"] for one in eve.list_collections(**asked)]

    assert slugs(owner=owners[0]) == [hers]
    assert set(slugs(owner=owners, item=f"papers/{FIRST}")) == {hers, theirs, f"{owners[1]}/library"}
    assert slugs(owner=owners, item=[f"papers/{SECOND}", "models/some/thing"]) == [hers]
    assert slugs(owner=owners, item="datasets/squad") == slugs(owner="nobody-at-all") == []
    for sort in ("lastModified", "trending", "upvotes"):
        assert slugs(owner=owners, sort=sort)[-1] == hers
    assert slugs(owner=owners, limit=1) == slugs(owner=owners)[:1]
    assert len(eve.list_collections(owner=owners[0])[0]["items"]) == 4
    refused(400, "BadRequestError", eve.list_collections, sort="size")


def test_a_long_list_is_followed_page_by_page(ada: HubClient) -> None:
    name = ada.whoami()["name"]
    made = [ada.create_collection(title=f"List {number}")["slug"] for number in range(55)]
    everything = [f"{name}/library", *made]
    assert [one["slug"] for one in ada.list_collections(owner=name)] == everything
    assert [one["slug"] for one in ada.list_collections(owner=name, limit=53)] == everything[:53]
    assert [one["slug"] for one in ada.list_collections(owner=name, limit=1000)] == everything


def test_private_collections_are_their_owners_alone(
    ada: HubClient, anonymous: HubClient, client_of: Callable[..., HubClient]
) -> None:
    eve = client_of(f"eve-{uuid.uuid4().hex[:8]}")
    name = ada.whoami()["name"]
    secret = ada.create_collection(title="Secret", private=True)["slug"]
    add(ada, secret, FIRST)
    for other in (eve, anonymous):
        refused(404, ERROR, other.get_collection, collection_slug=secret)
        refused(404, ERROR, other.get_collection, collection_slug=f"{name}/library")
        assert other.list_collections(owner=name) == []
    assert [one["slug"] for one in ada.list_collections(owner=name)] == [f"{name}/library", secret]


def test_who_may_not_write_is_told_so(
    ada: HubClient, anonymous: HubClient, client_of: Callable[..., HubClient]
) -> None:
    slug = ada.create_collection(title="Open")["slug"]
    item = add(ada, slug, FIRST)["items"][0]["item_object_id"]
    name = ada.whoami()["name"]
    eve, reading = client_of(f"eve-{uuid.uuid4().hex[:8]}"), client_of(name, "read")
    for client, status in ((eve, 403), (reading, 403), (anonymous, 401)):
        assert papers(client.get_collection(collection_slug=slug)) == [FIRST]
        refused(status, ERROR, client.update_collection_metadata, collection_slug=slug, title="Mine")
        refused(status, ERROR, client.delete_collection, collection_slug=slug)
        refused(status, ERROR, add, client=client, slug=slug, paper=SECOND)
        refused(status, ERROR, client.update_collection_item, collection_slug=slug, item_object_id=item, note="x")
        refused(status, ERROR, client.delete_collection_item, collection_slug=slug, item_object_id=item)
        refused(status, ERROR, client.create_collection, title="Mine", namespace=name)


def test_a_service_writes_for_the_reader_it_names(client_of: Callable[..., HubClient]) -> None:
    reader = f"grace hopper {uuid.uuid4().hex[:8]}"
    service = client_of(None, **{"X-User": reader})
    library = service.create_collection(title="Library", exists_ok=True)
    assert papers(add(service, library["slug"], FIRST)) == [FIRST]
    own = client_of(reader)
    assert own.whoami()["name"] == library["owner"]
    assert papers(own.get_collection(collection_slug=library["slug"])) == [FIRST]
    refused(400, "BadRequestError", client_of(None).create_collection, title="Whose?")


def test_resource_groups_are_left_and_never_joined(ada: HubClient, released: Released) -> None:
    if released.version == "0":
        pytest.skip("this version has no such method")
    slug = ada.create_collection(title="List")["slug"]
    change = ada.update_collection_resource_group
    assert change(collection_slug=slug, resource_group_id=None) is None
    refused(400, "BadRequestError", change, collection_slug=slug, resource_group_id="6" * 24)
