"""Decisions about lists over HTTP: the very next page obeys, whatever was prepared before it."""

import uuid
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.services.feed_reading import build_for_reader
from api.services.questions import forget_panels
from api.store.feed_codec import FeedList
from api.store.tables import Paper
from tests.api.feed_world import load_installation, planted, register_model

TOPIC = 1
UNWANTED = "xylophone"


@pytest.fixture
def world(runtime: Runtime) -> Runtime:
    """Return the runtime of an installation with papers, readers and a model; some papers have an unwanted word."""
    load_installation(runtime.db)
    register_model(runtime.db, runtime.settings.models_dir)
    with runtime.db.write() as session:
        session.execute(sa.update(Paper).where(Paper.paper_id.in_(unwanted())).values(summary=f"On the {UNWANTED}."))
    runtime.serving.poll()
    forget_panels()
    return runtime


def of_topic(topic: int) -> list[int]:
    """Return the papers of a topic that somebody touched."""
    chosen = (planted().topic_of_paper == topic) & ~planted().untouched
    ids: list[int] = planted().texts.paper_ids[chosen].tolist()
    return ids


def unwanted() -> list[int]:
    """Return every second paper of the topic, those apart that the reader begins with."""
    return of_topic(TOPIC)[4::2]


def unwanted_names() -> set[str]:
    """Return the same by their external ids."""
    return {f"p{paper_id}" for paper_id in unwanted()}


def begin(client: TestClient, headers: dict[str, str]) -> None:
    """Let the reader like four papers of the topic."""
    liked = [f"p{paper_id}" for paper_id in of_topic(TOPIC)[:4]]
    assert client.put("/v1/me/interests", json={"papers": liked}, headers=headers).status_code == 200


def feed(client: TestClient, headers: dict[str, str], **params: str | int) -> dict[str, Any]:
    """Read a page of the feed."""
    page: dict[str, Any] = client.get("/v1/feed", params={"limit": 50, **params}, headers=headers).json()
    return page


def names(page: dict[str, Any]) -> set[str]:
    """Return the papers of a page."""
    return {item["paper"]["id"] for item in page["items"]}


def act(client: TestClient, headers: dict[str, str], kind: str, paper: str) -> None:
    """Post one event."""
    event = {"id": str(uuid.uuid4()), "kind": kind, "paper_id": paper, "occurred_at": datetime.now(UTC).isoformat()}
    answer = client.post("/v1/events", json={"events": [event]}, headers=headers)
    assert answer.json()["results"][0]["status"] == "accepted"


def mute(client: TestClient, headers: dict[str, str], *terms: str) -> httpx2.Response:
    """Replace the muted terms."""
    return client.put("/v1/me/muted", json={"terms": list(terms)}, headers=headers)


def build(world: Runtime, user_id: int) -> FeedList:
    """Build the reader's list as a worker does."""
    with world.db.read() as session:
        return build_for_reader(session, world.serving.current, user_id, now=datetime.now(UTC))


def number_of(world: Runtime, name: str) -> int:
    """Return the reader's number."""
    user_id = world.access.find_user_id(name)
    assert user_id is not None
    return user_id


def test_the_next_page_after_muting_has_none_of_it_and_the_next_after_unmuting_has_it(
    client: TestClient, world: Runtime, as_ada: dict[str, str]
) -> None:
    begin(client, as_ada)
    assert names(feed(client, as_ada)) & unwanted_names()
    answer = mute(client, as_ada, "  Xylophone ")
    assert answer.json() == {"terms": ["Xylophone"], "authors": [], "categories": []}
    assert client.get("/v1/me/muted", headers=as_ada).json() == answer.json()
    page = feed(client, as_ada)
    assert page["source"] == "personal"
    assert not names(page) & unwanted_names()
    mute(client, as_ada)
    assert names(feed(client, as_ada)) & unwanted_names()


def test_a_list_that_was_being_built_while_it_was_muted_is_not_shown(
    client: TestClient, world: Runtime, as_ada: dict[str, str]
) -> None:
    begin(client, as_ada)
    stale = build(world, number_of(world, "ada"))
    assert set(stale.paper_ids[:50]) & set(unwanted())
    mute(client, as_ada, UNWANTED)
    world.feeds.write_list(stale)  # its worker ends only now
    assert not names(feed(client, as_ada)) & unwanted_names()
    world.feeds.write_list(stale)  # and a slower one after the new list is there
    assert not names(feed(client, as_ada)) & unwanted_names()


def test_the_second_page_of_a_list_from_before_has_none_of_it(
    client: TestClient, world: Runtime, as_ada: dict[str, str]
) -> None:
    begin(client, as_ada)
    first = feed(client, as_ada, limit=3)
    mute(client, as_ada, UNWANTED)
    shown, cursor = set[str](), first["next"]
    while cursor is not None:
        page = feed(client, as_ada, limit=25, cursor=cursor)
        shown |= names(page)
        cursor = page["next"]
    assert len(shown) > 50
    assert not shown & unwanted_names()


def test_a_cursor_from_before_is_looked_through_after_the_cache_was_emptied(
    client: TestClient, world: Runtime, as_ada: dict[str, str]
) -> None:
    begin(client, as_ada)
    first = feed(client, as_ada, limit=3)
    mute(client, as_ada, UNWANTED)
    world.feeds._client.flushdb()
    feed(client, as_ada)  # its list is there again
    assert not names(feed(client, as_ada, limit=100, cursor=first["next"])) & unwanted_names()


