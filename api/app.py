"""The application: routers, middleware, and what one process opens at its start."""

import gc
import importlib.metadata
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from api.routes import (
    admin,
    collections,
    events,
    feed,
    health,
    hidden,
    hub,
    hub_papers,
    letters,
    merging,
    pages,
    papers,
    readers,
    search,
    sources,
    tastes,
    tokens,
    users,
)
from api.routes.hot_events import HotEvents
from api.routes.hot_feed import HotFeed
from api.routes.hub_door import HubDoor
from api.routes.limiting import CORS, RateLimits
from api.routes.middleware import BodyLimit, RequestContext
from api.routes.problems import install_problem_handlers, tidy_openapi
from api.routes.site import ROUTERS, library_imports
from api.routes.site.banners import know_conditions
from api.routes.site.page_door import PageDoor
from api.runtime.logs import configure_logging
from api.runtime.processes import die_with_parent
from api.runtime.state import build_runtime
from api.services.feedback import make_recorder
from api.settings import Settings, read_settings

# Requests are counted by our own middleware; looking for another's tracers at each costs a thirtieth of a feed hit.
NO_TELEMETRY: Final[TelemetryConfig] = {"auto_configure": False, "tracing": False, "metrics": False, "logs": False}

YOUNG_OBJECTS: Final = 10_000  # made before the next look for garbage: 700, Python's own number, are two requests

MODULES: Final = (  # whose routers answer, in this order, after those of the pages of the site
    health,
    events,
    users,
    tastes,
    hidden,
    merging,
    tokens,
    feed,
    search,
    papers,
    admin,
    readers,
    sources,
    letters,
    collections,
    hub,
    hub_papers,
    pages,
)


class Application(FastAPI):
    """The application with hot answers ahead of it all: on a hit, layers that do nothing cost as much as a cursor."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._ahead = HotFeed(HubDoor(PageDoor(super().__call__)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self._ahead(scope, receive, send)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; nothing is opened before it starts."""
    chosen = settings or read_settings()

    app = Application(
        title="Paperfeed",
        summary="Daily papers with a feed that learns.",
        version=importlib.metadata.version("paperfeed"),
        lifespan=partial(_running, chosen),
        docs_url=None,  # the page at /docs is our own: FastAPI's loads its scripts from another host
        redoc_url=None,
        telemetry=NO_TELEMETRY,
    )
    install_problem_handlers(app)
    app.add_middleware(BodyLimit, larger={library_imports.PATH: library_imports.MOST_BYTES})
    app.add_middleware(RateLimits)
    app.add_middleware(RequestContext)
    if chosen.cors_origins:
        app.add_middleware(CORSMiddleware, **CORS, allow_origins=chosen.cors_origins.split())  # last: the outermost
    app.add_middleware(HotEvents)  # as `HotFeed` ahead of all that it has no need of
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(know_conditions)])
    for module in MODULES:
        app.include_router(module.router)
    _document(app)
    return app


@asynccontextmanager
async def _running(settings: Settings, app: FastAPI) -> AsyncIterator[None]:
    """Open what one process needs, while the block lasts."""
    runtime = await run_in_threadpool(
        build_runtime, settings, record=make_recorder(most_letters=settings.dead_letters_most)
    )
    app.state.runtime = runtime
    runtime.intake.start(partial(events.follow_commit, runtime))
    runtime.hints.start()
    runtime.access.start()
    runtime.serving.start()
    runtime.freshness.start()
    runtime.search.start()
    try:
        yield
    finally:
        await runtime.async_feeds.aclose()
        await runtime.limits.aclose()
        await run_in_threadpool(runtime.close)


def start_app() -> FastAPI:
    """Return the application for a process of its own: logs are set up, and it ends when its parent does."""
    settings = read_settings()
    configure_logging(settings, "api")
    parent = multiprocessing.parent_process()
    if parent is not None:  # by its own number: it may have died while this process was importing
        die_with_parent(parent_pid=parent.pid)
    app = create_app(settings)
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    gc.freeze()  # modules and routes stay: every full look through them would hold up requests for a tenth of a second
    gc.enable()
    return app


def _document(app: FastAPI) -> None:
    generate = app.openapi

    def tidy() -> dict[str, Any]:
        return app.openapi_schema or tidy_openapi(generate())

    app.openapi = tidy  # type: ignore[method-assign] # FastAPI's documented way to change the document
