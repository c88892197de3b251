"""A plain route that stores events: the same table, columns, indexes and durability, and nothing that is not needed."""

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
import psycopg
from fastapi import FastAPI, Request, Response

DATABASE: Final = "BENCH_DATABASE"  # path of a SQLite file, or a PostgreSQL address
MOST_WAITING: Final = 2000
NAMES: Final = (
    "user_id, event_id, kind, paper_id, occurred_at, received_at, raw_occurred_at, raw_sent_at, position, value,"
    " slate_id, slate_position, slate_source, propensity, slate_version, slate_variant, payload_hash, is_import"
)
COLUMNS: Final = tuple(NAMES.replace(",", " ").split())
TYPES: Final = (
    *("bigint", "varchar", "smallint", "bigint", "bigint", "bigint", "bigint", "bigint", "integer", "float8"),
    *("varchar", "integer", "smallint", "float8", "varchar", "varchar", "varchar", "boolean"),
)
TO_SQLITE: Final = f"INSERT INTO events ({NAMES}) VALUES ({', '.join('?' * len(COLUMNS))})"
TO_POSTGRESQL: Final = (
    f"INSERT INTO events ({NAMES}) SELECT * FROM unnest({', '.join(f'%s::{name}[]' for name in TYPES)})"
)

SAID: Final = ("0123456789abcdef", 7, 2, 0.81, "bench-1", "base", "0123456789abcdef" * 2, False)

Row = tuple[object, ...]


class Writer(threading.Thread):
    """One thread that stores what waits in one transaction, and then answers all who waited."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(daemon=True)
        self.loop = loop
        self.waiting: queue.Queue[tuple[list[Row], asyncio.Future[None]]] = queue.Queue(MOST_WAITING)

    def run(self) -> None:
        """Commit group after group."""
        address = os.environ[DATABASE]
        store = _to_postgresql(address) if address.startswith("postgresql") else _to_sqlite(address)
        while True:
            group = [self.waiting.get()]
            try:
                while len(group) < MOST_WAITING:
                    group.append(self.waiting.get_nowait())
            except queue.Empty:
                pass
            futures = [future for _, future in group]
            try:
                store([row for rows, _ in group for row in rows])
            except (sqlite3.Error, psycopg.Error) as error:  # every request of the group fails, as the load will show
                self.loop.call_soon_threadsafe(_refuse, futures, error)
                continue
            self.loop.call_soon_threadsafe(_answer, futures)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.writer = Writer(asyncio.get_running_loop())
    app.state.writer.start()
    yield


events = FastAPI(lifespan=_lifespan)


@events.post("/events", status_code=202)
async def post_events(request: Request) -> Response:
    """Store events that name their reader and paper by number; what a slate would have said is always the same."""
    sent = orjson.loads(await request.body())["events"]
    now = time.time_ns() // 1000
    rows = [
        (
            *(row["user_id"], row["id"], row["kind"], row["paper_id"], row["occurred_at"], now, row["occurred_at"]),
            *(None, row["position"], row.get("value"), *SAID),
        )
        for row in sent
    ]
    future = asyncio.get_running_loop().create_future()
    events.state.writer.waiting.put_nowait((rows, future))
    await future
    answer = {"results": [{"id": row["id"], "status": "accepted"} for row in sent]}
    return Response(orjson.dumps(answer), status_code=202, media_type="application/json")


def _to_sqlite(path: str) -> Any:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=10000",
        "cache_size=-16384",
    ):
        connection.execute(f"PRAGMA {pragma}")

    def store(rows: list[Row]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(TO_SQLITE, rows)
        except sqlite3.Error:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    return store


def _to_postgresql(address: str) -> Any:
    connection = psycopg.connect(address)

    def store(rows: list[Row]) -> None:
        with connection.transaction():
            connection.execute(TO_POSTGRESQL, tuple(map(list, zip(*rows, strict=True))))

    return store


def _answer(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def _refuse(futures: list[asyncio.Future[None]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
