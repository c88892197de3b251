"""A first start without a network, used by released clients as it stands."""

from datetime import UTC, datetime

import pytest

from tests.compat.clients import ClientError, HubClient, Released, driven
from tests.e2e.processes import Installation, wait_until

pytestmark = [pytest.mark.compat, pytest.mark.timeout(1500)]


def test_a_client_reads_searches_and_saves_on_a_first_start(first_start: Installation, released: Released) -> None:
    endpoint = f"http://127.0.0.1:{first_start.port}"
    token = first_start.command("token", "create", "--reader", f"ada{released.version}").stdout.strip()
    with driven(released) as process:
        ada = HubClient(process, endpoint, token=token)
        library = ada.create_collection(title="Library", exists_ok=True)["slug"]
        known = ada.list_papers(query="language models")
        assert len(known) >= 10
        paper = known[0]["id"]
        assert ada.paper_info(id=paper)["title"] == known[0]["title"]
        saved = ada.add_collection_item(collection_slug=library, item_id=paper, item_type="paper")
        assert [item["item_id"] for item in saved["items"]] == [paper]
        if released.version == "0":
            return
        assert ada.read_paper(id=paper).startswith(f"# {known[0]['title']}\n")
        assert len(ada.list_daily_papers()) == 50
        newest = datetime.fromisoformat(ada.list_daily_papers(limit=1)[0]["submitted_at"]).astimezone(UTC)
        assert ada.list_daily_papers(date=newest.date().isoformat(), limit=100)

        def is_personal() -> bool:
            feed = ada.list_daily_papers(sort="for_you", limit=50)
            assert paper not in {each["id"] for each in feed}
            return any(known[0]["title"] in each["reason"] for each in feed)

        wait_until(is_personal, seconds=60, what="the feed follows the save", every=0.5)


def test_pages_spans_and_errors_are_the_same_on_a_first_start(first_start: Installation, released: Released) -> None:
    if released.version == "0":
        pytest.skip("this version has no daily lists")
    with driven(released) as process:
        nobody = HubClient(process, f"http://127.0.0.1:{first_start.port}", token=False)
        newest = datetime.fromisoformat(nobody.list_daily_papers(limit=1)[0]["submitted_at"]).astimezone(UTC)
        pages = [{each["id"] for each in nobody.list_daily_papers(p=page, limit=10)} for page in (0, 1)]
        assert [len(page) for page in pages] == [10, 10]
        assert pages[0].isdisjoint(pages[1])
        for span in ({"week": f"{newest:%G-W%V}"}, {"month": f"{newest:%Y-%m}"}):
            assert nobody.list_daily_papers(**span, limit=5)
        assert nobody.list_daily_papers(submitter="nobody-of-this-name") == []
        assert nobody.list_daily_papers(p=10_000) == []
        for status, method, arguments in (
            (400, "list_daily_papers", {"limit": 101}),
            (401, "list_daily_papers", {"sort": "for_you"}),
            (401, "create_collection", {"title": "Mine", "namespace": "ada"}),
            (404, "paper_info", {"id": "9999.99999"}),
            (404, "read_paper", {"id": "9999.99999"}),
            (404, "get_collection", {"collection_slug": "ada/nothing-of-this-name"}),
        ):
            with pytest.raises(ClientError) as caught:
                getattr(nobody, method)(**arguments)
            assert caught.value.status == status, method


def test_a_collection_lives_and_ends_on_a_first_start(first_start: Installation, released: Released) -> None:
    token = first_start.command("token", "create", "--reader", f"eve{released.version}").stdout.strip()
    with driven(released) as process:
        eve = HubClient(process, f"http://127.0.0.1:{first_start.port}", token=token)
        paper = eve.list_papers(query="language models")[0]["id"]
        slug = eve.create_collection(title="To present", private=True)["slug"]
        item = eve.add_collection_item(collection_slug=slug, item_id=paper, item_type="paper", note="first")["items"][0]
        with pytest.raises(ClientError) as caught:
            eve.add_collection_item(collection_slug=slug, item_id=paper, item_type="paper")
        assert caught.value.status == 409
        eve.update_collection_item(collection_slug=slug, item_object_id=item["item_object_id"], note="second")
        assert eve.update_collection_metadata(collection_slug=slug, title="Presented")["title"] == "Presented"
        assert eve.get_collection(collection_slug=slug)["items"][0]["note"] == "second"
        eve.delete_collection_item(collection_slug=slug, item_object_id=item["item_object_id"])
        assert eve.get_collection(collection_slug=slug)["items"] == []
        eve.delete_collection(collection_slug=slug)
        with pytest.raises(ClientError) as caught:
            eve.get_collection(collection_slug=slug)
        assert caught.value.status == 404


@pytest.mark.parametrize("sort", ["publishedAt", "trending"])
def test_the_command_lists_a_first_start(first_start: Installation, released: Released, sort: str) -> None:
    if released.version == "0":
        pytest.skip("this version has no such command")
    endpoint = f"http://127.0.0.1:{first_start.port}"
    result = released.hf("papers", "ls", "--sort", sort, "--limit", "20", "--quiet", HF_ENDPOINT=endpoint)
    assert result.returncode == 0, result.stderr
    assert len(set(result.stdout.split())) == 20
