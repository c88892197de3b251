"""Recorded events: kept through everything that can happen to client and service, and counted once."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from api.client import Buffering, Client, Event, Rejection
from api.store.engine import Database
from tests.api.client.conftest import QUICK
from tests.api.client.proxy import Answer, Proxy
from tests.api.client.test_requests import BUSY, ids_in_log
from tests.faults.watching import until

NOBODY = Answer(503, {}, BUSY)
SECONDS = 20.0


@contextmanager
def recording(url: str, token: str, folder: Path | None, **more: object) -> Iterator[Client]:
    """Return a client that sends soon and does not wait long at its end."""
    buffering = Buffering(folder, **{"batch_seconds": 0.05, "exit_seconds": 0.5} | more)  # type: ignore[arg-type]
    with Client(url, token, reader="ada", retry=QUICK, buffering=buffering) as client:
        yield client


def record(client: Client, papers: list[str], count: int) -> list[str]:
    """Record so many impressions and return their ids, sorted."""
    events = [Event("impression", papers[at % len(papers)]) for at in range(count)]
    for event in events:
        client.record(event)
    return sorted(event.event_id for event in events)


def test_recorded_events_arrive_in_batches(
    proxy: Proxy, token: str, place: Path | None, papers: list[str], database: Database
) -> None:
    with recording(proxy.url, token, place, batch_events=40) as client:
        ids = record(client, papers, 100)
        assert client.flush(SECONDS)
        assert client.report().accepted == 100
        assert client.report().waiting == 0
    assert sorted(ids_in_log(database)) == ids
    assert len(proxy.bodies()) < 20
    assert max(len(body["events"]) for body in proxy.bodies()) <= 40
    assert all("sent_at" in body for body in proxy.bodies())


def test_a_full_batch_does_not_wait_for_its_time(service: str, token: str, papers: list[str]) -> None:
    with recording(service, token, None, batch_events=10, batch_seconds=600.0) as client:
        record(client, papers, 10)
        until(lambda: client.report().accepted == 10, seconds=SECONDS, what="ten events")
        record(client, papers, 1)
        time.sleep(0.2)
        assert client.report().waiting == 1
        assert client.flush(SECONDS)


def test_events_wait_while_the_service_is_away_and_keep_their_ids_and_times(
    proxy: Proxy, token: str, place: Path | None, papers: list[str], database: Database
) -> None:
    proxy.always = NOBODY
    with recording(proxy.url, token, place) as client:
        ids = record(client, papers, 7)
        until(lambda: len(proxy.seen) >= 3, seconds=SECONDS, what="three attempts")
        assert not client.flush(0.3)
        assert "503" in str(client.report().failure)
        proxy.always = None
        assert client.flush(SECONDS)
        assert client.report().failure is None
    assert sorted(ids_in_log(database)) == ids
    told = Counter(str(event) for body in proxy.bodies() for event in body["events"])
    assert len(told) == 7, "an event changed between two attempts"


def test_a_client_without_a_service_waits_longer_and_longer(proxy: Proxy, token: str, papers: list[str]) -> None:
    proxy.always = NOBODY
    with recording(proxy.url, token, None, batch_seconds=0.1, exit_seconds=0.0) as client:
        record(client, papers, 1)
        time.sleep(2.0)
        assert len(proxy.seen) < 16


def test_retry_after_holds_recorded_events_back(proxy: Proxy, token: str, papers: list[str]) -> None:
    proxy.script.append(Answer(429, {"Retry-After": "1"}, BUSY))
    with recording(proxy.url, token, None) as client:
        started = time.monotonic()
        record(client, papers, 1)
        assert client.flush(SECONDS)
        assert time.monotonic() - started >= 1.0
    assert len(proxy.bodies()) == 2


def test_an_answer_lost_after_the_commit_counts_recorded_events_once(
    proxy: Proxy, token: str, place: Path | None, papers: list[str], database: Database
) -> None:
    proxy.script.append("cut")
    with recording(proxy.url, token, place) as client:
        ids = record(client, papers, 5)
        assert client.flush(SECONDS)
        report = client.report()
    assert report.accepted + report.duplicate == 5
    assert report.duplicate > 0
    assert sorted(ids_in_log(database)) == ids


def test_a_rejected_event_is_told_once_and_not_sent_again(
    proxy: Proxy, token: str, place: Path | None, papers: list[str]
) -> None:
    told: list[Rejection] = []
    with recording(proxy.url, token, place, on_rejected=told.append, batch_events=2, batch_seconds=0.3) as client:
        client.record(Event("save", "9999.99999"))
        record(client, papers, 1)
        record(client, papers, 1)
        assert client.flush(SECONDS)
        assert client.flush(SECONDS)
    (rejection,) = told
    assert (rejection.reader, rejection.result.code) == ("ada", "unknown_paper")
    assert rejection.event["paper_id"] == "9999.99999"
    sent = Counter(event["id"] for body in proxy.bodies() for event in body["events"])
    assert set(sent.values()) == {1}


def test_a_rejection_before_a_failure_is_told_once(proxy: Proxy, token: str, folder: Path, papers: list[str]) -> None:
    proxy.always = NOBODY
    told: list[Rejection] = []
    with recording(proxy.url, token, folder, on_rejected=told.append, batch_events=1, batch_seconds=9.0) as client:
        client.record(Event("save", "9999.99999"))
        ids = record(client, papers, 2)
        until(lambda: client.report().failure is not None, seconds=SECONDS, what="a failure")
        proxy.seen.clear()
        proxy.script.append("cut before")  # in the middle of the file, with one event in each request
        proxy.always = None
        assert client.flush(SECONDS)
        assert client.report().rejected == len(told) == 1
        assert client.report().accepted == len(ids)


def test_a_function_that_fails_stops_nothing(service: str, token: str, papers: list[str]) -> None:
    def fail(_rejection: Rejection) -> None:
        raise ValueError("the program's own")

    with recording(service, token, None, on_rejected=fail) as client:
        client.record(Event("save", "9999.99999"))
        record(client, papers, 3)
        assert client.flush(SECONDS)
        assert client.report().accepted == 3


def test_one_event_that_makes_a_batch_too_large_is_rejected_alone(
    service: str, token: str, papers: list[str], database: Database
) -> None:
    told: list[Rejection] = []
    with recording(service, token, None, on_rejected=told.append) as client:
        client.record(Event("save", papers[0], slate="x" * 2_000_000))
        ids = record(client, papers, 3)
        assert client.flush(SECONDS)
    assert len(told) == 1
    assert sorted(ids_in_log(database)) == ids


def test_a_revoked_token_loses_no_event(
    service: str, token_of: Callable[..., str], folder: Path, papers: list[str]
) -> None:
    with recording(service, "pf_0000_unknown", folder, account="me") as client:
        record(client, papers, 3)
        assert not client.flush(0.5)
        assert "401" in str(client.report().failure)
    with recording(service, token_of("read", "write"), folder, account="me") as client:
        assert client.flush(SECONDS)
        assert client.report().accepted == 3


def test_events_that_come_while_others_are_sent_wait_for_their_own_batch(
    proxy: Proxy, token: str, place: Path | None, papers: list[str]
) -> None:
    with recording(proxy.url, token, place, batch_seconds=0.5) as client:
        started = time.monotonic()
        while time.monotonic() - started < 1.6:
            record(client, papers, 1)
            time.sleep(0.002)
        assert client.flush(SECONDS)
    seconds = time.monotonic() - started
    assert len(proxy.bodies()) <= seconds / 0.5 + client.report().accepted / 100 + 4


def test_a_client_can_be_closed_while_it_sends(proxy: Proxy, token: str, folder: Path, papers: list[str]) -> None:
    with recording(proxy.url, token, folder, batch_events=1, exit_seconds=0.05) as client:
        ids = record(client, papers, 200)
    report = client.report()
    assert report.waiting > 0
    assert report.accepted < len(ids)
    with recording(proxy.url, token, folder, batch_events=500) as other:
        assert other.flush(SECONDS)
    sent = {event["id"] for body in proxy.bodies() for event in body["events"]}
    assert sent == set(ids)
