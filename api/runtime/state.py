"""Everything one process holds open: settings, database, lists, model, look-ups."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy.orm import Session

from api.runtime.access import Access
from api.runtime.answers import Answers
from api.runtime.conditions import Conditions
from api.runtime.freshness import Freshness
from api.runtime.group_commit import GroupCommit
from api.runtime.hints import Hints
from api.runtime.keys import KeyRing, open_key_ring
from api.runtime.limits import Limits
from api.runtime.oidc import Issuer
from api.runtime.orders import Orders
from api.runtime.rendered import RenderedPapers
from api.runtime.search_follow import SearchFollower
from api.runtime.serving import ServingModel
from api.runtime.shared_pages import SharedPages
from api.runtime.signed_in import SignedInMemo
from api.runtime.similar import SimilarPapers
from api.runtime.weariness import Showings
from api.schemas.events import BatchOutcome, EventBatch
from api.settings import Settings
from api.store.engine import Database
from api.store.feeds import AsyncFeedStore, FeedStore
from api.store.glance import Glance
from api.store.pending import PendingReaders
from api.store.rates import RateStore

LEAST_THREADS: Final = 4  # most of their work waits for no lock and reads memory

RecordEvents: TypeAlias = Callable[[Session, list[EventBatch]], list[BatchOutcome]]


@dataclass(frozen=True, slots=True)
class Runtime:
    """What routes, tasks and commands of one process share."""

    settings: Settings
    db: Database
    glance: Glance
    feeds: FeedStore
    async_feeds: AsyncFeedStore
    serving: ServingModel
    search: SearchFollower
    papers: RenderedPapers
    answers: Answers
    orders: Orders
    pages: SharedPages
    access: Access
    signed_in: SignedInMemo
    issuer: Issuer
    similar: SimilarPapers
    intake: GroupCommit[EventBatch, BatchOutcome]
    hints: Hints
    keys: KeyRing
    limits: Limits
    showings: Showings
    freshness: Freshness
    conditions: Conditions
    aside: ThreadPoolExecutor  # for parts of one request that need not wait for each other; its work submits none

    def close(self) -> None:
        """Stop this process's threads and close its connections (those of the loop are closed by the loop)."""
        self.intake.close()
        self.hints.close()
        self.access.stop()
        self.serving.stop()
        self.freshness.stop()
        self.search.stop()
        self.aside.shutdown(wait=False, cancel_futures=True)
        self.feeds.close()
        self.glance.close()
        self.db.close()


def build_runtime(settings: Settings, *, record: RecordEvents | None = None) -> Runtime:
    """Open what a process needs: nothing is connected yet, no thread runs; only one given `record` takes events."""
    database = Database(settings.resolved_database_url)
    answers = Answers(database)
    serving = ServingModel(database, settings.models_dir)
    feeds = FeedStore(settings.resolved_cache_url, ttl_days=settings.list_ttl_days)
    return Runtime(
        settings=settings,
        db=database,
        glance=Glance(database),
        feeds=feeds,
        async_feeds=AsyncFeedStore(settings.resolved_cache_url, ttl_days=settings.list_ttl_days),
        serving=serving,
        search=SearchFollower(database, settings.search_dir),
        papers=RenderedPapers(database),
        answers=answers,
        orders=Orders(lambda: answers.generation),
        pages=SharedPages(answers),
        access=Access(database, token_seconds=settings.token_cache_seconds),
        signed_in=SignedInMemo(settings.token_cache_seconds),
        issuer=Issuer(settings),
        similar=SimilarPapers(serving),
        intake=GroupCommit(database, record or _refuse, weigh=_count_events),
        hints=Hints(PendingReaders(settings.resolved_broker_url)),
        keys=open_key_ring(settings),
        limits=Limits(settings, RateStore(settings.resolved_cache_url)),
        showings=Showings(settings.fatigue_shows),
        freshness=Freshness(database, settings.listing_sources),
        conditions=Conditions(database, feeds, names_readers=settings.is_embedded),
        aside=ThreadPoolExecutor(max(os.cpu_count() or 1, LEAST_THREADS), thread_name_prefix="aside"),
    )


def _count_events(batch: EventBatch) -> int:
    return len(batch.entries)


def _refuse(_session: Session, _batches: list[EventBatch]) -> list[BatchOutcome]:
    raise RuntimeError("this process was not built to take events")
