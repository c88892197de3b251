"""Everything one process holds open: settings, database, lists, model, look-ups."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy.orm import Session

from api.runtime.access import Access
from api.runtime.group_commit import GroupCommit
from api.runtime.hints import Hints
from api.runtime.rendered import RenderedPapers
from api.runtime.secrets import read_secret_key
from api.runtime.serving import ServingModel
from api.schemas.events import BatchOutcome, EventBatch
from api.settings import Settings
from api.store.engine import Database
from api.store.feeds import AsyncFeedStore, FeedStore

RecordEvents: TypeAlias = Callable[[Session, list[EventBatch]], list[BatchOutcome]]


@dataclass(frozen=True, slots=True)
class Runtime:
    """What routes, tasks and commands of one process share."""

    settings: Settings
    db: Database
    feeds: FeedStore
    async_feeds: AsyncFeedStore
    serving: ServingModel
    papers: RenderedPapers
    access: Access
    intake: GroupCommit[EventBatch, BatchOutcome]
    hints: Hints
    secret_key: bytes

    def close(self) -> None:
        """Stop this process's threads and close its connections (the asynchronous store's are closed by its loop)."""
        self.intake.close()
        self.hints.close()
        self.serving.stop()
        self.feeds.close()
        self.db.engine.dispose()


def build_runtime(settings: Settings, *, record: RecordEvents | None = None) -> Runtime:
    """Open what a process needs: nothing is connected yet, no thread runs; only one given `record` takes events."""
    database = Database(settings.resolved_database_url)
    return Runtime(
        settings=settings,
        db=database,
        feeds=FeedStore(settings.resolved_cache_url, ttl_days=settings.list_ttl_days),
        async_feeds=AsyncFeedStore(settings.resolved_cache_url, ttl_days=settings.list_ttl_days),
        serving=ServingModel(database, settings.models_dir),
        papers=RenderedPapers(database),
        access=Access(database, token_seconds=settings.token_cache_seconds),
        intake=GroupCommit(database, record or _refuse, weigh=_count_events),
        hints=Hints(),
        secret_key=read_secret_key(settings),
    )


def _count_events(batch: EventBatch) -> int:
    return len(batch.entries)


def _refuse(_session: Session, _batches: list[EventBatch]) -> list[BatchOutcome]:
    raise RuntimeError("this process was not built to take events")
