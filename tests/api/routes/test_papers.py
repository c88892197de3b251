"""Papers and the lists that are the same for everybody."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.schemas.papers import EXAMPLE_PAPER, PaperOut
from api.services.trending import forget_boards
from api.settings import Settings
from api.store.engine import Database
from api.store.tables import Paper
from recommender.domain import EventKind
from tests.api.feed_world import add_event, load_installation, paper_row, planted, register_model

NOW = datetime.now(UTC)


@pytest.fixture
def world(database: Database, settings: Settings, runtime: Runtime) -> Database:
    """Return the database of the running application, with a promoted model."""
    load_installation(database)
    register_model(database, settings.models_dir)
    runtime.serving.poll()
    return database


def pages_of(client: TestClient, path: str, **params: Any) -> list[list[dict[str, Any]]]:
    """Return the items of all pages of a list."""
    pages = []
    cursor = None
    while True:
        answer = client.get(path, params=params | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["items"])
        cursor = answer.json()["next"]
        if cursor is None:
            return pages


def flat(pages: list[list[dict[str, Any]]]) -> list[str]:
    """Return the papers of all pages."""
    return [item["paper"]["id"] for items in pages for item in items]


def insert(database: Database, **fields: object) -> None:
    """Store one paper."""
    row = paper_row(9000, title="A new one", category="cs.NEW", listed_at=NOW)
    with database.write() as session:
        session.execute(sa.insert(Paper), [row | fields])


def test_a_paper_is_found_by_its_id_whatever_its_shape(world: Database, client: TestClient) -> None:
    shapes = ["2401.01234", "hep-th/9901001", "some id:with/odd?chars", "v2", "a/similarly"]
    for number, stored in enumerate(shapes):
        insert(world, paper_id=9000 + number, external_id=stored, title=f"A new one: {stored}")
    paths = [f"/v1/papers/{stored.replace('?', '%3F')}" for stored in shapes]
    found = [client.get(path).json() for path in paths]
    similar = [client.get(f"{path}/similar") for path in paths]

    assert [paper["id"] for paper in found] == shapes
    assert [paper["title"] for paper in found] == [f"A new one: {stored}" for stored in shapes]
    assert [answer.status_code for answer in similar] == [200] * len(shapes)


def test_versions_and_prefixes_lead_to_the_same_paper(world: Database, client: TestClient) -> None:
    insert(world, external_id="2401.01234")
    for asked in ("2401.01234v3", "arXiv:2401.01234", "2401.01234"):
        assert client.get(f"/v1/papers/{asked}").json()["id"] == "2401.01234"


def test_an_unknown_paper_is_a_404_problem(world: Database, client: TestClient) -> None:
    unknown = ["nothing", "nothing/similar", "%00", "a%00b/similar", "x" * 300]
    answers = [client.get(f"/v1/papers/{asked}") for asked in unknown]
    assert [answer.status_code for answer in answers] == [404] * len(unknown)
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}


def test_a_paper_has_every_documented_field(world: Database, client: TestClient) -> None:
    paper = client.get("/v1/papers/p1000").json()
    assert set(paper) == set(PaperOut.model_fields) == set(EXAMPLE_PAPER)
    PaperOut.model_validate(paper)


def test_a_paper_of_the_demonstration_says_so_and_has_no_page_at_arxiv(world: Database, client: TestClient) -> None:
    insert(world, external_id="2401.01234", is_demo=True)
    paper = client.get("/v1/papers/2401.01234").json()
    assert paper["demonstration"] is True
    assert paper["url"] is None


def test_an_arxiv_paper_has_its_page(world: Database, client: TestClient) -> None:
    insert(world, external_id="hep-th/9901001")
    assert client.get("/v1/papers/hep-th/9901001").json()["url"] == "https://arxiv.org/abs/hep-th/9901001"


def test_similar_papers_share_the_topic_and_leave_the_paper_out(world: Database, client: TestClient) -> None:
    items = client.get("/v1/papers/p1000/similar", params={"limit": 10}).json()["items"]
    scores = [item["score"] for item in items]
    assert {item["paper"]["categories"][0] for item in items} == {"cs.T0"}
    assert "p1000" not in [item["paper"]["id"] for item in items]
    assert scores == sorted(scores, reverse=True)


def test_similar_pages_never_repeat_a_paper(world: Database, client: TestClient) -> None:
    shown = flat(pages_of(client, "/v1/papers/p1000/similar", limit=30))
    assert len(shown) == len(set(shown)) == 159


def test_latest_lists_every_paper_once_newest_first(world: Database, client: TestClient) -> None:
    pages = pages_of(client, "/v1/latest", limit=33)
    days = [item["paper"]["published_at"] for items in pages for item in items]
    ranks = [item["rank"] for items in pages for item in items]
    assert len(set(flat(pages))) == 160
    assert days == sorted(days, reverse=True)
    assert ranks == list(range(1, 161))


def test_latest_of_a_category_since_a_day(world: Database, client: TestClient) -> None:
    of_topic = flat(pages_of(client, "/v1/latest", category="cs.T1,cs.T2", limit=100))
    since = client.get("/v1/papers/p1100").json()["published_at"]
    recent = flat(pages_of(client, "/v1/latest", since=since))
    assert len(of_topic) == 80
    assert recent == [f"p{number}" for number in range(1159, 1099, -1)]


def test_a_cursor_of_other_filters_is_refused(world: Database, client: TestClient) -> None:
    cursor = client.get("/v1/latest", params={"limit": 5}).json()["next"]
    other = client.get("/v1/latest", params={"limit": 5, "category": "cs.T1", "cursor": cursor})
    trending = client.get("/v1/trending", params={"cursor": cursor})
    assert (other.status_code, trending.status_code) == (422, 422)


def test_trending_orders_by_weight_and_age(world: Database, client: TestClient) -> None:
    ids = planted().texts.paper_ids.tolist()
    add_event(world, 1, ids[0], EventKind.CLICK)
    add_event(world, 1, ids[1], EventKind.SAVE)
    add_event(world, 1, ids[2], EventKind.SAVE, at=NOW - timedelta(days=6))
    add_event(world, 1, ids[3], EventKind.SAVE, at=NOW - timedelta(days=20))
    forget_boards()

    def listed(window: str) -> list[str]:
        return flat(pages_of(client, "/v1/trending", window=window))

    assert listed("day") == ["p1001", "p1000"]
    assert listed("week") == ["p1001", "p1000", "p1002"]
    assert listed("month") == ["p1001", "p1002", "p1000", "p1003"]


def test_trending_pages_never_repeat_a_paper(world: Database, client: TestClient) -> None:
    for paper_id in planted().texts.paper_ids.tolist()[:25]:
        add_event(world, 1, paper_id, EventKind.CLICK)
    forget_boards()
    shown = flat(pages_of(client, "/v1/trending", limit=10))
    assert len(shown) == len(set(shown)) == 25


def test_an_unsave_takes_the_weight_back(world: Database, client: TestClient) -> None:
    add_event(world, 1, 1000, EventKind.SAVE)
    add_event(world, 1, 1000, EventKind.UNSAVE)
    forget_boards()
    assert client.get("/v1/trending").json()["items"] == []


def test_votes_at_the_source_count(world: Database, client: TestClient) -> None:
    insert(world, external_id="voted", upvotes=50)
    forget_boards()
    assert flat(pages_of(client, "/v1/trending")) == ["voted"]


def test_an_unknown_window_is_refused(client: TestClient) -> None:
    assert client.get("/v1/trending", params={"window": "year"}).status_code == 422


def test_a_changed_paper_is_rendered_anew(world: Database, client: TestClient, runtime: Runtime) -> None:
    assert client.get("/v1/papers/p1000").json()["title"] != "Changed"
    with world.write() as session:
        session.execute(
            sa.update(Paper).where(Paper.paper_id == 1000).values(title="Changed", updated_at=datetime.now(UTC))
        )
    runtime.papers.look()
    assert client.get("/v1/papers/p1000").json()["title"] == "Changed"
