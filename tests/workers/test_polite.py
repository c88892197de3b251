"""Requests keep to what their hosts want: pace, waits, limits, conditions."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest

from api.sources.steps import Ask, SourceFailed
from api.store.engine import Database
from tests.workers.hosts import Answer, Host, Reply, always, host, in_turn
from workers import polite
from workers.polite import Manners, OutOfTime, PoliteClient, user_agent

PACE = "test-host"


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody of a test wait for long."""
    monkeypatch.setattr(polite, "PACE_LOOK_SECONDS", 0.05)


@pytest.fixture
def there(request: pytest.FixtureRequest) -> Iterator[Host]:
    """Return a host that answers as the test's parameter says, `ok` where it has none."""
    answer: Answer = getattr(request, "param", always(Reply(b"ok")))
    with host(answer) as found:
        yield found


def client_of(
    database: Database, *, pause: float = 0.0, seconds: float = 20.0, tries: int = 3, **manners: object
) -> PoliteClient:
    wanted = Manners(PACE, pause, tries=tries, **manners)  # type: ignore[arg-type]  # fields of Manners
    return PoliteClient(database, wanted, until=time.monotonic() + seconds)


def test_requests_of_all_processes_together_keep_the_pace_and_come_one_at_a_time(
    there: Host, database: Database
) -> None:
    there.answer = always(Reply(b"ok", pause=0.05))

    def ask(number: int) -> None:
        with client_of(database, pause=0.2) as client:
            client.fetch(Ask(f"{there.url}/{number}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    times = sorted(asked.at for asked in there.asked)
    assert there.most_at_once == 1
    assert min(later - sooner for sooner, later in pairwise(times)) >= 0.24


def test_a_process_that_died_with_a_pace_gives_it_up(
    there: Host, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polite, "HOLD_SPARE_SECONDS", 0.8)
    with client_of(sqlite_database, request_seconds=0.01) as dead:
        dead._hold()
    polite_again = client_of(sqlite_database, seconds=20.0)
    started = time.monotonic()
    with polite_again as client:
        got, _ = client.fetch(Ask(there.url))
    assert got.body == b"ok"
    assert 0.5 < time.monotonic() - started < 15.0


@pytest.mark.parametrize("is_date", [False, True], ids=["seconds", "date"])
def test_a_host_that_asks_for_time_gets_it(is_date: bool, sqlite_database: Database) -> None:
    words = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True) if is_date else "1"
    busy = Reply(status=503, headers={"Retry-After": words})
    with host(in_turn(busy, Reply(b"ok"))) as there, client_of(sqlite_database) as client:
        got, _ = client.fetch(Ask(there.url))
        if not is_date:
            assert (got.status, len(there.asked)) == (200, 2)
            assert there.asked[1].at - there.asked[0].at >= 1.0
        else:  # too long to wait for: whoever comes next is held back by the pace
            assert (got.status, len(there.asked)) == (503, 1)
            with pytest.raises(OutOfTime) as late:
                client.fetch(Ask(there.url))
            assert late.value.free_at > datetime.now(UTC) + timedelta(minutes=50)


def test_a_busy_host_that_names_no_time_is_asked_a_few_times_with_growing_waits(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polite, "RETRY_SECONDS", 0.1)
    with host(always(Reply(status=429))) as there, client_of(sqlite_database) as client:
        got, _ = client.fetch(Ask(there.url))
        assert got.status == 429
        first, second, third = (asked.at for asked in there.asked)
        assert second - first >= 0.1
        assert third - second >= 0.2


def test_an_answer_that_has_not_changed_is_not_sent_again(there: Host, sqlite_database: Database) -> None:
    def answer(asked: object) -> Reply:
        if getattr(asked, "headers", {}).get("if-none-match") == '"a"':
            return Reply(status=304, headers={"ETag": '"a"'})
        return Reply(b"new", headers={"ETag": '"a"', "Last-Modified": "Sat, 14 Mar 2026 09:00:00 GMT"})

    there.answer = answer
    ask = Ask(there.url, is_conditional=True)
    with client_of(sqlite_database) as client:
        got, seen = client.fetch(ask)
        again, _ = client.fetch(ask, seen=seen)
        unconditional, _ = client.fetch(Ask(there.url), seen=seen)
    assert (got.body, again.status, unconditional.status) == (b"new", 304, 200)
    assert there.asked[1].headers["if-modified-since"] == "Sat, 14 Mar 2026 09:00:00 GMT"


@pytest.mark.parametrize("there", [always(Reply(status=304))], indirect=True)
def test_a_304_that_nobody_asked_for_is_a_failure(there: Host, sqlite_database: Database) -> None:
    with client_of(sqlite_database) as client, pytest.raises(SourceFailed, match="304"):
        client.fetch(Ask(there.url))


def test_gzip_is_read_and_a_bomb_is_not(there: Host, sqlite_database: Database) -> None:
    packed = {"Content-Encoding": "gzip"}
    there.answer = in_turn(
        Reply(gzip.compress(b"a" * 1000), headers=packed),
        Reply(gzip.compress(bytes(200 * 2**20)), headers=packed),
        Reply(gzip.compress(b"b" * 1000)[:-12], headers=packed),
        Reply(b"no gzip at all", headers=packed),
        Reply(b"c" * 5001),
        Reply(b"br", headers={"Content-Encoding": "br"}),
    )
    with client_of(sqlite_database, most_bytes=5000) as client:
        got, _ = client.fetch(Ask(there.url))
        assert got.body == b"a" * 1000
        assert there.asked[0].headers["accept-encoding"] == "gzip"
        for reason in ("more than 5,000 bytes", "broke off", "no gzip", "more than 5,000 bytes", "not asked for"):
            with pytest.raises(SourceFailed, match=reason):
                client.fetch(Ask(there.url))


@pytest.mark.parametrize("there", [always(Reply(b"half", length=4000))], indirect=True)
def test_half_an_answer_is_none(there: Host, sqlite_database: Database) -> None:
    with client_of(sqlite_database) as client, pytest.raises(SourceFailed, match="cannot be read"):
        client.fetch(Ask(there.url))


@pytest.mark.parametrize("there", [always(Reply(hang=True))], indirect=True)
def test_a_host_that_hangs_is_left_at_the_limit_of_a_request(there: Host, sqlite_database: Database) -> None:
    started = time.monotonic()
    with (
        client_of(sqlite_database, request_seconds=0.3) as client,
        pytest.raises(SourceFailed, match=r"Timeout|longer than"),
    ):
        client.fetch(Ask(there.url))
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Endless: ",
    ],
    ids=["body", "body without a length", "headers"],
)
def test_a_host_that_answers_a_drop_at_a_time_is_left_too(start: bytes, sqlite_database: Database) -> None:
    with _Dripping(start) as url, client_of(sqlite_database, request_seconds=0.5) as client:
        started = time.monotonic()
        with pytest.raises(SourceFailed, match="longer than"):
            client.fetch(Ask(url))
        assert time.monotonic() - started < 10


