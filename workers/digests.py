"""The task that makes the digests that are due: their mails are written down, and sent by others."""

import logging
import time
from datetime import UTC, datetime
from typing import Final

from api import queue
from api.queue import MAKE_DIGESTS
from api.runtime.metrics import DIGESTS
from api.runtime.state import Runtime
from api.services import digest_making
from api.store import digests
from api.store.tables_mails import Digest
from workers.app import task
from workers.processes import runtime

log = logging.getLogger(__name__)

MAKE_SECONDS: Final = 8.0  # lists of readers who are here come first; the next round goes on
BATCH: Final = 100


@task(MAKE_DIGESTS)
def make_digests() -> int:
    """Write down the mails of digests that are due, and return how many were made."""
    held = runtime()
    until = time.monotonic() + MAKE_SECONDS
    made = last = 0
    due: list[Digest] = []
    while time.monotonic() < until:
        with held.db.read() as session:
            due = list(digests.due_digests(session, now=datetime.now(UTC), after=last, limit=BATCH))
        for digest in due:
            if time.monotonic() >= until:
                break
            made += _make_or_log(held, digest)
            last = digest.digest_id
        if len(due) < BATCH:
            break
    if made:
        queue.send(queue.SEND_MAILS)
    return made


def _make_or_log(held: Runtime, digest: Digest) -> int:
    """One digest that cannot be made holds up none of those behind it; it is due until it can."""
    try:
        return _make(held, digest)
    except Exception:
        DIGESTS.labels("failed").inc()
        log.exception("digest not made", extra={"digest_id": digest.digest_id})
        return 0


def _make(held: Runtime, digest: Digest) -> int:
    """Compose without holding anybody up, then write down in one short transaction."""
    now = datetime.now(UTC)
    served = held.serving.current or held.serving.poll()
    with held.db.read() as session:
        draft = digest_making.draft_issue(session, served, held.keys, held.settings, digest, now=now)
    with held.db.write() as session:
        outcome = digest_making.record_issue(session, draft, now=now)
    DIGESTS.labels(outcome).inc()
    log.info("digest", extra={"digest_id": digest.digest_id, "outcome": outcome, "papers": len(draft.issue.papers)})
    return int(outcome == "queued")
