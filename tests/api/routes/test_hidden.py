"""What lists leave out, over HTTP: why, since when, and how it comes back."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.pending import PendingReaders
from api.store.tables import Event
from tests.api.routes.conftest import count_rows

START = datetime.now(UTC) - timedelta(hours=2)
SHOWS = 5  # the default of PAPERFEED_FATIGUE_SHOWS

Do = Callable[..., None]


@pytest.fixture
def do(client: TestClient, as_ada: dict[str, str]) -> Do:
    """Return a function that posts (kind, paper, minute) events of ada."""

    def post(*events: tuple[str, str, int]) -> None:
        sent = [
            {
                "id": str(uuid.uuid4()),
                "kind": kind,
                "paper_id": paper_id,
                "occurred_at": (START + timedelta(minutes=minute)).isoformat(),
            }
            for kind, paper_id, minute in events
        ]
        answer = client.post("/v1/events", json={"events": sent}, headers=as_ada)
        assert {result["status"] for result in answer.json()["results"]} == {"accepted"}

    return post


def hidden(client: TestClient, headers: dict[str, str], **params: str) -> dict[str, Any]:
    """Read one page."""
    answer = client.get("/v1/me/hidden", params=params, headers=headers)
    assert answer.status_code == 200
    page: dict[str, Any] = answer.json()
    return page


def reasons(client: TestClient, headers: dict[str, str]) -> list[tuple[str, str]]:
    """Return the papers and why, in order."""
    return [(item["paper"]["id"], item["why"]) for item in hidden(client, headers)["items"]]


def feed(client: TestClient, headers: dict[str, str]) -> set[str]:
    """Return the papers of the feed's first page."""
    return {item["paper"]["id"] for item in client.get("/v1/feed", headers=headers).json()["items"]}


def test_every_hidden_paper_is_listed_with_its_reason_latest_first(
    client: TestClient, as_ada: dict[str, str], papers: list[str], do: Do
) -> None:
    do(("save", papers[0], 1), ("dismiss", papers[1], 2), ("click", papers[2], 3))
    do(*(("impression", papers[3], 10 + number) for number in range(SHOWS)))
    do(*(("impression", papers[4], 20 + number) for number in range(SHOWS - 1)))
    expected = [
        (papers[3], "shown_often"),
        (papers[2], "opened"),
        (papers[1], "dismissed"),
        (papers[0], "saved"),
    ]
    assert reasons(client, as_ada) == expected
    first = hidden(client, as_ada)["items"][0]
    assert datetime.fromisoformat(first["since"]) == START + timedelta(minutes=10 + SHOWS - 1)


