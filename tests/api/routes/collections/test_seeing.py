"""Who sees and writes a collection: its owner, others, nobody, and tokens that may not do all."""

from collections.abc import Callable

from fastapi.testclient import TestClient

from api.store.engine import Database
from tests.api.routes.collections.readers import LIBRARY, Reader, kinds


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
