"""Tasks for papers that readers want and that are not here: asked for by their ids, and saved when they come."""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from api import queue
from api.queue import FETCH_WANTED, SETTLE_WANTED
from api.runtime.state import Runtime
from api.services import pending_papers
from api.services.catalog import record_papers
from api.settings import read_settings
from api.settings_sources import ARXIV
from api.sources import arxiv_ids
from api.sources.arxiv_ids import IdsAnswer, IdsRefused
from api.sources.steps import SourceFailed
from workers.app import task
from workers.following import follow_commit
from workers.harvest import lease_seconds
from workers.polite import OutOfTime, PoliteClient
from workers.processes import runtime
from workers.source_plans import plan_of

log = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 20.0
SPARE_SECONDS: Final = 30
HALF_AN_ANSWER: Final = "arXiv's answer broke off in the middle"


@task(SETTLE_WANTED)
def settle_wanted() -> int:
    """Save the papers that have come for those who want them, have others asked for; return how many were saved."""
    held = runtime()
    with held.db.read() as session:
        is_news, is_due = pending_papers.look(session, now=datetime.now(UTC))
    if is_due and held.settings.asks_arxiv and held.feeds.claim("wanted hint", seconds=SETTLE_SECONDS):
        queue.send(FETCH_WANTED)
    return _settle(held) if is_news else 0


@task(FETCH_WANTED, time_limit=int(lease_seconds(read_settings())) + SPARE_SECONDS)
def fetch_wanted() -> int:
    """Ask arXiv for the papers that are due, and return how many came; one worker at a time does so."""
    held = runtime()
    seconds = lease_seconds(held.settings)
    if not held.settings.asks_arxiv or not held.feeds.claim("wanted", seconds=seconds):
        return 0
    try:
        return _fetch(held)
    finally:
        held.feeds.release("wanted")


def _settle(held: Runtime) -> int:
    until = time.monotonic() + SETTLE_SECONDS
    settled = 0
    while time.monotonic() < until:
        with held.db.write() as session:
            done = pending_papers.settle(session, now=datetime.now(UTC))
        follow_commit(held, done.outcomes)
        settled += done.papers
        if done.is_last:
            break
    if settled:
        log.info("wanted papers came", extra={"papers": settled})
    return settled


def _fetch(held: Runtime) -> int:
    until = time.monotonic() + held.settings.source_run_seconds
    came = 0
    with PoliteClient(held.db, plan_of(held.settings, ARXIV).manners, until=until) as client:
        while time.monotonic() < until:
            with held.db.write() as session:
                due = pending_papers.take_due(session, now=datetime.now(UTC))
            if not due:
                break
            try:
                came += _fetch_these(held, client, due)
            except OutOfTime:
                break
            except SourceFailed as error:
                _note_failure(held, due, error)
                break
    if came:
        _settle(held)
    return came


def _fetch_these(held: Runtime, client: PoliteClient, ids: Sequence[str]) -> int:
    """Ask for papers together; where arXiv refuses one of them, the others are asked for apart from it."""
    came = 0
    waiting = [list(ids)]
    while waiting:
        part = waiting.pop()
        got, _ = client.fetch(arxiv_ids.ask(part, base_url=held.settings.arxiv_url))
        try:
            answer = arxiv_ids.read(got, part, now=datetime.now(UTC))
        except IdsRefused as refused:
            if len(part) == 1:
                with held.db.write() as session:
                    now = datetime.now(UTC)
                    pending_papers.note_answer(session, part, found=(), now=now, problem=f"arXiv says: {refused}")
            else:
                waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
            continue
        came += _store(held, part, answer)
    return came


def _store(held: Runtime, asked: Sequence[str], answer: IdsAnswer) -> int:
    found = {one.external_id for one in answer.papers if one.external_id is not None}
    now = datetime.now(UTC)
    with held.db.write() as session:
        record_papers(session, answer.papers, now=now)
        if answer.is_whole:
            pending_papers.note_answer(session, asked, found=found, now=now)
        else:
            missing = set(asked) - found
            pending_papers.note_failure(session, missing, HALF_AN_ANSWER, retry_after_seconds=None, now=now)
    return len(found)


def _note_failure(held: Runtime, ids: Sequence[str], error: SourceFailed) -> None:
    log.warning("wanted papers cannot be fetched", extra={"papers": len(ids), "problem": str(error)})
    with held.db.write() as session:
        pending_papers.note_failure(
            session, ids, str(error), retry_after_seconds=error.retry_after_seconds, now=datetime.now(UTC)
        )