def test_a_narrowed_feed_has_none_of_it(client: TestClient, world: Runtime, as_ada: dict[str, str]) -> None:
    begin(client, as_ada)
    assert names(feed(client, as_ada, category=f"cs.T{TOPIC}")) & unwanted_names()
    mute(client, as_ada, UNWANTED)
    assert not names(feed(client, as_ada, category=f"cs.T{TOPIC}")) & unwanted_names()


def test_muting_while_the_cache_is_away_holds_when_it_comes_back(
    client: TestClient, world: Runtime, as_ada: dict[str, str]
) -> None:
    begin(client, as_ada)
    stale = build(world, number_of(world, "ada"))
    world.feeds._circuit.note_failure("test", OSError())  # the cache fails in this moment
    mute(client, as_ada, UNWANTED)
    world.feeds._circuit.note_success()
    world.feeds.write_list(stale)
    assert not names(feed(client, as_ada)) & unwanted_names()


def test_another_readers_lists_are_as_they_were(client: TestClient, world: Runtime, as_ada: dict[str, str]) -> None:
    as_bob = as_ada | {"X-User": "bob"}
    begin(client, as_ada)
    begin(client, as_bob)
    mute(client, as_ada, UNWANTED)
    assert names(feed(client, as_bob)) & unwanted_names()


@pytest.mark.parametrize(
    "body", [{"terms": ["?!"]}, {"terms": ["x" * 101]}, {"words": ["x"]}, {"authors": ["a"] * 201}, {"terms": [" "]}]
)
def test_what_cannot_be_muted_is_422(client: TestClient, as_ada: dict[str, str], body: dict[str, object]) -> None:
    assert client.put("/v1/me/muted", json=body, headers=as_ada).status_code == 422


def test_personal_lists_are_switched_off_and_on(client: TestClient, world: Runtime, as_ada: dict[str, str]) -> None:
    begin(client, as_ada)
    assert client.get("/v1/me/personalisation", headers=as_ada).json() == {"is_personal": True, "reset_at": None}
    assert feed(client, as_ada)["source"] == "personal"
    off = client.put("/v1/me/personalisation", json={"is_personal": False}, headers=as_ada)
    assert off.json()["is_personal"] is False
    assert feed(client, as_ada)["source"] in {"trending", "latest"}
    client.put("/v1/me/personalisation", json={"is_personal": True}, headers=as_ada)
    assert feed(client, as_ada)["source"] == "personal"


def test_taste_is_forgotten_and_the_library_is_not(client: TestClient, world: Runtime, as_ada: dict[str, str]) -> None:
    begin(client, as_ada)
    act(client, as_ada, "save", f"p{of_topic(TOPIC)[0]}")
    assert feed(client, as_ada)["source"] == "personal"
    answer = client.delete("/v1/me/taste", headers=as_ada)
    assert answer.json()["reset_at"] is not None
    assert feed(client, as_ada)["source"] in {"trending", "latest"}
    assert client.get("/v1/me/interests", headers=as_ada).json() == {"categories": [], "terms": [], "papers": []}
    assert len(client.get("/v1/me/library", headers=as_ada).json()["items"]) == 1


def ask(client: TestClient, headers: dict[str, str], *skip: str) -> dict[str, Any] | None:
    """Return the paper that is asked about."""
    answer = client.get("/v1/me/question", params={"skip": list(skip)}, headers=headers)
    assert answer.status_code == 200
    paper: dict[str, Any] | None = answer.json()["paper"]
    return paper


def test_a_question_follows_the_answers_before_it(client: TestClient, world: Runtime, as_ada: dict[str, str]) -> None:
    first = ask(client, as_ada)
    assert first is not None
    assert ask(client, as_ada) == first
    second = ask(client, as_ada, first["id"])
    assert second is not None
    assert second != first
    client.put("/v1/me/interests", json={"papers": [first["id"]]}, headers=as_ada)
    assert ask(client, as_ada) != first
    act(client, as_ada, "dismiss", second["id"])
    third = ask(client, as_ada)
    assert third is not None
    assert third["id"] not in {first["id"], second["id"]}


def test_nobody_is_asked_about_what_they_mute(client: TestClient, world: Runtime, as_ada: dict[str, str]) -> None:
    everything = [f"cs.T{topic}" for topic in range(4)]
    client.put("/v1/me/muted", json={"categories": everything[1:]}, headers=as_ada)
    for _ in range(3):
        paper = ask(client, as_ada)
        assert paper is not None
        assert paper["categories"] == everything[:1]
        act(client, as_ada, "dismiss", paper["id"])
    client.put("/v1/me/muted", json={"categories": everything}, headers=as_ada)
    assert ask(client, as_ada) is None


def test_without_a_model_questions_are_about_what_is_there(
    client: TestClient, papers: list[str], as_ada: dict[str, str]
) -> None:
    asked: list[str] = []
    while (paper := ask(client, as_ada, *asked)) is not None:
        asked.append(paper["id"])
    assert sorted(asked) == sorted(papers)


def test_a_skipped_paper_needs_an_id(client: TestClient, as_ada: dict[str, str]) -> None:
    assert client.get("/v1/me/question", params={"skip": " "}, headers=as_ada).status_code == 422
