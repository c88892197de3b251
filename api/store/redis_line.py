"""One connection to Redis for all coroutines of a process: what they ask in one turn of the loop travels together.

A question costs a seventh of what it costs through a client with a pool, and a caller that is cancelled leaves its
place in the queue behind: the answer that comes for it is read and dropped, never handed to somebody else.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

import hiredis
from redis.asyncio.connection import SSLConnection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

Argument: TypeAlias = bytes | str | int
Command: TypeAlias = tuple[Argument, ...]
Reply: TypeAlias = Any  # bytes, int, list of these, or None, as the command has it

LOOKS: Final = 4  # at a connection that says nothing, before it is given up
_NOTHING_YET: Final = object()
_pack: Final[Callable[[Any], bytes]] = hiredis.pack_command  # its type takes commands of one word only


@dataclass(slots=True)
class _Question:
    """Commands of one caller and what has been answered so far."""

    answer: "asyncio.Future[list[Reply]]"
    expected: int
    replies: list[Reply] = field(default_factory=list)


class RedisLine:
    """Asks one Redis; connects when it must, and again after a connection was lost."""

    def __init__(self, url: str, *, patience_seconds: float) -> None:
        """A server that sends nothing for `patience_seconds` while it is asked is given up."""
        self._where: dict[str, Any] = dict(parse_url(url))
        self._patience_seconds = patience_seconds
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[_Connection] | None = None

    async def ask(self, *commands: Command) -> list[Reply]:
        """Return the replies in order; raise RedisError for the first that is an error, or when no answer comes."""
        connection = self._connection
        if connection is None or connection.is_lost:
            connection = await self._connect()
        return await connection.ask(commands)

    async def aclose(self) -> None:
        """Close the connection; who still waits is told that it was lost."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _connect(self) -> "_Connection":
        if self._connecting is None:  # one for all who wait
            self._connecting = asyncio.ensure_future(self._open())
            self._connecting.add_done_callback(self._forget_connecting)
        return await asyncio.shield(self._connecting)

    def _forget_connecting(self, task: "asyncio.Task[_Connection]") -> None:
        self._connecting = None
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody waiting is no news

    async def _open(self) -> "_Connection":
        loop, where = asyncio.get_running_loop(), self._where
        connection = _Connection(loop, self._patience_seconds / LOOKS)
        try:
            async with asyncio.timeout(self._patience_seconds):
                if "path" in where:
                    await loop.create_unix_connection(lambda: connection, where["path"])
                else:
                    host, port = where.get("host", "localhost"), where.get("port", 6379)
                    await loop.create_connection(lambda: connection, host, port, ssl=self._tls())
                greeting = self._greeting()
                if greeting:
                    await connection.ask(greeting)
        except BaseException as error:
            connection.close()
            if isinstance(error, TimeoutError):
                raise RedisTimeoutError("the server did not answer in time") from error
            raise
        self._connection = connection
        return connection

    def _greeting(self) -> tuple[Command, ...]:
        where = self._where
        names = [where[name] for name in ("username", "password") if where.get(name)]
        sign_in: tuple[Command, ...] = (("AUTH", *names),) if where.get("password") else ()
        return (*sign_in, ("SELECT", int(where["db"]))) if where.get("db") else sign_in

    def _tls(self) -> ssl.SSLContext | None:
        if self._where.get("connection_class") is not SSLConnection:
            return None
        options = {name: value for name, value in self._where.items() if name != "connection_class"}
        return SSLConnection(**options).ssl_context.get()  # the library knows what an address may say about TLS


class _Connection(asyncio.Protocol):
    """An open connection: questions go out in one write each turn, replies come back in the same order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, look_seconds: float) -> None:
        self.is_lost = False
        self._loop = loop
        self._look_seconds = look_seconds
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader(replyError=ResponseError, notEnoughData=_NOTHING_YET)
        self._waiting: deque[_Question] = deque()
        self._outgoing: list[bytes] = []
        self._watch: asyncio.TimerHandle | None = None
        self._silent_looks = 0

    async def ask(self, commands: tuple[Command, ...]) -> list[Reply]:
        """Return one reply for each command."""
        if self.is_lost:
            raise RedisConnectionError("the connection was lost")
        answer: asyncio.Future[list[Reply]] = self._loop.create_future()
        self._waiting.append(_Question(answer, len(commands)))
        if not self._outgoing:
            self._loop.call_soon(self._send)
        self._outgoing += [_pack(command) for command in commands]
        if self._watch is None:
            self._silent_looks = 0
            self._watch = self._loop.call_later(self._look_seconds, self._look)
        return await answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclasses of it

    def data_received(self, data: bytes) -> None:
        self._silent_looks = 0
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not _NOTHING_YET:
                self._take(reply)
        except hiredis.ProtocolError as error:
            self._lose(RedisConnectionError(f"not a Redis: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(RedisConnectionError(f"the connection was lost: {exc}" if exc else "the connection was closed"))

    def close(self) -> None:
        """Close it at once."""
        self._lose(RedisConnectionError("the connection was closed"))

    def _send(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None and not self.is_lost:
            self._transport.write(b"".join(outgoing))

    def _take(self, reply: Reply) -> None:
        if not self._waiting:
            raise hiredis.ProtocolError("an answer that nobody asked for")
        question = self._waiting[0]
        question.replies.append(reply)
        if len(question.replies) < question.expected:
            return
        self._waiting.popleft()
        if question.answer.done():  # its caller has gone
            return
        errors = [found for found in question.replies if isinstance(found, Exception)]
        if errors:
            question.answer.set_exception(errors[0])
        else:
            question.answer.set_result(question.replies)

    def _look(self) -> None:
        """Give up a silent server by looks, not by the clock: after a pause of ours, what came is read first."""
        self._watch = None
        if not self._waiting:
            return
        self._silent_looks += 1
        if self._silent_looks >= LOOKS:
            self._lose(RedisTimeoutError("the server did not answer in time"))
        else:
            self._watch = self._loop.call_later(self._look_seconds, self._look)

    def _lose(self, error: Exception) -> None:
        self.is_lost = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        while self._waiting:
            answer = self._waiting.popleft().answer
            if not answer.done():
                answer.set_exception(error)
