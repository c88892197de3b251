"""One run of one source: claimed, asked politely, stored answer by answer with how far it was read.

The records of an answer and the cursor behind them are committed together, through the source's lease: whoever is
killed leaves what the next run goes on from, and whoever lost the source stores nothing more.
"""

import logging
import random
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from sqlalchemy.exc import SQLAlchemyError

from api.runtime.metrics import SOURCE_PAPERS, SOURCE_RUNS
from api.runtime.owner import name_this_process
from api.services import sources
from api.services.catalog import IngestCounts
from api.services.metadata import Batch
from api.services.sources import Claim, SourceLost
from api.settings import Settings
from api.sources.records import Json, RejectedLine
from api.sources.steps import Ask, Got, SourceFailed, Step
from api.store.engine import Database
from workers.polite import HOLD_SPARE_SECONDS, OutOfTime, PoliteClient, Seen
from workers.source_plans import Plan, Source, plan_of

log = logging.getLogger(__name__)

RECORDS_PER_WRITE: Final = 100  # SQLite's lock is held for some dozens of milliseconds
MOST_SEEN: Final = 100  # addresses of a source whose last answer is known
COUNTED: Final = ("requests", "inserted", "updated", "unchanged", "deleted", "rejected")
MOST_PROBLEMS: Final = 3  # of a run that are told
HTTP_OK: Final = 200
SPARE_SECONDS: Final = 60.0  # a lease outlasts the wait for a host and one request by this much

Outcome = Literal["done", "unfinished", "failed", "lost", "database away"]


@dataclass(frozen=True, slots=True)
class Harvest:
    """How a run ended and what it brought."""

    name: str
    outcome: Outcome
    counts: dict[str, int]
    problem: str | None = None
    has_moved: bool = False  # something was stored

    @property
    def landed(self) -> int:
        """Papers that are in the database now."""
        return sum(self.counts.get(name, 0) for name in ("inserted", "updated", "unchanged"))


@dataclass(slots=True)
class _Run:
    settings: Settings
    db: Database
    plan: Plan
    claim: Claim
    client: PoliteClient
    until: float  # time.monotonic
    began: datetime
    seen: dict[str, Seen]
    stored: Json | None  # the cursor as the database has it
    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(COUNTED, 0)))
    problems: list[str] = field(default_factory=list)
    has_moved: bool = False

    @property
    def lease_seconds(self) -> float:
        return lease_seconds(self.settings)

    @property
    def problem(self) -> str | None:
        return "; ".join(self.problems[:MOST_PROBLEMS]) or None

    def now(self) -> datetime:
        return datetime.now(UTC)

    def count(self, added: IngestCounts) -> None:
        self.counts.update(asdict(added))


def lease_seconds(settings: Settings) -> float:
    """Return how long a source is held without a sign of life: a turn at its host and one request."""
    return settings.source_run_seconds + settings.source_request_seconds + HOLD_SPARE_SECONDS + SPARE_SECONDS


def read_source(
    settings: Settings,
    db: Database,
    name: str,
    *,
    seconds: float,
    tries: int = 3,
    request_seconds: float | None = None,
) -> Harvest | None:
    """Read one source for so many seconds at most; None when it is not due or somebody else reads it.

    A host that is busy is asked `tries` times. What goes wrong is in the source's row and the log.
    """
    plan = plan_of(settings, name, tries=tries, request_seconds=request_seconds)
    try:
        with db.write() as session:
            claim = sources.claim_source(
                session,
                name,
                scope=plan.scope,
                owner=name_this_process(),
                now=datetime.now(UTC),
                lease_seconds=lease_seconds(settings),
            )
    except SQLAlchemyError as error:
        return _database_away(name, {}, error)
    if claim is None:
        return None
    until = time.monotonic() + seconds
    with PoliteClient(db, plan.manners, until=until) as client:
        run = _Run(settings, db, plan, claim, client, until, datetime.now(UTC), dict(claim.seen), claim.cursor)
        harvest = _settle(run)
    SOURCE_RUNS.labels(name, harvest.outcome).inc()
    for outcome, count in harvest.counts.items():
        SOURCE_PAPERS.labels(name, outcome).inc(count)
    return harvest


def _settle(run: _Run) -> Harvest:
    """Read, and record how it ended."""
    name = run.plan.name
    try:
        try:
            free_at = _read(run)
        except SourceFailed as error:
            return _fail(run, str(error), retry_after_seconds=error.retry_after_seconds)
        except (SourceLost, SQLAlchemyError):
            raise
        except Exception as error:  # a parser met what nobody thought of: the source must not stay taken
            log.exception("source could not be understood", extra={"source": name})
            return _fail(run, f"{type(error).__name__}: {error}", retry_after_seconds=None)
        return _finish(run) if free_at is None else _leave(run, free_at)
    except SourceLost:
        log.warning("source left to its new reader", extra={"source": name})
        return Harvest(name, "lost", dict(run.counts))
    except SQLAlchemyError as error:
        return _database_away(name, dict(run.counts), error)


