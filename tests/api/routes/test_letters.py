"""Rejected events over HTTP: listed, mended, taken in after all, counted once."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.store.engine import Database
from api.store.tables import Event
from recommender.domain import EventKind
from tests.api.routes.conftest import count_rows, make_paper

Headers = dict[str, str]
URL = "/v1/admin/dead-letters"
LATER_PAPER = "2605.00001"


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about HTTP."""
    return sqlite_database


@pytest.fixture
def post(client: TestClient, papers: list[str], as_ada: Headers) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that posts events and returns their results."""

    def send(*events: object, **batch: object) -> list[dict[str, Any]]:
        content = json.dumps({"events": events} | batch)
        answer = client.post("/v1/events", content=content, headers=as_ada)
        assert answer.status_code == 202, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    return send


def make_event(paper_id: str = LATER_PAPER, kind: str = "save", **fields: Any) -> dict[str, Any]:
    occurred_at = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    return {"id": str(uuid.uuid4()), "kind": kind, "paper_id": paper_id, "occurred_at": occurred_at} | fields


def listed(client: TestClient, headers: Headers, **query: str) -> list[dict[str, Any]]:
    answer = client.get(URL, headers=headers, params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def replay(client: TestClient, headers: Headers, **wanted: object) -> list[dict[str, Any]]:
    answer = client.post(f"{URL}/replay", headers=headers, json=wanted)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def ingest(database: Database, paper_id: str = LATER_PAPER) -> None:
    with database.write() as session:
        session.add(make_paper(paper_id))


def test_a_rejected_event_is_listed_as_it_came(client: TestClient, as_ada: Headers, post: Callable[..., Any]) -> None:
    event = make_event(position=3)
    sent_at = datetime.now(UTC).isoformat()
    post(event, sent_at=sent_at)
    [letter] = listed(client, as_ada)
    assert (letter["reader"], letter["code"], letter["event_id"]) == ("ada", "unknown_paper", event["id"])
    assert (letter["event"], letter["sent_at"], letter["times"]) == (event, sent_at, 1)


def test_a_retry_of_a_rejected_event_is_the_same_letter(
    client: TestClient, as_ada: Headers, post: Callable[..., Any]
) -> None:
    event = make_event()
    for _ in range(3):
        post(event, sent_at=datetime.now(UTC).isoformat())
    assert [letter["times"] for letter in listed(client, as_ada)] == [3]


def test_an_event_of_a_paper_that_came_later_is_taken_in_once(
    client: TestClient, as_ada: Headers, post: Callable[..., Any], database: Database
) -> None:
    event = make_event()
    post(event)
    [letter] = listed(client, as_ada)
    assert replay(client, as_ada, ids=[letter["id"]])[0]["code"] == "unknown_paper"
    ingest(database)
    assert replay(client, as_ada, ids=[letter["id"]]) == [
        {"id": letter["id"], "status": "accepted", "code": None, "reason": None}
    ]
    assert replay(client, as_ada, ids=[letter["id"]])[0]["status"] == "rejected"
    assert post(event)[0]["status"] == "duplicate"
    assert count_rows(database, Event) == 1
    assert client.get("/v1/me/library", headers=as_ada).json()["items"][0]["paper"]["id"] == LATER_PAPER


def test_a_replayed_event_happened_and_was_received_when_it_was(
    client: TestClient, as_ada: Headers, post: Callable[..., Any], database: Database
) -> None:
    clock = datetime.now(UTC) - timedelta(hours=3)  # of a client that is three hours behind
    event = make_event(occurred_at=(clock - timedelta(minutes=10)).isoformat())
    post(event, sent_at=clock.isoformat())
    ingest(database)
    [letter] = listed(client, as_ada)
    assert replay(client, as_ada, ids=[letter["id"]])[0]["status"] == "accepted"
    with database.read() as session:
        occurred_at, received_at = session.execute(sa.select(Event.occurred_at, Event.received_at)).one()
    assert occurred_at is not None
    assert received_at == datetime.fromisoformat(letter["received_at"])
    assert abs(received_at - occurred_at - timedelta(minutes=10)) < timedelta(seconds=5)


def test_all_of_a_code_are_replayed_and_the_rest_stays(
    client: TestClient, as_ada: Headers, post: Callable[..., Any], database: Database
) -> None:
    post(make_event(), make_event(), make_event(kind="fly"))
    ingest(database)
    assert [result["status"] for result in replay(client, as_ada, code="unknown_paper")] == ["accepted"] * 2
    assert [letter["code"] for letter in listed(client, as_ada)] == ["unknown_kind"]
    assert {letter["outcome"] for letter in listed(client, as_ada, state="all")} == {None, "accepted"}


def test_a_correction_mends_what_a_client_got_wrong(
    client: TestClient, as_ada: Headers, post: Callable[..., Any], papers: list[str], database: Database
) -> None:
    post(make_event(papers[0], kind="like"), "no object at all")
    text, wrong = listed(client, as_ada)
    whole = make_event(papers[1], kind="click")
    corrections = {str(wrong["id"]): {"kind": "upvote"}, str(text["id"]): whole}
    results = replay(client, as_ada, ids=[wrong["id"], text["id"]], corrections=corrections)
    assert [result["status"] for result in results] == ["accepted", "accepted"]
    with database.read() as session:
        assert set(session.scalars(sa.select(Event.kind))) == {EventKind.CLICK, EventKind.UPVOTE}


def test_a_conflict_is_kept_and_a_new_id_takes_it_in(
    client: TestClient, as_ada: Headers, post: Callable[..., Any], papers: list[str], database: Database
) -> None:
    event = make_event(papers[0])
    post(event, event | {"paper_id": papers[1]})
    [letter] = listed(client, as_ada, code="conflict")
    assert replay(client, as_ada, ids=[letter["id"]])[0]["code"] == "conflict"
    corrections = {str(letter["id"]): {"id": str(uuid.uuid4())}}
    assert replay(client, as_ada, ids=[letter["id"]], corrections=corrections)[0]["status"] == "accepted"
    assert count_rows(database, Event) == 2


def test_a_replay_that_fails_makes_no_new_letter(client: TestClient, as_ada: Headers, post: Callable[..., Any]) -> None:
    post(make_event())
    [letter] = listed(client, as_ada)
    replay(client, as_ada, ids=[letter["id"]])
    assert [again["times"] for again in listed(client, as_ada, state="all")] == [1]


def test_hostile_events_are_kept_and_listed(client: TestClient, as_ada: Headers, post: Callable[..., Any]) -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    post("\ud800", {"id": "\0" * 100, "kind": "\ud800"}, deep, {"id": "x" * 9000}, None, 3)
    post({"id": json.loads("[" * 900 + "]" * 900)}, json.loads('{"a":' * 600 + "1" + "}" * 600))
    assert len(listed(client, as_ada, limit="100")) == 8


def test_pages_of_letters_follow_each_other(client: TestClient, as_ada: Headers, post: Callable[..., Any]) -> None:
    post(*(make_event() for _ in range(5)))
    seen: list[int] = []
    cursor: str | None = None
    for _ in range(3):
        query = {"limit": "2"} | ({} if cursor is None else {"cursor": cursor})
        page = client.get(URL, headers=as_ada, params=query).json()
        seen += [letter["id"] for letter in page["items"]]
        cursor = page["next"]
    assert (len(set(seen)), seen, cursor) == (5, sorted(seen, reverse=True), None)
    assert client.get(URL, headers=as_ada, params={"cursor": "x"}).status_code == 422


def test_letters_are_for_administrators(client: TestClient, token_of: Callable[..., str]) -> None:
    headers = {"Authorization": f"Bearer {token_of('read', 'write')}"}
    assert client.get(URL, headers=headers).status_code == 403
    assert client.post(f"{URL}/replay", headers=headers, json={"ids": [1]}).status_code == 403
    assert client.get(URL).status_code == 401


@pytest.mark.parametrize(
    "body",
    [{}, {"ids": [1], "code": "conflict"}, {"ids": []}, {"ids": [0]}, {"ids": [2**70]}, {"code": "no"}, {"ids": ["x"]}],
)
def test_a_replay_names_either_letters_or_a_code(client: TestClient, as_ada: Headers, body: object) -> None:
    assert client.post(f"{URL}/replay", headers=as_ada, json=body).status_code == 422
