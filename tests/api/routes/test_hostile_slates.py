"""Slates that are not what they claim to be: each event with one is refused with its code, its neighbours count."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.runtime.keys import KeyRing
from api.runtime.secrets import SigningKey
from api.runtime.state import Runtime
from api.services.feed_places import cut, open_list
from api.services.slates import write_slate
from api.settings import Settings
from api.store.engine import Database
from api.store.feed_codec import Entry, Reason, ReasonKind, Source, list_of
from api.store.packed_list import packed
from tests.api.feed_world import load_installation

NOW: Final = datetime.now(UTC)
FORMER: Final = "a-former-signing-secret-of-the-tests"
REPLACED_AT: Final = NOW - timedelta(days=10)
FORGOTTEN: Final = "a-signing-secret-replaced-long-ago"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings of a service whose key was replaced ten days ago, and once before."""
    old = f"{FORMER}@{REPLACED_AT.isoformat()} {FORGOTTEN}@{(NOW - timedelta(days=31)).isoformat()}"
    return settings.model_copy(update={"old_secret_keys": SecretStr(old)})


@pytest.fixture
def world(database: Database, runtime: Runtime) -> Database:
    """Return the database of the running application, with readers 1 to 60 and papers 1000 to 1159."""
    load_installation(database)
    return database


@pytest.fixture
def send(world: Database, client: TestClient, token_of: Callable[..., str]) -> Callable[..., list[dict[str, Any]]]:
    """Return what sends clicks of reader 1 with slates, and returns what became of them."""
    headers = {"Authorization": f"Bearer {token_of('read', 'write')}", "X-User": "u1"}

    def clicks(*slates: str, paper: str = "p1001", batch: str | None = None) -> list[dict[str, Any]]:
        events = [
            {
                "id": str(uuid.uuid4()),
                "kind": "click",
                "paper_id": paper,
                "occurred_at": NOW.isoformat(),
                "slate": slate,
            }
            for slate in slates
        ]
        if batch is not None:
            events = [{name: value for name, value in event.items() if name != "slate"} for event in events]
        body = {"events": events} if batch is None else {"events": events, "slate": batch}
        answer = client.post("/v1/events", headers=headers, json=body)
        assert answer.status_code == 202, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    return clicks


def make(keys: KeyRing, *, user_id: int = 1, shown_at: datetime = NOW) -> str:
    """Return a slate that shows papers 1000 to 1019 to a reader."""
    entries = [Entry(1000 + at, 1.0, Source.PERSONAL, Reason(ReasonKind.TASTE)) for at in range(20)]
    feed = packed(list_of(entries, user_id=user_id, version="v1", seq=1, built_at=NOW))
    page, _ = cut(open_list(feed, slate_id=b"slate id"), hidden=(), limit=20)
    return write_slate(keys, page, user_id=user_id, variant="base", now=shown_at)


def key_of(secret: str) -> KeyRing:
    return KeyRing([SigningKey(secret.encode())])


def outcome(result: dict[str, Any]) -> str:
    """Return the code of a refusal, else the status."""
    code: str = result.get("code") or result["status"]
    return code


def test_each_event_is_judged_by_its_own_slate(send: Callable[..., list[dict[str, Any]]], runtime: Runtime) -> None:
    good = make(runtime.keys)
    tokens = {
        "accepted": good,
        "no slate of ours": "A" * 300,
        "cut": good[:-8],
        "grown": good + "AAAA",
        "another service": make(key_of("the-signing-secret-of-somebody-else")),
        "a cursor": runtime.keys.seal(b"cursor\0feed\0u1", b"\x02" * 200),
        "a cookie": runtime.keys.seal(b"reader", b"\x02" * 200),
        "forgotten key": make(key_of(FORGOTTEN), shown_at=NOW - timedelta(days=1)),
    }
    expected = ["accepted", *["forged_slate"] * (len(tokens) - 1)]
    assert [outcome(result) for result in send(*tokens.values())] == expected
    assert outcome(send("", batch=tokens["cut"])[0]) == "forged_slate"


@pytest.mark.parametrize(
    ("age", "secret", "expected"),
    [
        (timedelta(days=29), None, "accepted"),
        (timedelta(days=31), None, "stale_slate"),
        (timedelta(days=11), FORMER, "accepted"),
        (timedelta(days=9), FORMER, "stale_slate"),
        (timedelta(days=31), FORMER, "stale_slate"),
    ],
)
def test_a_slate_counts_for_its_time(
    send: Callable[..., list[dict[str, Any]]], runtime: Runtime, *, age: timedelta, secret: str | None, expected: str
) -> None:
    keys = runtime.keys if secret is None else key_of(secret)
    assert outcome(send(make(keys, shown_at=NOW - age))[0]) == expected


def test_a_slate_counts_for_its_reader_and_its_papers(
    send: Callable[..., list[dict[str, Any]]], runtime: Runtime
) -> None:
    mine, others, nobodys = (make(runtime.keys, user_id=reader) for reader in (1, 2, 0))
    assert [outcome(result) for result in send(mine, others, nobodys)] == ["accepted", "foreign_slate", "accepted"]
    assert outcome(send(mine, paper="p1030")[0]) == "not_on_slate"
