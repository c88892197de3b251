"""The shared connection to a real Redis: order, cancelled callers, lost and silent servers."""

import asyncio
import socket
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import redis
import uvloop
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from api.store.redis_line import RedisLine

LOOPS = {"asyncio": asyncio.run, "uvloop": uvloop.run}


@pytest.fixture(params=sorted(LOOPS))
def run(request: pytest.FixtureRequest) -> Any:
    """Return what runs a coroutine, on each kind of loop that serves."""
    return LOOPS[request.param]


def with_line(url: str, scenario: Any, *, patience: float = 10.0) -> Coroutine[Any, Any, Any]:
    """Run a scenario with an open line."""

    async def main() -> Any:
        line = RedisLine(url, patience_seconds=patience)
        try:
            return await scenario(line)
        finally:
            await line.aclose()

    return main()


def test_many_callers_get_their_own_answers_over_one_connection(redis_url: str, run: Any) -> None:
    async def scenario(line: RedisLine) -> None:
        await asyncio.gather(*(line.ask(("SET", f"k{at}", at)) for at in range(200)))
        found = await asyncio.gather(*(line.ask(("GET", f"k{at}"), ("STRLEN", f"k{at}")) for at in range(200)))
        assert found == [[b"%d" % at, len(str(at))] for at in range(200)]
        clients = await asyncio.gather(*(line.ask(("CLIENT", "ID")) for _ in range(20)))
        assert len({number for [number] in clients}) == 1

    run(with_line(redis_url, scenario))


def test_a_cancelled_caller_never_leaves_its_answer_to_the_next(redis_url: str, run: Any) -> None:
    async def scenario(line: RedisLine) -> None:
        for attempt in range(200):
            gone = asyncio.ensure_future(line.ask(("ECHO", f"gone {attempt}")))
            for _ in range(attempt % 5):
                await asyncio.sleep(0)
            gone.cancel()
            assert await line.ask(("ECHO", f"here {attempt}")) == [b"here %d" % attempt]

    run(with_line(redis_url, scenario))


def test_an_error_reply_is_raised_and_harms_nobody_else(redis_url: str, run: Any) -> None:
    async def scenario(line: RedisLine) -> None:
        wrong, right = await asyncio.gather(
            line.ask(("ECHO", "a"), ("NOSUCH",)), line.ask(("ECHO", "b")), return_exceptions=True
        )
        assert isinstance(wrong, ResponseError)
        assert right == [b"b"]

    run(with_line(redis_url, scenario))


def test_a_lost_connection_is_opened_again(redis_url: str, run: Any) -> None:
    async def scenario(line: RedisLine) -> None:
        await line.ask(("PING",))
        with redis.Redis.from_url(redis_url) as other:
            waiting = asyncio.ensure_future(line.ask(("BLPOP", "nothing", 0)))
            await asyncio.sleep(0.05)
            other.client_kill_filter(_type="normal", skipme=True)
            with pytest.raises(RedisConnectionError):
                await waiting
        assert await line.ask(("ECHO", "again")) == [b"again"]

    run(with_line(redis_url, scenario))


def test_a_server_that_says_nothing_is_given_up(short_dir: Path, run: Any) -> None:
    path = short_dir / "silent.sock"
    path.unlink(missing_ok=True)

    async def scenario(line: RedisLine) -> None:
        started = time.monotonic()
        with pytest.raises(RedisTimeoutError):
            await line.ask(("PING",))
        assert 0.1 <= time.monotonic() - started < 5

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(5)
        run(with_line(f"unix://{path}", scenario, patience=0.2))


def test_nobody_there_is_an_error_for_everybody_who_waits(tmp_path: Path, run: Any) -> None:
    async def scenario(line: RedisLine) -> None:
        found = await asyncio.gather(*(line.ask(("PING",)) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(error, OSError) for error in found)

    run(with_line(f"unix://{tmp_path / 'nothing.sock'}", scenario))


def test_the_address_may_name_a_database(redis_url: str, run: Any) -> None:
    async def scenario(line: RedisLine) -> None:
        await line.ask(("SET", "where", "two"))

    run(with_line(f"{redis_url}?db=2", scenario))
    with redis.Redis.from_url(redis_url, db=2) as cache:
        assert cache.get("where") == b"two"
        cache.delete("where")


def test_a_wrong_password_is_an_error_that_says_so(redis_url: str, run: Any) -> None:
    async def scenario(line: RedisLine) -> None:
        with pytest.raises(ResponseError, match="WRONGPASS"):
            await line.ask(("PING",))

    run(with_line(redis_url.replace("unix://", "unix://ada:wrong@"), scenario))
