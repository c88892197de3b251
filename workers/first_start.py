"""The first start: papers from the network, or the demonstration where there is none, then a first model."""

import argparse
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from api.queue import EMBED_PAPERS, RUN_TRAINING, send
from api.runtime.logs import configure_logging
from api.services.catalog import IngestCounts, record_papers
from api.services.demonstration import begin_demo, load_steps
from api.services.training import request_run
from api.settings import Settings, read_settings
from api.sources.demo import build_demonstration
from api.sources.records import PaperRecord
from api.store.engine import Database
from api.store.papers import has_papers
from api.store.registry import read_serving
from api.store.state import read_state, write_state
from workers.fetching import fetch_recent

log = logging.getLogger(__name__)

STATE_KEY: Final = "first_start"  # {"stage": see below, "empty": nothing was wanted}
FETCHING: Final = "fetching"
DEMONSTRATION: Final = "demonstration"
FINISHED: Final = "finished"
PAPERS_PER_WRITE: Final = 100
ROLE: Final = "first-start"


def main(arguments: list[str] | None = None) -> int:
    """Run the first start of this installation, or what is left of it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--empty", action="store_true", help="start without papers")
    is_empty = parser.parse_args(arguments).empty
    settings = read_settings()
    configure_logging(settings, ROLE)
    database = Database(settings.resolved_database_url)
    try:
        start_first(settings, database, is_empty=is_empty)
    except SQLAlchemyError as error:
        log.error("first start broken off, the next start goes on with it", extra={"error": str(error).splitlines()[0]})
        return 1
    finally:
        database.engine.dispose()
    return 0


def start_first(settings: Settings, database: Database, *, is_empty: bool) -> None:
    """Bring papers and a first model into an installation that has neither; do nothing in any other."""
    with database.read() as session:
        state = read_state(session, STATE_KEY) or {}
        stage = state.get("stage")
        is_stocked = has_papers(session)
    was_left_empty = bool(state.get("empty")) and not is_stocked
    if stage == FINISHED and (is_empty or not was_left_empty):
        return
    if is_empty:
        _note(database, FINISHED, is_empty=True)
        log.info("started empty: load papers with `paperfeed ingest FILE`")
        return
    if stage == DEMONSTRATION:
        _load_demonstration(database)
    elif stage == FETCHING or not is_stocked:
        _note(database, FETCHING)
        if not _fetch(settings, database):
            _note(database, DEMONSTRATION)
            _load_demonstration(database)
    _request_model(settings, database)
    _note(database, FINISHED)


def _fetch(settings: Settings, database: Database) -> int:
    """Fetch recent papers and return how many there are now from it."""
    total = IngestCounts()
    now = datetime.now(UTC)
    log.info("fetching papers", extra={"seconds": settings.first_start_seconds})
    for answer in fetch_recent(settings, today=now.date(), seconds=settings.first_start_seconds):
        if answer.problem is not None:
            log.warning("source did not answer", extra={"source": answer.source, "problem": answer.problem})
        else:
            counts = _record(database, answer.papers, now=now)
            log.info("papers fetched", extra={"source": answer.source, "papers": counts.landed})
            total += counts
    return total.landed


def _record(database: Database, papers: tuple[PaperRecord, ...], *, now: datetime) -> IngestCounts:
    total = IngestCounts()
    for start in range(0, len(papers), PAPERS_PER_WRITE):
        with database.write() as session:
            total += record_papers(session, papers[start : start + PAPERS_PER_WRITE], now=now)
    return total


def _load_demonstration(database: Database) -> None:
    log.warning("no papers from the network: loading the demonstration, made-up papers and readers")
    started = time.monotonic()
    now = datetime.now(UTC)
    with database.write() as session:
        at = begin_demo(session, now=now)
    if at is None:
        return
    demo = build_demonstration(at)
    for step in load_steps(demo, at=at, now=now):
        with database.write() as session:
            step(session)
    fields = {"papers": len(demo.papers), "readers": len(demo.readers), "seconds": round(time.monotonic() - started, 1)}
    log.info("demonstration loaded, `paperfeed demo remove` ends it", extra=fields)


def _request_model(settings: Settings, database: Database) -> None:
    with database.write() as session:
        if not has_papers(session) or read_serving(session) is not None:
            return
        run, _ = request_run(session, trigger="first_start", now=datetime.now(UTC))
        run_id = run.run_id
    if settings.sentence_encoder:
        send(EMBED_PAPERS)  # one trainer takes them in this order: the first model has the vectors already
    send(RUN_TRAINING, run_id)
    log.info("first model requested", extra={"run_id": run_id})


def _note(database: Database, stage: str, *, is_empty: bool = False) -> None:
    with database.write() as session:
        write_state(session, STATE_KEY, {"stage": stage, "empty": is_empty}, now=datetime.now(UTC))


if __name__ == "__main__":
    sys.exit(main())
