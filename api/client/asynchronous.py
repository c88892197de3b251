"""The asynchronous client."""

import asyncio
import copy
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cache, partial
from types import TracebackType
from typing import Self, TypeVar

import httpx2

from api.client import calls
from api.client import values as v
from api.client.admin import AsyncAdmin
from api.client.buffering import Buffering, Report
from api.client.retries import Retry
from api.client.sending import batches, build_outbox
from api.client.transport import Account, Attempts, limits, send_async, timeouts

T = TypeVar("T")


class AsyncClient:
    """A Paperfeed service, asynchronous: every public route as a method, and events kept until they are counted.

    One client keeps one pool of connections; it belongs to one event loop. Make one in each process.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        reader: str | None = None,
        retry: Retry | None = None,
        buffering: Buffering | None = None,
        timeout_seconds: float = 30.0,
        connections: int = 20,
    ) -> None:
        """Take the service's address and a token; `reader` names whom a service's token acts for."""
        self._account = Account(base_url.rstrip("/"), token, reader)
        self._retry = retry or Retry()
        self._draws = random.Random()
        self._http = httpx2.AsyncClient(timeout=timeouts(timeout_seconds), limits=limits(connections))
        # Recorded events have a connection of their own, used by a thread: it outlives the event loop.
        self._thread_http = cache(partial(httpx2.Client, timeout=timeouts(timeout_seconds), limits=limits(1)))
        self._outbox = build_outbox(self._account, buffering or Buffering(), self._thread_http)

    @property
    def admin(self) -> AsyncAdmin:
        """What needs a token with the scope `admin`."""
        return AsyncAdmin(self._ask)

    def acting_for(self, reader: str) -> Self:
        """Return the same client for another reader, on the same connections and with the same buffer."""
        other = copy.copy(self)
        other._account = replace(self._account, reader=reader)
        return other

    async def send_events(self, events: Sequence[v.Event]) -> list[v.EventResult]:
        """Return what became of each event, in their order; all that is accepted is stored durably.

        Sent again after a failure, by this method or by its caller, the same events are counted once.
        """
        found: list[v.EventResult] = []
        for batch in batches(events):
            found += (await self._ask(calls.send_events(batch))).results
        return found

    def record(self, event: v.Event) -> None:
        """Keep an event and return at once; it is sent with others soon, and later when the service is away."""
        self._outbox.record(event, self._account.reader)

    async def flush(self, seconds: float = 10.0) -> bool:
        """Send what was recorded; True when all of it was answered in time."""
        return await asyncio.to_thread(self._outbox.flush, seconds)

    def report(self) -> Report:
        """Return what has become of recorded events."""
        return self._outbox.report()

    async def read_feed(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        category: Sequence[str] = (),
        since: date | None = None,
        exclude: Sequence[str] = (),
    ) -> v.Feed:
        """Return a page of the reader's feed; its `next` is the `cursor` of the following one."""
        return await self._ask(
            calls.read_feed(limit=limit, cursor=cursor, category=category, since=since, exclude=exclude)
        )

    async def read_trending(
        self,
        *,
        window: v.Window | None = None,
        category: Sequence[str] = (),
        limit: int | None = None,
        cursor: str | None = None,
    ) -> v.Papers:
        """Return what readers save, vote for and read."""
        return await self._ask(calls.read_trending(window=window, category=category, limit=limit, cursor=cursor))

    async def read_latest(
        self,
        *,
        category: Sequence[str] = (),
        since: date | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> v.Papers:
        """Return the newest papers."""
        return await self._ask(calls.read_latest(category=category, since=since, limit=limit, cursor=cursor))

    async def search(
        self,
        text: str = "",
        *,
        first_day: date | None = None,
        last_day: date | None = None,
        categories: Sequence[str] = (),
        organizations: Sequence[str] = (),
        with_code: bool | None = None,
        sort: v.Sort | None = None,
        prefix: bool = False,
        personal: bool = False,
        counts: bool = False,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> v.Found:
        """Return papers that match; the `cursor` of a following page is for the same text, filters and order."""
        call = calls.search(
            text,
            first_day=first_day,
            last_day=last_day,
            categories=categories,
            organizations=organizations,
            with_code=with_code,
            sort=sort,
            prefix=prefix,
            personal=personal,
            counts=counts,
            limit=limit,
            cursor=cursor,
        )
        return await self._ask(call)

    async def read_paper(self, paper_id: str) -> v.Paper:
        """Return one paper; NotFound when nobody knows it."""
        return await self._ask(calls.read_paper(paper_id))

    async def read_similar(self, paper_id: str, *, limit: int | None = None, cursor: str | None = None) -> v.Papers:
        """Return papers like this one."""
        return await self._ask(calls.read_similar(paper_id, limit=limit, cursor=cursor))

    async def read_interests(self) -> v.Interests:
        """Return what the reader says they like."""
        return await self._ask(calls.read_interests())

    async def write_interests(self, interests: v.Interests) -> v.Interests:
        """Replace what the reader says they like."""
        return await self._ask(calls.write_interests(interests))

    async def read_muted(self) -> v.Muted:
        """Return what never stands in the reader's personal lists."""
        return await self._ask(calls.read_muted())

    async def write_muted(self, muted: v.Muted) -> v.Muted:
        """Replace what never stands in the reader's personal lists."""
        return await self._ask(calls.write_muted(muted))

    async def read_personalisation(self) -> v.Personalisation:
        """Return whether the reader's lists follow what they do."""
        return await self._ask(calls.read_personalisation())

    async def switch_personalisation(self, *, is_personal: bool) -> v.Personalisation:
        """Let the reader's lists follow what they do, or not."""
        return await self._ask(calls.switch_personalisation(is_personal=is_personal))

    async def forget_taste(self) -> v.Personalisation:
        """Empty the reader's interests; what they did until now teaches nothing any more, library and history stay."""
        return await self._ask(calls.forget_taste())

    async def read_question(self, *, skip: Sequence[str] = ()) -> v.Question:
        """Return the paper whose answer tells most about what to show the reader; `skip` are those without one."""
        return await self._ask(calls.read_question(skip=skip))

    async def read_library(self, *, limit: int | None = None, cursor: str | None = None) -> v.Library:
        """Return the reader's saved papers, last saved first."""
        return await self._ask(calls.read_library(limit=limit, cursor=cursor))

    async def read_history(self, *, limit: int | None = None, cursor: str | None = None) -> v.History:
        """Return what the reader did, newest first."""
        return await self._ask(calls.read_history(limit=limit, cursor=cursor))

    async def read_hidden(self, *, limit: int | None = None, cursor: str | None = None) -> v.Hidden:
        """Return the papers that the reader's lists leave out, and why."""
        return await self._ask(calls.read_hidden(limit=limit, cursor=cursor))

    async def bring_back(self, paper_id: str) -> None:
        """Let the reader's lists show a paper again; Conflict for one that is saved."""
        await self._ask(calls.bring_back(paper_id))

    async def merge_reader(self, cookie: str) -> v.Merged:
        """Take the history of the anonymous reader with this cookie into the reader's account, once."""
        return await self._ask(calls.merge_reader(cookie))

    async def read_liveness(self) -> v.Json:
        """Return what the process says that answers without asking anything else."""
        return await self._ask(calls.read_liveness())

    async def read_readiness(self) -> v.Readiness:
        """Return whether requests can be served, and what is known of every part."""
        return await self._ask(calls.read_readiness())

    async def read_metrics(self) -> str:
        """Return the counters in Prometheus's text format."""
        return await self._ask(calls.read_metrics())

    async def close(self) -> None:
        """Send what still waits, for `Buffering.exit_seconds` at most, and close the connections."""
        await asyncio.to_thread(self._outbox.close)
        await self._http.aclose()
        if self._thread_http.cache_info().currsize:
            self._thread_http().close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(self, call: calls.Call[T]) -> T:
        attempts = Attempts(self._retry, call.is_repeatable, self._draws)
        return await send_async(self._http, self._account, call, attempts)
