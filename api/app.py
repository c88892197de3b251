"""The application: routers, middleware, and what one process opens at its start."""

import importlib.metadata
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.routes import admin, events, feed, health, pages, papers, tokens, users
from api.routes.middleware import BodyLimit, RequestContext
from api.routes.problems import install_problem_handlers, tidy_openapi
from api.runtime.logs import configure_logging
from api.runtime.processes import die_with_parent
from api.runtime.state import build_runtime
from api.schemas.events import BatchOutcome, EventBatch
from api.services.feedback import record_events
from api.settings import Settings, read_settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; nothing is opened before it starts."""
    chosen = settings or read_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runtime = await run_in_threadpool(build_runtime, chosen, record=_record_now)
        app.state.runtime = runtime
        runtime.intake.start()
        runtime.hints.start()
        runtime.serving.start()
        try:
            yield
        finally:
            await runtime.async_feeds.aclose()
            await run_in_threadpool(runtime.close)

    app = FastAPI(
        title="Paperfeed",
        summary="Daily papers with a feed that learns.",
        version=importlib.metadata.version("paperfeed"),
        lifespan=lifespan,
        docs_url=None,  # the page at /docs is our own: FastAPI's loads its scripts from another host
        redoc_url=None,
    )
    install_problem_handlers(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestContext)  # added last: the outermost
    for module in (health, events, users, tokens, feed, papers, admin, pages):
        app.include_router(module.router)
    _document(app)
    return app


def start_app() -> FastAPI:
    """Return the application for a process of its own: logs are set up, and it ends when its parent does."""
    settings = read_settings()
    configure_logging(settings, "api")
    parent = multiprocessing.parent_process()
    if parent is not None:  # by its own number: it may have died while this process was importing
        die_with_parent(parent_pid=parent.pid)
    return create_app(settings)


def _record_now(session: Session, batches: list[EventBatch]) -> list[BatchOutcome]:
    return record_events(session, batches, now=datetime.now(UTC))


def _document(app: FastAPI) -> None:
    generate = app.openapi

    def tidy() -> dict[str, Any]:
        return app.openapi_schema or tidy_openapi(generate())

    app.openapi = tidy  # type: ignore[method-assign] # FastAPI's documented way to change the document
