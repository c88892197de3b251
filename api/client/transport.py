"""Sending a call until it is answered: one loop for blocking programs, the same one for asynchronous ones."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

import httpx2

from api.client.calls import Call
from api.client.errors import ProblemAnswer, Unreachable
from api.client.retries import NOT_DONE, TRY_AGAIN, Retry, read_retry_after

T = TypeVar("T")
CONNECT_SECONDS: Final = 5.0
NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
AGENT: Final = "paperfeed-client"


@dataclass(frozen=True, slots=True)
class Account:
    """Where the service is and who calls it."""

    base_url: str
    token: str | None = field(default=None, repr=False)
    reader: str | None = None  # for whom a service token acts

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of every request; a reader's name may be any text."""
        headers = [(b"User-Agent", AGENT.encode()), (b"Accept", b"application/json")]
        if self.token is not None:
            headers.append((b"Authorization", f"Bearer {self.token}".encode()))
        if self.reader is not None:
            headers.append((b"X-User", self.reader.encode()))
        return headers


@dataclass(slots=True)
class Attempts:
    """What has become of one call so far, and whether and when to send it again."""

    retry: Retry
    is_repeatable: bool
    draws: random.Random
    failures: int = 0

    def wait_after(self, failure: Exception | httpx2.Response) -> float | None:
        """Return the seconds until the next attempt; None when there is none."""
        self.failures += 1
        retry_after = None
        if isinstance(failure, httpx2.Response):
            if failure.status_code not in (TRY_AGAIN if self.is_repeatable else NOT_DONE):
                return None
            retry_after = retry_after_of(failure)
        elif not (self.is_repeatable or isinstance(failure, NEVER_SENT)):
            return None
        return self.retry.delay(self.failures, retry_after_seconds=retry_after, draws=self.draws)


def retry_after_of(answer: httpx2.Response) -> float | None:
    """Return the seconds that an answer asks to wait."""
    return read_retry_after(answer.headers.get("Retry-After"), now=datetime.now(UTC))


def send(http: httpx2.Client, account: Account, call: Call[T], attempts: Attempts) -> T:
    """Return the answer to a call; the error of the last attempt when there is none."""
    while True:
        failure: Exception | httpx2.Response
        try:
            failure = http.send(_request(http, account, call))
        except httpx2.TransportError as error:
            failure = error
        else:
            if is_answer(failure, call):
                return call.read(failure.content)
        seconds = attempts.wait_after(failure)
        if seconds is None:
            raise _error(failure, account) from _cause(failure)
        time.sleep(seconds)


async def send_async(http: httpx2.AsyncClient, account: Account, call: Call[T], attempts: Attempts) -> T:
    """Return the answer to a call; the error of the last attempt when there is none."""
    while True:
        failure: Exception | httpx2.Response
        try:
            failure = await http.send(_request(http, account, call))
        except httpx2.TransportError as error:
            failure = error
        else:
            if is_answer(failure, call):
                return call.read(failure.content)
        seconds = attempts.wait_after(failure)
        if seconds is None:
            raise _error(failure, account) from _cause(failure)
        await asyncio.sleep(seconds)


def is_answer(response: httpx2.Response, call: Call[T]) -> bool:
    """True when the body says what was asked for, not why not."""
    return response.is_success or response.status_code in call.is_fine


def timeouts(seconds: float) -> httpx2.Timeout:
    """Return the patience for one attempt."""
    return httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))


def limits(connections: int) -> httpx2.Limits:
    """Return the size of the pool."""
    return httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)


def _request(http: httpx2.Client | httpx2.AsyncClient, account: Account, call: Call[T]) -> httpx2.Request:
    headers = account.headers()
    content = None
    if call.body is not None:
        content = call.body()
        headers.append((b"Content-Type", b"application/json"))
    return http.build_request(call.method, account.base_url + call.url(), headers=headers, content=content)


def _error(failure: Exception | httpx2.Response, account: Account) -> Exception:
    if isinstance(failure, httpx2.Response):
        seconds = retry_after_of(failure)
        return ProblemAnswer.from_answer(failure.status_code, failure.content, retry_after_seconds=seconds)
    return Unreachable(f"no answer from {account.base_url}: {type(failure).__name__} {failure}".rstrip())


def _cause(failure: Exception | httpx2.Response) -> Exception | None:
    return failure if isinstance(failure, Exception) else None