def test_redirects_are_followed_a_few_times_and_keys_stay_with_their_host(
    there: Host, sqlite_database: Database
) -> None:
    with host(always(Reply(b"moved here"))) as elsewhere:
        there.answer = in_turn(
            Reply(status=301, headers={"Location": f"{elsewhere.url}/new"}),
            Reply(status=302, headers={"Location": "/again"}),
            Reply(status=302, headers={"Location": "file:///etc/passwd"}),
            Reply(status=303, headers={"Location": "/other"}),
        )
        with client_of(sqlite_database) as client:
            got, _ = client.fetch(Ask(there.url, headers={"x-api-key": "secret"}))
            assert (got.body, got.url) == (b"moved here", f"{elsewhere.url}/new")
            assert "x-api-key" in there.asked[0].headers
            assert "x-api-key" not in elsewhere.asked[0].headers
            with pytest.raises(SourceFailed, match="not safe"):
                client.fetch(Ask(there.url))
            with pytest.raises(SourceFailed, match="has moved"):
                client.fetch(Ask(there.url, body=b"{}"))
            there.answer = always(Reply(status=302, headers={"Location": "/round"}))
            with pytest.raises(SourceFailed, match="more than 5 times"):
                client.fetch(Ask(there.url))


@pytest.mark.parametrize(
    ("steps", "is_refused"),
    [
        (("8.8.8.8", "169.254.169.254"), True),
        (("8.8.8.8", "127.0.0.1"), True),
        (("8.8.8.8", "[::ffff:10.0.0.1]"), True),
        (("8.8.8.8", "9.9.9.9"), False),
        (("10.0.0.1", "10.0.0.2"), False),
    ],
)
def test_nobody_outside_leads_requests_to_a_host_inside(
    steps: tuple[str, str], is_refused: bool, there: Host, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", there.url)  # so that one host answers for all of these
    there.answer = in_turn(Reply(status=302, headers={"Location": f"http://{steps[1]}/keys"}), Reply(b"followed"))
    asked = Ask(f"http://{steps[0]}/feed")
    with client_of(sqlite_database) as client:
        if is_refused:
            with pytest.raises(SourceFailed, match="not public"):
                client.fetch(asked)
        else:
            assert client.fetch(asked)[0].body == b"followed"
    assert len(there.asked) == (1 if is_refused else 2)


def test_failures_name_host_and_path_but_never_the_query(sqlite_database: Database) -> None:
    with client_of(sqlite_database) as client, pytest.raises(SourceFailed) as failed:
        client.fetch(Ask("http://127.0.0.1:9/works?api_key=hidden"))
    assert "127.0.0.1/works" in str(failed.value)
    assert "hidden" not in str(failed.value)


def test_requests_say_who_asks(there: Host, sqlite_database: Database) -> None:
    with client_of(sqlite_database, contact="papers@example.org") as client:
        client.fetch(Ask(there.url, body=b'{"ids": []}', headers={"Content-Type": "application/json"}))
    assert there.asked[0].headers["user-agent"].endswith("(mailto:papers@example.org)")
    assert there.asked[0].body == b'{"ids": []}'
    assert user_agent("https://example.org").endswith("(+https://example.org)")
    assert user_agent("").startswith("paperfeed/")


def _drip(connection: object, start: bytes, is_over: threading.Event) -> None:
    send = connection.sendall  # type: ignore[attr-defined]  # a socket
    try:
        send(start)
        while not is_over.wait(0.05):
            send(b"x")
    except OSError:
        return


class _Dripping:
    """A server that sends a byte now and then."""

    def __init__(self, start: bytes) -> None:
        self._start = start

    def __enter__(self) -> str:
        self._over = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._server.getsockname()[1]}/"

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection:
            connection.recv(4096)
            _drip(connection, self._start, self._over)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.close()