def test_pages_follow_each_other_without_repeat_or_gap(
    client: TestClient, as_ada: dict[str, str], papers: list[str], do: Do
) -> None:
    do(*(("dismiss", paper, minute // 2) for minute, paper in enumerate(papers)))
    whole = [paper for paper, _ in reasons(client, as_ada)]
    found, cursor = [], None
    while True:
        page = hidden(client, as_ada, limit="2", **({"cursor": cursor} if cursor else {}))
        found += [item["paper"]["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == whole
    assert sorted(whole) == papers


def test_of_several_reasons_the_strongest_is_named(
    client: TestClient, as_ada: dict[str, str], papers: list[str], do: Do
) -> None:
    do(("click", papers[0], 1), ("dismiss", papers[0], 2), ("save", papers[0], 3), ("unsave", papers[1], 4))
    assert reasons(client, as_ada) == [(papers[0], "saved")]
    do(("unsave", papers[0], 4))
    assert reasons(client, as_ada) == [(papers[0], "dismissed")]
    do(("undismiss", papers[0], 5))
    assert reasons(client, as_ada) == [(papers[0], "opened")]


@pytest.mark.parametrize(
    ("kinds", "was"),
    [
        (("dismiss",), ["dismissed"]),
        (("click",), ["opened"]),
        (("click", "dismiss"), ["dismissed", "opened"]),
        (("impression",) * SHOWS, ["shown_often"]),
        (("click", *("impression",) * SHOWS), ["opened"]),
    ],
)
def test_a_hidden_paper_is_brought_back_for_good(
    client: TestClient, as_ada: dict[str, str], papers: list[str], do: Do, *, kinds: tuple[str, ...], was: list[str]
) -> None:
    do(*((kind, papers[0], minute) for minute, kind in enumerate(kinds)))
    assert [paper for paper, _ in reasons(client, as_ada)] == [papers[0]]
    answer = client.delete(f"/v1/me/hidden/{papers[0]}", headers=as_ada)
    assert answer.status_code == 200
    assert answer.json() == {"paper_id": papers[0], "was": was}
    assert reasons(client, as_ada) == []
    assert papers[0] in feed(client, as_ada)


def test_bringing_back_is_recorded_and_repeating_it_records_nothing(
    client: TestClient, as_ada: dict[str, str], papers: list[str], do: Do, database: Database
) -> None:
    do(("dismiss", papers[0], 1))
    for _ in range(3):
        assert client.delete(f"/v1/me/hidden/arXiv:{papers[0]}v2", headers=as_ada).status_code == 200
    assert count_rows(database, Event) == 2
    history = client.get("/v1/me/history", headers=as_ada).json()["items"]
    assert [item["kind"] for item in history] == ["undismiss", "dismiss"]


def test_a_saved_paper_is_brought_back_by_an_unsave_alone(
    client: TestClient, as_ada: dict[str, str], papers: list[str], do: Do
) -> None:
    do(("save", papers[0], 1))
    answer = client.delete(f"/v1/me/hidden/{papers[0]}", headers=as_ada)
    assert answer.status_code == 409
    assert "unsave" in answer.json()["detail"]
    do(("unsave", papers[0], 2))
    assert reasons(client, as_ada) == []
    assert papers[0] in feed(client, as_ada)


@pytest.mark.parametrize("name", ["2401.99999", "no%20id%7F", "cs/9999999"])
def test_an_unknown_paper_cannot_be_brought_back(client: TestClient, as_ada: dict[str, str], name: str) -> None:
    assert client.delete(f"/v1/me/hidden/{name}", headers=as_ada).status_code == 404


def test_a_reader_nobody_has_heard_of_has_nothing_hidden(
    client: TestClient, as_ada: dict[str, str], papers: list[str], database: Database
) -> None:
    assert hidden(client, as_ada) == {"items": [], "next": None}
    assert client.delete(f"/v1/me/hidden/{papers[0]}", headers=as_ada).status_code == 200
    assert count_rows(database, Event) == 0


def test_hidden_papers_are_the_readers_own(
    client: TestClient, as_ada: dict[str, str], papers: list[str], do: Do, token_of: Callable[..., str]
) -> None:
    do(("dismiss", papers[0], 1), ("dismiss", papers[1], 2))
    as_eve = {"Authorization": f"Bearer {token_of('read', reader='eve')}"}
    assert hidden(client, as_eve) == {"items": [], "next": None}
    cursor = hidden(client, as_ada, limit="1")["next"]
    assert client.get("/v1/me/hidden", params={"cursor": cursor}, headers=as_eve).status_code == 422
    assert client.delete(f"/v1/me/hidden/{papers[0]}", headers=as_eve).status_code == 403
    assert client.get("/v1/me/hidden").status_code == client.delete("/v1/me/hidden/x").status_code == 401


@pytest.mark.parametrize(("times", "waiting"), [(SHOWS - 1, 0), (SHOWS, 1)])
def test_the_impression_that_tires_asks_for_a_new_list(
    papers: list[str], do: Do, runtime: Runtime, times: int, waiting: int
) -> None:
    for number in range(times):
        do(("impression", papers[0], number), ("impression", papers[1 + number % 2], number))
    runtime.hints.close()  # it sends what is left
    pending = PendingReaders(runtime.settings.resolved_broker_url)
    assert pending.count() == waiting
    pending.close()