def _read(run: _Run) -> datetime | None:
    """Read the source to its end: None; else the time from which it can be read on."""
    try:
        if run.plan.find_batch is None:
            return _walk(run, run.plan.source, run.claim.cursor, batch=None)
        cursor = run.claim.cursor
        while True:
            with run.db.read() as session:
                batch = run.plan.find_batch(session, cursor, now=run.began)
            if batch is None:
                return None
            if not batch.ids:
                _store(run, Step((), batch.cursor), batch.cursor)
            elif (free_at := _walk(run, run.plan.about(batch.ids), None, batch=batch)) is not None:
                return free_at
            cursor = batch.cursor
    except OutOfTime as late:
        return late.free_at


def _walk(run: _Run, source: Source, cursor: Json | None, *, batch: Batch | None) -> datetime | None:
    """Ask and store until the source, or this batch of it, is read; None at its end, else when to go on.

    How far a batch is read is only noted at its end: half of one is asked for again.
    """
    ask = source.first(cursor, now=run.began)
    while ask is not None:
        if run.counts["requests"] and time.monotonic() >= run.until:  # one at least: no run is in vain
            return datetime.now(UTC)
        got = _ask(run, ask)
        step = source.read(got, cursor, now=run.began)
        cursor = step.cursor
        _store(run, step, cursor if batch is None else batch.cursor if step.is_done else run.stored)
        if step.is_done:
            return None
        if step.then is None:
            raise SourceFailed(step.problem or "the answer broke off")
        ask = step.then
        if step.wait_seconds > run.until - time.monotonic():
            return datetime.now(UTC) + timedelta(seconds=step.wait_seconds)
        time.sleep(step.wait_seconds)
    return None


def _ask(run: _Run, ask: Ask) -> Got:
    with run.db.write() as session:
        sources.hold_source(session, run.claim.lease, now=datetime.now(UTC), lease_seconds=run.lease_seconds)
    got, seen = run.client.fetch(ask, seen=run.seen.get(ask.url))
    run.counts["requests"] += 1
    if ask.is_conditional and got.status == HTTP_OK:
        run.seen.pop(ask.url, None)  # the newest go last, and stay
        run.seen = dict([*run.seen.items(), (ask.url, seen)][-MOST_SEEN:])
    return got


def _store(run: _Run, step: Step, cursor: Json | None) -> None:
    """Commit the records of an answer, the last part of them with the cursor behind all of them."""
    rejected = [item for item in step.records if isinstance(item, RejectedLine)]
    records = [item for item in step.records if not isinstance(item, RejectedLine)]
    run.counts["rejected"] += len(rejected)
    run.problems += [step.problem] if step.problem else []
    run.problems += [f"{len(rejected)} records were left out, the first: {rejected[0].reason}"] if rejected else []
    last = max(0, (len(records) - 1) // RECORDS_PER_WRITE * RECORDS_PER_WRITE)
    for at in range(0, last, RECORDS_PER_WRITE):
        with run.db.write() as session:
            added = sources.record_part(session, run.claim.lease, records[at : at + RECORDS_PER_WRITE], now=run.now())
        run.count(added)
    with run.db.write() as session:
        added = sources.record_part(session, run.claim.lease, records[last:], now=run.now())
        sources.move_cursor(session, run.claim.lease, cursor, seen=run.seen)
    run.count(added)
    run.stored, run.has_moved = cursor, True


def _finish(run: _Run) -> Harvest:
    with run.db.write() as session:
        sources.finish_run(
            session,
            run.claim.lease,
            every=sources.intervals(run.settings)[run.plan.name],
            counts=run.counts,
            problem=run.problem,
            now=run.now(),
            chance=random.random(),
        )
    if run.problem:
        log.warning("source was read in part", extra={"source": run.plan.name, "problem": run.problem})
    log.info("source read", extra={"source": run.plan.name, **run.counts})
    return Harvest(run.plan.name, "done", dict(run.counts), run.problem)


def _leave(run: _Run, free_at: datetime) -> Harvest:
    with run.db.write() as session:
        sources.leave_run(
            session,
            run.claim.lease,
            due_at=free_at,
            has_moved=run.has_moved,
            counts=run.counts,
            problem=run.problem,
        )
    log.info("source is read on later", extra={"source": run.plan.name, **run.counts})
    return Harvest(run.plan.name, "unfinished", dict(run.counts), run.problem, has_moved=run.has_moved)


def _fail(run: _Run, reason: str, *, retry_after_seconds: float | None) -> Harvest:
    """Record a failure; the log has the first in a row, the table of sources the latest."""
    with run.db.write() as session:
        failures = sources.fail_run(
            session,
            run.claim.lease,
            reason,
            retry_after_seconds=retry_after_seconds,
            counts=run.counts,
            now=run.now(),
            chance=random.random(),
        )
    level = logging.WARNING if failures == 1 else logging.DEBUG
    log.log(level, "source did not answer", extra={"source": run.plan.name, "problem": reason})
    return Harvest(run.plan.name, "failed", dict(run.counts), reason)


def _database_away(name: str, counts: dict[str, int], error: SQLAlchemyError) -> Harvest:
    """The lease ends by itself, and the cursor is where it was."""
    problem = str(error).splitlines()[0]
    log.warning("source left: the database is away", extra={"source": name, "error": problem})
    return Harvest(name, "database away", counts, problem)
