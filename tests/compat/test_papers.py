"""Every method, parameter and error of released clients that read papers."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.compat import seed
from tests.compat.clients import ClientError, Driven, HubClient, Released, driven
from tests.compat.conftest import Server

pytestmark = [pytest.mark.compat, pytest.mark.timeout(600)]

OF_A_DAY = range(seed.A_DAY * 3, seed.A_DAY * 4)
DAY = "2026-03-05"


@pytest.fixture
def has_daily_papers(released: Released) -> None:
    if released.version == "0":
        pytest.skip("this version has no such method")


def ids(papers: list[dict[str, Any]]) -> list[str]:
    return [paper["id"] for paper in papers]


def refused(status: int, name: str, method: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        method(**arguments)
    assert caught.value.status == status, caught.value
    assert name in caught.value.names
    return caught.value.message


@pytest.mark.usefixtures("has_daily_papers")
class TestDailyPapers:
    """`list_daily_papers`."""

    def test_without_parameters_the_newest_fifty_come_first(self, anonymous: HubClient) -> None:
        found = anonymous.list_daily_papers()
        assert len(found) == 50
        days = [datetime.fromisoformat(paper["submitted_at"]) for paper in found]
        assert days == sorted(days, reverse=True)
        assert found[0]["id"] in {seed.id_of(number) for number in range(seed.DAYS * seed.A_DAY)[-seed.A_DAY :]}

    def test_a_paper_arrives_with_all_it_has(self, anonymous: HubClient) -> None:
        [paper] = [
            one for one in anonymous.list_daily_papers(date="2026-03-02", limit=100) if one["id"] == seed.FULL_ID
        ]
        record = seed.daily_papers()[0]
        assert record.published_at is not None
        assert record.daily_at is not None
        assert (paper["title"], paper["summary"]) == (record.title, record.summary)
        assert [author["name"] for author in paper["authors"]] == list(record.authors)
        assert datetime.fromisoformat(paper["published_at"]) == record.published_at
        assert datetime.fromisoformat(paper["submitted_at"]) == record.daily_at
        assert paper["submitted_by"]["username"] == paper["submitted_by"]["fullname"] == "grace"
        assert paper["comments"] == 3
        assert paper["organization"]["name"] == "example-lab"
        assert paper["organization"]["fullname"] == "Example Lab"
        assert paper["project_page"] == record.project_page
        assert (paper["github_repo"], paper["github_stars"]) == (record.github_repo, record.github_stars)
        assert (paper["ai_summary"], paper["ai_keywords"]) == (record.ai_summary, list(record.keywords))
        assert paper["discussion_id"]

    def test_a_day_is_ordered_by_upvotes(self, anonymous: HubClient) -> None:
        found = anonymous.list_daily_papers(date=DAY)
        assert sorted(ids(found)) == sorted(map(seed.id_of, OF_A_DAY))
        assert ids(found) == sorted(ids(found), key=lambda one: -seed.upvotes_of(int(one[-5:]) - 1))
        assert [paper["upvotes"] for paper in found] == sorted(map(seed.upvotes_of, OF_A_DAY), reverse=True)

    def test_a_week_and_a_month_are_those_of_the_daily_list(self, anonymous: HubClient) -> None:
        week = anonymous.list_daily_papers(week="2026-W10", limit=100)
        assert sorted(ids(week)) == [seed.id_of(number) for number in range(7 * seed.A_DAY)]
        month = [*anonymous.list_daily_papers(month="2026-03", limit=100)]
        month += anonymous.list_daily_papers(month="2026-03", limit=100, p=1)
        assert sorted(ids(month)) == [seed.id_of(number) for number in range(seed.DAYS * seed.A_DAY)]
        assert anonymous.list_daily_papers(month="2026-02") == []

    def test_a_submitter_has_their_own_and_an_unknown_one_none(self, anonymous: HubClient) -> None:
        found = anonymous.list_daily_papers(submitter="alan", limit=100)
        assert len(found) == seed.DAYS * seed.A_DAY / 3
        assert {paper["submitted_by"]["username"] for paper in found} == {"alan"}
        assert len(anonymous.list_daily_papers(submitter="alan", date=DAY)) == seed.A_DAY / 3
        assert anonymous.list_daily_papers(submitter="nobody-here") == []

    @pytest.mark.parametrize("sort", ["publishedAt", "trending"])
    def test_pages_repeat_nothing_and_end_in_an_empty_one(self, anonymous: HubClient, sort: str) -> None:
        pages = [anonymous.list_daily_papers(sort=sort, p=page, limit=40) for page in range(4)]
        assert [len(page) for page in pages] == [40, 40, 40, 0]
        assert len({paper["id"] for page in pages for paper in page}) == 120

    def test_the_smallest_and_the_largest_page(self, anonymous: HubClient) -> None:
        assert len(anonymous.list_daily_papers(limit=1)) == 1
        assert len(anonymous.list_daily_papers(limit=100)) == 100

    @pytest.mark.parametrize(
        "arguments",
        [
            {"date": "yesterday"},
            {"date": "2026-02-30"},
            {"week": "2026-W60"},
            {"week": "2026-10"},
            {"month": "2026-13"},
            {"sort": "size"},
            {"p": -1},
            {"limit": 0},
            {"limit": 101},
            {"sort": "for_you", "date": DAY},
            {"sort": "for_you", "week": "2026-W10"},
            {"sort": "for_you", "month": "2026-03"},
        ],
        ids=str,
    )
    def test_what_cannot_be_is_a_bad_request_that_says_why(self, ada: HubClient, arguments: dict[str, Any]) -> None:
        message = refused(400, "BadRequestError", ada.list_daily_papers, **arguments)
        assert list(arguments)[-1] in message

    def test_the_personal_feed_needs_a_token(self, anonymous: HubClient, ada: HubClient) -> None:
        refused(401, "HfHubHTTPError", anonymous.list_daily_papers, sort="for_you")
        found = ada.list_daily_papers(sort="for_you", limit=10)
        assert len(found) == 10
        assert [paper["rank"] for paper in found] == list(range(1, 11))
        assert all(paper["reason"] for paper in found)
        assert ids(ada.list_daily_papers(sort="for_you", limit=5, p=1)) == ids(found)[5:]

    def test_a_saved_paper_leaves_the_personal_feed(self, ada: HubClient) -> None:
        first = ada.list_daily_papers(sort="for_you", limit=1)[0]["id"]
        library = ada.create_collection(title="Library", exists_ok=True)
        ada.add_collection_item(collection_slug=library["slug"], item_id=first, item_type="paper")
        assert first not in ids(ada.list_daily_papers(sort="for_you", limit=100))

    def test_a_token_can_be_given_with_the_call(self, anonymous: HubClient, server: Server) -> None:
        token = server.token("read", reader="grace")
        assert anonymous.list_daily_papers(sort="for_you", limit=3, token=token)
        assert anonymous.list_daily_papers(limit=3, token=token) == anonymous.list_daily_papers(limit=3, token=False)


class TestSearch:
    """`list_papers`."""

    def test_a_title_is_found_by_its_words(self, anonymous: HubClient) -> None:
        found = anonymous.list_papers(query="Paper 17 on graph models")
        assert found[0]["id"] == seed.id_of(16)
        assert found[0]["title"] == "Paper 17 on graph models"
        assert found[0]["upvotes"] == seed.upvotes_of(16)

    def test_without_a_query_the_newest_come(self, anonymous: HubClient) -> None:
        assert len(anonymous.list_papers()) == 20

    def test_the_limit_is_kept(self, anonymous: HubClient, released: Released) -> None:
        if released.version == "0":
            pytest.skip("this version has no such parameter")
        assert len(anonymous.list_papers(query="models", limit=3)) == 3
        assert len(anonymous.list_papers(query="models", limit=120)) > 100
        for limit in (0, 121):
            refused(400, "BadRequestError", anonymous.list_papers, query="models", limit=limit)

    def test_nothing_found_is_an_empty_list(self, anonymous: HubClient) -> None:
        assert anonymous.list_papers(query="zyxwvutsrqponm") == []

    def test_a_query_that_is_too_long_is_refused(self, anonymous: HubClient) -> None:
        assert isinstance(anonymous.list_papers(query="x" * 250), list)
        refused(400, "BadRequestError", anonymous.list_papers, query="x" * 251)


class TestOnePaper:
    """`paper_info` and `read_paper`, which send no token."""

    @pytest.mark.parametrize("name", [seed.FULL_ID, f"{seed.FULL_ID}v2"])
    def test_a_record_has_everything(self, anonymous: HubClient, released: Released, name: str) -> None:
        paper = anonymous.paper_info(id=name)
        record = seed.daily_papers()[0]
        assert (paper["id"], paper["title"], paper["summary"]) == (seed.FULL_ID, record.title, record.summary)
        assert paper["published_at"] is not None
        assert datetime.fromisoformat(paper["published_at"]) == record.published_at
        assert datetime.fromisoformat(paper["submitted_at"]) == record.daily_at
        assert paper["comments"] == 3
        if released.version == "0":
            assert paper["authors"] == list(record.authors)
            return
        assert [author["name"] for author in paper["authors"]] == list(record.authors)
        assert paper["organization"]["fullname"] == "Example Lab"
        assert (paper["github_stars"], paper["ai_summary"]) == (record.github_stars, record.ai_summary)
        assert paper["linked_models"] == paper["linked_datasets"] == paper["linked_spaces"] == []
        assert paper["num_total_models"] == paper["num_total_datasets"] == 0

    def test_a_paper_that_has_little_arrives_too(self, anonymous: HubClient) -> None:
        paper = anonymous.paper_info(id=seed.BARE_ID)
        assert paper["title"] == "A bare note"
        assert paper["authors"] is None
        assert paper["submitted_at"] is None
        assert paper["submitted_by"] is None

    def test_an_old_id_has_a_slash(self, anonymous: HubClient) -> None:
        assert anonymous.paper_info(id=seed.OLD_ID)["id"] == seed.OLD_ID

    def test_an_unknown_paper_is_404_with_words(self, anonymous: HubClient) -> None:
        assert "2603.99999" in refused(404, "HfHubHTTPError", anonymous.paper_info, id="2603.99999")

    def test_a_wrong_token_is_no_hindrance(self, process: Driven, server: Server) -> None:
        stranger = HubClient(process, server.url, token="hf_nonsense")
        assert stranger.paper_info(id=seed.FULL_ID)["id"] == seed.FULL_ID

    @pytest.mark.usefixtures("has_daily_papers")
    def test_markdown_begins_with_the_title(self, anonymous: HubClient) -> None:
        for name in (seed.FULL_ID, f"{seed.FULL_ID}v1"):
            text = anonymous.read_paper(id=name)
            assert text.startswith("# Paper 1 on graph models\n")
            assert "We study graph models" in text
        assert anonymous.read_paper(id=seed.OLD_ID).startswith("# An old paper with a slash\n")
        refused(404, "HfHubHTTPError", anonymous.read_paper, id="2603.99999")


class TestWhoami:
    """`whoami`."""

    def test_a_reader_is_told_who_they_are(self, client_of: Callable[..., HubClient]) -> None:
        said = client_of("grace hopper").whoami()
        assert (said["type"], said["name"], said["fullname"], said["orgs"]) == (
            "user",
            "grace~20hopper",
            "grace hopper",
            [],
        )
        assert said["auth"]["accessToken"] == {"displayName": "laptop of grace hopper", "role": "write"}
        assert client_of("grace hopper", "read").whoami()["auth"]["accessToken"]["role"] == "read"

    def test_a_service_is_the_reader_it_names(self, client_of: Callable[..., HubClient]) -> None:
        assert client_of(None, **{"X-User": "alan"}).whoami()["name"] == "alan"
        assert client_of(None).whoami()["name"].startswith("service-")

    def test_a_wrong_token_is_401(self, process: Driven, server: Server) -> None:
        stranger = HubClient(process, server.url, token="hf_nonsense")
        message = refused(401, "HTTPError", stranger.whoami)
        assert "Invalid user token" in message

    def test_an_answer_may_be_kept(self, ada: HubClient, released: Released) -> None:
        if released.version == "0":
            pytest.skip("this version has no such parameter")
        assert ada.whoami(cache=True) == ada.whoami()


def test_the_server_is_found_by_the_environment(released: Released, server: Server) -> None:
    token = server.token(reader="grace")
    with driven(released, HF_ENDPOINT=server.url, HF_TOKEN=token) as process:
        assert process.call("whoami", None)["name"] == "grace"
        assert process.call("paper_info", None, id=seed.FULL_ID)["id"] == seed.FULL_ID
        assert process.call("list_papers", None, query="robot")
        if released.version != "0":
            assert len(process.call("list_daily_papers", None, sort="for_you", limit=4)) == 4


def test_an_endpoint_may_end_in_a_slash(process: Driven, server: Server, released: Released) -> None:
    client = HubClient(process, server.url + "/", token=False)
    assert client.paper_info(id=seed.FULL_ID)["id"] == seed.FULL_ID
    assert client.list_papers(query="robot")
    if released.version != "0":
        assert client.list_daily_papers(limit=2)
        assert client.read_paper(id=seed.FULL_ID).startswith("# ")


def test_the_days_of_the_seed_are_those_of_the_tests() -> None:
    assert (seed.FIRST_DAY + timedelta(days=3)).date().isoformat() == DAY
    assert seed.FIRST_DAY.isocalendar()[:2] == (2026, 10)
