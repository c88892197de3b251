"""The client against the running service: answers as types, refusals as errors, and attempts until one succeeds."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from api.client import (
    AsyncClient,
    BadRequest,
    Client,
    Event,
    Interests,
    InvalidRequest,
    Muted,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    ProblemAnswer,
    Retry,
    TooManyRequests,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from api.store.engine import Database
from api.store.tables import Event as Row
from tests.api.client.conftest import QUICK
from tests.api.client.proxy import Answer, Proxy
from tests.e2e.processes import wait_until
from tests.shared import free_port

BUSY = b'{"type": "/problems/unavailable", "title": "Temporarily unavailable", "status": 503, "detail": "wait"}'


def ids_in_log(database: Database) -> list[str]:
    """Return the event ids of the log."""
    with database.read() as session:
        return list(session.scalars(sa.select(Row.event_id)))


@pytest.fixture
def nowhere(token: str) -> Iterator[Client]:
    """Return a client of an address at which nobody listens."""
    with Client(f"http://127.0.0.1:{free_port()}", token, retry=Retry(attempts=2, first_seconds=0.01)) as client:
        yield client


def test_a_page_of_the_feed_is_typed(client: Client, papers: list[str]) -> None:
    page = client.read_feed(limit=3)
    assert [item.rank for item in page.items] == [1, 2, 3]
    assert {item.paper.paper_id for item in page.items} <= set(papers)
    assert page.built_at.tzinfo is not None
    assert isinstance(page.slate, str)
    following = client.read_feed(limit=3, cursor=page.next)
    assert {item.paper.paper_id for item in (*page.items, *following.items)} == set(papers)


def test_events_are_accepted_and_an_event_sent_again_is_a_duplicate(
    client: Client, papers: list[str], database: Database
) -> None:
    events = [Event("save", papers[0]), Event("click", papers[1], position=2), Event("read", papers[1], value=4.5)]
    assert [result.status for result in client.send_events(events)] == ["accepted"] * 3
    assert [result.status for result in client.send_events(events)] == ["duplicate"] * 3
    assert sorted(ids_in_log(database)) == sorted(event.event_id for event in events)
    assert [item.paper.paper_id for item in client.read_library().items] == [papers[0]]
    assert {item.event_id for item in client.read_history().items} == {event.event_id for event in events}


def test_a_rejected_event_is_an_answer_not_an_error(client: Client, papers: list[str]) -> None:
    events = [Event("save", "9999.99999"), Event("save", papers[0])]
    first, second = client.send_events(events)
    assert (first.event_id, first.status, first.code) == (events[0].event_id, "rejected", "unknown_paper")
    assert second.status == "accepted"


def test_more_events_than_a_request_takes_are_several_requests(
    through: Client, proxy: Proxy, papers: list[str]
) -> None:
    results = through.send_events([Event("impression", papers[0]) for _ in range(501)])
    assert {result.status for result in results} == {"accepted"}
    assert [len(body["events"]) for body in proxy.bodies()] == [500, 1]


def test_papers_lists_and_interests_are_typed(client: Client, papers: list[str]) -> None:
    assert client.read_paper(papers[0]).title
    assert len(client.read_latest(limit=2).items) == 2
    assert client.read_trending(window="day", category=["cs.CV"], limit=1).items == ()
    assert client.read_similar(papers[0]).items == ()
    assert client.write_interests(Interests(categories=("cs.IR",), terms=("feeds",))) == client.read_interests()
    assert client.read_liveness() == {"status": "ok"}
    assert client.read_readiness().checks["database"].state == "ok"
    assert "paperfeed_events" in client.read_metrics()


def test_what_a_reader_decides_about_their_lists_is_typed(client: Client, papers: list[str]) -> None:
    muted = Muted(terms=("large models",), authors=("Ada Lovelace",), categories=("math",))
    assert client.write_muted(muted) == client.read_muted() == muted
    assert not client.switch_personalisation(is_personal=False).is_personal
    assert not client.read_personalisation().is_personal
    assert client.switch_personalisation(is_personal=True).reset_at is None
    assert client.forget_taste().reset_at is not None
    assert client.read_question(skip=papers).paper is None


def test_an_erased_reader_leaves_a_line_without_a_name(client: Client, papers: list[str]) -> None:
    client.acting_for("eve").send_events([Event("save", papers[0])])
    erased = client.admin.erase_reader("eve")
    assert (erased.readers, erased.rows["events"]) == (1, 1)
    (line,) = client.admin.read_audit_log().items
    assert (line.action, line.facts["events"]) == ("reader erased", 1)
    with pytest.raises(NotFound):
        client.admin.erase_reader("eve")


def test_a_search_is_typed_and_goes_on_page_by_page(client: Client, papers: list[str]) -> None:
    wait_until(lambda: client.search("title").total == len(papers), seconds=60, what="the index")
    page = client.search("title", limit=2, counts=True)
    assert all("title" in item.paper.title.lower() for item in page.items)
    assert all("<mark>" in item.highlights.title for item in page.items)
    assert page.total == len(papers)
    following = client.search("title", limit=100, cursor=page.next, counts=True)
    assert {item.paper.paper_id for item in (*page.items, *following.items)} == set(papers)
    assert following.counts is None
    only = client.search(first_day=date(2026, 5, 2), categories=["cs.CV"], organizations=["a, b"], with_code=True)
    assert (only.items, only.total, only.next) == ((), 0, None)
    assert client.search(papers[0], personal=True, sort="newest", prefix=True).items[0].paper.paper_id == papers[0]
    with pytest.raises(InvalidRequest):
        client.search("x" * 1001)


def test_a_reader_whose_name_is_any_text_is_told_from_others(client: Client, papers: list[str]) -> None:
    client.acting_for("Zoë 雪").send_events([Event("save", papers[1])])
    assert client.read_library().items == ()
    assert len(client.acting_for("Zoë 雪").read_library().items) == 1


def test_administrators_have_methods_of_their_own(client: Client, token: str) -> None:
    made = client.admin.create_token(scopes=["read"], reader="ada", label="test")
    assert made.token not in repr(made)
    assert made.token_id in {each.token_id for each in client.admin.list_tokens().items}
    assert client.admin.revoke_token(made.token_id).revoked_at is not None
    run = client.admin.start_training_run()
    assert client.admin.list_training_runs().items[0].run_id == run.run_id
    assert client.admin.cancel_training_run(run.run_id).state == client.admin.read_training_run(run.run_id).state
    assert client.admin.list_models().items == ()
    assert client.admin.pause_source("arxiv").state == "paused"
    assert client.admin.run_source("arxiv").due_at is None
    assert client.admin.resume_source("arxiv").state == client.admin.read_source("arxiv").state
    assert "arxiv" in {each.name for each in client.admin.list_sources().items}
    with pytest.raises(NotFound):
        client.admin.read_model("nothing")
    with pytest.raises(ProblemAnswer):
        client.admin.rollback_model()
    with pytest.raises(NotFound):
        client.admin.promote_model("nothing")


def test_refusals_are_errors_of_their_own(client: Client, service: str, token_of: Callable[..., str]) -> None:
    with pytest.raises(NotFound) as found:
        client.read_paper("cs/0112017")
    assert (found.value.status, found.value.type_name) == (404, "not-found")
    assert found.value.request_id
    with pytest.raises(InvalidRequest):
        client.read_feed(cursor="nonsense")
    with Client(service) as nobody, pytest.raises(NotAuthenticated):
        nobody.read_library()
    with Client(service, token_of("read"), reader="ada") as reading, pytest.raises(NotAllowed):
        reading.send_events([Event("save", "2401.00001")])
    with Client(service, token_of("read")) as nameless, pytest.raises(BadRequest, match="X-User"):
        nameless.read_library()


def test_an_answer_of_something_else_is_said_to_be_one(through: Client, proxy: Proxy) -> None:
    proxy.script.append(Answer(200, {"Content-Type": "text/html"}, b"<h1>Hotel WLAN</h1>"))
    with pytest.raises(UnexpectedAnswer):
        through.read_feed()
    proxy.script.append(Answer(418, {}, b"<h1>no</h1>"))
    with pytest.raises(ProblemAnswer, match="418"):
        through.read_feed()


def test_nobody_there_is_unreachable(nowhere: Client) -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
        nowhere.read_feed()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_service_is_asked_again_with_the_same_ids(
    through: Client, proxy: Proxy, papers: list[str], status: int
) -> None:
    proxy.script += [Answer(status, {}, BUSY), Answer(status, {}, BUSY)]
    (result,) = through.send_events([Event("save", papers[0])])
    assert result.status == "accepted"
    bodies = proxy.bodies()
    assert len(bodies) == 3
    assert len({str(body["events"]) for body in bodies}) == 1
    assert len({body["sent_at"] for body in bodies}) == 3, "each attempt says when it was sent"


def test_retry_after_is_waited_for(through: Client, proxy: Proxy) -> None:
    proxy.script.append(Answer(429, {"Retry-After": "1"}, BUSY))
    started = time.monotonic()
    assert through.read_latest().items
    assert time.monotonic() - started >= 1.0


def test_a_service_that_asks_for_too_much_patience_is_an_error_that_says_how_much(
    through: Client, proxy: Proxy
) -> None:
    proxy.script.append(Answer(503, {"Retry-After": "3600"}, BUSY))
    with pytest.raises(Unavailable) as raised:
        through.read_latest()
    assert raised.value.retry_after_seconds == 3600
    proxy.always = Answer(429, {}, BUSY)
    with pytest.raises(TooManyRequests):
        through.read_latest()
    assert len(proxy.seen) == 1 + QUICK.attempts


def test_an_answer_lost_after_the_commit_counts_once(
    through: Client, proxy: Proxy, papers: list[str], database: Database
) -> None:
    event = Event("save", papers[0])
    proxy.script.append("cut")
    (result,) = through.send_events([event])
    assert result.status == "duplicate"
    assert ids_in_log(database) == [event.event_id]


def test_what_may_not_happen_twice_is_not_sent_twice(through: Client, proxy: Proxy) -> None:
    proxy.script.append("cut")
    with pytest.raises(Unreachable):
        through.admin.create_token(scopes=["read"], label="once")
    assert len(proxy.seen) == 1
    assert [each.label for each in through.admin.list_tokens().items].count("once") == 1
    proxy.script.append(Answer(503, {}, BUSY))
    with pytest.raises(Unavailable):
        through.admin.create_token(scopes=["read"], label="twice")
    proxy.script.append(Answer(429, {}, BUSY))
    assert through.admin.create_token(scopes=["read"], label="twice").label == "twice"


async def _asynchronously(service: str, token: str, paper_id: str) -> tuple[int, str, str]:
    async with AsyncClient(service, token, reader="ada", retry=QUICK) as client:
        page = await client.read_feed(limit=2)
        (result,) = await client.send_events([Event("save", paper_id)])
        client.record(Event("click", paper_id))
        assert await client.flush(20)
        library = await client.read_library()
        assert client.report().accepted == 1
        assert (await client.admin.list_tokens()).items
        with pytest.raises(NotFound):
            await client.read_paper("9999.99999")
        return len(page.items), result.status, library.items[0].paper.paper_id


def test_the_asynchronous_client_does_the_same(service: str, token: str, papers: list[str]) -> None:
    assert asyncio.run(_asynchronously(service, token, papers[0])) == (2, "accepted", papers[0])


def test_the_asynchronous_client_tries_again(proxy: Proxy, token: str, papers: list[str], database: Database) -> None:
    event = Event("save", papers[0])

    async def send() -> str:
        async with AsyncClient(proxy.url, token, reader="ada", retry=QUICK) as client:
            proxy.script += [Answer(503, {}, BUSY), "cut before", "cut"]
            (result,) = await client.send_events([event])
            return result.status

    assert asyncio.run(send()) == "duplicate"
    assert ids_in_log(database) == [event.event_id]


def test_an_event_without_a_time_zone_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Event("save", "2401.00001", occurred_at=datetime.now(UTC).replace(tzinfo=None)).to_json()
