"""Plain routes that ours are measured against: what one writes first when nothing else is asked for."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

import redis.asyncio
from fastapi import FastAPI, Query, Response

REDIS_URL: Final = "BENCH_REDIS_URL"
PAPERS: Final = 20


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.redis = redis.asyncio.Redis.from_url(os.environ[REDIS_URL])
    yield
    await app.state.redis.aclose()


feed = FastAPI(lifespan=_lifespan)


@feed.get("/feed")
async def read_feed(start: Annotated[int, Query(ge=0)]) -> Response:
    """Answer 20 rendered papers, joined as they are in the cache."""
    papers = await feed.state.redis.mget([f"bare:{at}" for at in range(start, start + PAPERS)])
    return Response(b'{"items":[' + b",".join(papers) + b"]}", media_type="application/json")
