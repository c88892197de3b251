"""Collections are made, named, renamed and deleted."""

from tests.api.routes.collections.readers import LIBRARY, Reader


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


def test_what_is_not_there_is_404(ada: Reader) -> None:
    for path in ("/ada/nothing", "/ada/x-0123456789abcdef01234567", "/~zz/library", "/ADA/library", "/eve/library"):
        ada.ask("GET", path, status=404)
        ada.ask("PATCH", path, {"title": "x"}, status=404)
        ada.ask("DELETE", path, status=404)
        ada.add(path, "2401.00001", status=404)


def test_there_are_no_resource_groups(ada: Reader) -> None:
    slug = ada.make("List")
    ada.ask("POST", f"{slug}/resource-group", {"resourceGroupId": None})
    ada.ask("POST", f"{slug}/resource-group", {"resourceGroupId": "a" * 24}, status=400)
