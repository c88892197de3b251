"""The first start: papers from the network, or the demonstration where there is none, then a first model."""

import argparse
import logging
import queue
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from api.queue import EMBED_PAPERS, RUN_TRAINING, send
from api.runtime.logs import configure_logging
from api.services import sources
from api.services.demonstration import begin_demo, load_steps
from api.services.training import request_run
from api.settings import Settings, read_settings
from api.settings_sources import ARXIV, HUGGINGFACE
from api.sources.demo import build_demonstration
from api.store.engine import Database
from api.store.papers import has_papers
from api.store.registry import read_serving
from api.store.state import read_state, write_state
from workers.harvest import Harvest, read_source

log = logging.getLogger(__name__)

STATE_KEY: Final = "first_start"  # {"stage": see below, "empty": nothing was wanted}
FETCHING: Final = "fetching"
DEMONSTRATION: Final = "demonstration"
FINISHED: Final = "finished"
FIRST_SOURCES: Final = (HUGGINGFACE, ARXIV)
REQUEST_SECONDS: Final = 8.0  # of one request, as long as somebody waits for the page
ROLE: Final = "first-start"


def main(arguments: list[str] | None = None) -> int:
    """Run the first start of this installation, or what is left of it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--empty", action="store_true", help="start without papers")
    parser.add_argument("--paused", action="store_true", help="fetch nothing later either, until a source is resumed")
    chosen = parser.parse_args(arguments)
    settings = read_settings()
    configure_logging(settings, ROLE)
    database = Database(settings.resolved_database_url)
    try:
        start_first(settings, database, is_empty=chosen.empty, is_paused=chosen.paused)
    except SQLAlchemyError as error:
        log.error("first start broken off, the next start goes on with it", extra={"error": str(error).splitlines()[0]})
        return 1
    finally:
        database.engine.dispose()
    return 0


def start_first(settings: Settings, database: Database, *, is_empty: bool, is_paused: bool = False) -> None:
    """Bring papers and a first model into an installation that has neither; do nothing in any other.

    An empty start brings nothing; a paused one lets its sources bring nothing later either.
    """
    with database.read() as session:
        state = read_state(session, STATE_KEY) or {}
        stage = state.get("stage")
        is_stocked = has_papers(session)
    was_left_empty = bool(state.get("empty")) and not is_stocked
    if stage == FINISHED and (is_empty or not was_left_empty):
        return
    if is_empty:
        _note(database, FINISHED, is_empty=True)
        if is_paused:
            _pause(settings, database)
        log.info("started empty: load papers with `paperfeed ingest FILE`")
        return
    if was_left_empty:
        _resume(settings, database)
    if stage == DEMONSTRATION:
        _load_demonstration(database)
    elif stage == FETCHING or not is_stocked:
        _note(database, FETCHING)
        if not _fetch(settings, database):
            _note(database, DEMONSTRATION)
            _load_demonstration(database)
    _request_model(settings, database)
    _note(database, FINISHED)


def _fetch(settings: Settings, database: Database) -> bool:
    """Read the sources for a while, each in a thread of its own, and return whether there are papers now.

    A hanging name look-up cannot be interrupted: its thread is left behind, and what it finds later is not stored.
    """
    names = [name for name in FIRST_SOURCES if name in settings.active_sources]
    with database.write() as session:
        sources.ensure_sources(session, settings, now=datetime.now(UTC))
        sources.take_back(session, names=names)  # from a first start that was killed
        for name in names:
            sources.request_run(session, name, now=datetime.now(UTC))
    log.info("fetching papers", extra={"seconds": settings.first_start_seconds})
    hanging = _read_for_a_while(settings, database, names)
    with database.write() as session:
        sources.take_back(session, names=hanging)
        is_stocked = has_papers(session)
    if hanging:
        fields = {"sources": " ".join(hanging), "seconds": settings.first_start_seconds}
        log.warning("no answer in time, the sources are read later", extra=fields)
    return is_stocked


def _read_for_a_while(settings: Settings, database: Database, names: Sequence[str]) -> list[str]:
    """Return the names of the sources that are still being read when time is up."""
    ended: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read(name: str) -> None:
        try:
            _read(settings, database, name)
        finally:
            ended.put(name)

    for name in names:
        threading.Thread(target=read, args=(name,), name=f"read {name}", daemon=True).start()
    running = set(names)
    deadline = time.monotonic() + settings.first_start_seconds
    while running:
        try:
            running.discard(ended.get(timeout=max(0.0, deadline - time.monotonic())))
        except queue.Empty:
            break
    return sorted(running)


def _read(settings: Settings, database: Database, name: str) -> Harvest | None:
    seconds = settings.first_start_seconds
    return read_source(
        settings, database, name, seconds=seconds, tries=1, request_seconds=min(REQUEST_SECONDS, seconds)
    )


def _pause(settings: Settings, database: Database) -> None:
    with database.write() as session:
        sources.ensure_sources(session, settings, now=datetime.now(UTC))
        for name in settings.active_sources:
            sources.pause_source(session, name)
    log.info("sources are paused: `paperfeed sources resume NAME` lets one bring papers")


def _resume(settings: Settings, database: Database) -> None:
    with database.write() as session:
        sources.ensure_sources(session, settings, now=datetime.now(UTC))
        for name in settings.active_sources:
            sources.resume_source(session, name, now=datetime.now(UTC))


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
