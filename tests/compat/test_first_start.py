"""A first start without a network, used by released clients as it stands."""

from datetime import UTC, datetime

import pytest

from tests.compat.clients import HubClient, Released, driven
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


@pytest.mark.parametrize("sort", ["publishedAt", "trending"])
def test_the_command_lists_a_first_start(first_start: Installation, released: Released, sort: str) -> None:
    if released.version == "0":
        pytest.skip("this version has no such command")
    endpoint = f"http://127.0.0.1:{first_start.port}"
    result = released.hf("papers", "ls", "--sort", sort, "--limit", "20", "--quiet", HF_ENDPOINT=endpoint)
    assert result.returncode == 0, result.stderr
    assert len(set(result.stdout.split())) == 20
