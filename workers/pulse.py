"""The heartbeat of a run: a thread that prolongs the lease, shows progress and hears of cancels."""

import logging
import threading
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from sqlalchemy.exc import SQLAlchemyError

from api.services import training
from api.services.training import CancelRequested, LeaseLost
from api.store.engine import Database
from api.store.runs import Lease

log = logging.getLogger(__name__)

LONGEST_BEAT_SECONDS: Final = 1.0  # a cancel is heard and progress is shown this soon
BEATS_PER_LEASE: Final = 4


class Pulse:
    """Beats while its block runs; `check` raises in the block's own thread."""

    def __init__(self, db: Database, lease: Lease, *, lease_seconds: float) -> None:
        self._db = db
        self._lease = lease
        self._lease_seconds = lease_seconds
        self._stage: str | None = None
        self._progress = 0.0
        self._is_lost = False
        self._is_cancelled = False
        self._held_until = time.monotonic() + lease_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pulse-{lease.run_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def enter(self, stage: str) -> None:
        """Show that a stage begins, before it does; raises LeaseLost and CancelRequested."""
        self._progress = 0.0
        self._stage = stage
        self._beat()
        self.check()
        log.info("training stage", extra={"run_id": self._lease.run_id, "stage": stage})

    def show(self, progress: float) -> None:
        """Remember how far the stage is, for the next beat; raises as `check` does."""
        self.check()
        self._progress = min(max(progress, 0.0), 1.0)

    def check(self) -> None:
        """Raise LeaseLost or CancelRequested when this worker has to stop."""
        if self._is_lost or time.monotonic() > self._held_until:
            raise LeaseLost(f"Training run {self._lease.run_id} is no longer ours.", run_id=self._lease.run_id)
        if self._is_cancelled:
            raise CancelRequested(f"Training run {self._lease.run_id} was cancelled.", run_id=self._lease.run_id)

    def _run(self) -> None:
        pause = min(self._lease_seconds / BEATS_PER_LEASE, LONGEST_BEAT_SECONDS)
        while not self._stopping.wait(pause) and not self._is_lost:
            try:
                self._beat()
            except LeaseLost:
                log.warning("lease lost", extra={"run_id": self._lease.run_id})
            except SQLAlchemyError as error:  # tried again until the lease ends
                log.warning("heartbeat failed", extra={"run_id": self._lease.run_id, "error": type(error).__name__})

    def _beat(self) -> None:
        began = time.monotonic()
        try:
            with self._db.write() as session:
                is_cancelled = training.heartbeat(
                    session,
                    self._lease,
                    stage=self._stage,
                    progress=self._progress,
                    now=datetime.now(UTC),
                    lease_seconds=self._lease_seconds,
                )
        except LeaseLost:
            self._is_lost = True
            raise
        self._is_cancelled = self._is_cancelled or is_cancelled
        self._held_until = began + self._lease_seconds
