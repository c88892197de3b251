"""Whether requests can be served, and what an operator should know about each part."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from sqlalchemy.exc import SQLAlchemyError

from api import queue
from api.schemas.sources import SourceOut
from api.services.embedding import ENOUGH, Progress, read_problem, read_progress
from api.services.mail_health import find_trouble, read_mail_gauges
from api.services.search_health import read_search
from api.services.source_reports import read_sources
from api.settings import Settings
from api.store import facts, servers
from api.store.engine import Database
from api.store.migrate import is_current
from api.store.pending import PendingReaders
from api.store.state import read_state

log = logging.getLogger(__name__)

State = Literal["ok", "degraded", "failed"]
SECONDS_A_DAY: Final = 86_400
SECONDS_AN_HOUR: Final = 3_600
QUEUES: Final = (queue.EVENTS_QUEUE, queue.TRAIN_QUEUE, queue.MAIL_QUEUE, queue.SOURCES_QUEUE)


@dataclass(frozen=True, slots=True)
class Check:
    """The state of one part; `failed` on a needed part means that requests cannot be served."""

    state: State
    detail: str
    is_needed: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """All checks and what follows from them."""

    checks: Mapping[str, Check]

    @property
    def can_serve(self) -> bool:
        """True while every needed part works."""
        return not any(check.is_needed and check.state == "failed" for check in self.checks.values())

    @property
    def status(self) -> str:
        """`ok`, `degraded` or `unavailable`."""
        if not self.can_serve:
            return "unavailable"
        return "ok" if all(check.state == "ok" for check in self.checks.values()) else "degraded"


def read_health(settings: Settings, db: Database, *, now: datetime, model_failure: str = "") -> Health:
    """Ask every part for its state, and add why this process could not load the promoted model; never raises."""
    checks = {
        "cache": _server(settings.resolved_cache_url, "lists are built from the database instead"),
        "broker": _server(settings.resolved_broker_url, "lists follow late, training waits"),
    }
    try:
        db.ping()
        checks["database"] = Check("ok", "answers", is_needed=True)
        checks |= _stored(settings, db, now=now)
        if model_failure and "model" in checks:
            detail = f"{checks['model'].detail}, but cannot be loaded ({model_failure}): run `paperfeed train`"
            checks["model"] = Check("degraded", detail)
    except SQLAlchemyError as error:
        log.warning("database check failed", extra={"error": type(error).__name__})
        checks["database"] = Check("failed", _first_line(error), is_needed=True)
    return Health(checks)


def read_gauges(settings: Settings, db: Database, *, now: datetime) -> dict[str, float]:
    """Return what a monitor wants to watch beside the counters; a part that is away leaves its values out."""
    lengths = servers.read_queue_lengths(settings.resolved_broker_url, QUEUES)
    gauges = {f"queue_length_{name}": float(length) for name, length in (lengths or {}).items()}
    gauges["broker_up"] = float(lengths is not None)
    if lengths is not None and (waiting := count_pending(settings)) is not None:
        gauges["pending_readers"] = float(waiting)
    gauges["cache_up"] = float(servers.ping_server(settings.resolved_cache_url) is None)
    try:
        with db.read() as session:
            found = facts.read_facts(session)
            encoder = settings.sentence_encoder
            progress = read_progress(session, encoder) if encoder else None
            mails = read_mail_gauges(session, now=now)
    except SQLAlchemyError:
        return gauges | {"database_up": 0.0}
    if progress is not None:
        gauges["papers_without_vector"] = float(progress.coverage.papers - progress.coverage.with_vector)
    gauges |= {"database_up": 1.0, "stale_lists": float(found.stale_lists), **mails}
    if found.model_created_at:
        gauges["model_age_seconds"] = (now - found.model_created_at).total_seconds()
    if found.newest_paper_at:
        gauges["newest_paper_age_seconds"] = (now - found.newest_paper_at).total_seconds()
    return gauges


def read_source_gauges(settings: Settings, db: Database, *, now: datetime) -> dict[str, dict[str, float]]:
    """Return what a monitor wants to watch of each source; nothing while the database is away."""
    try:
        with db.read() as session:
            reports = read_sources(session, settings, now=now)
    except SQLAlchemyError:
        return {}
    return {
        "source_age_seconds": {item.name: item.age_seconds for item in reports if item.age_seconds is not None},
        "source_failures_in_row": {item.name: float(item.failures) for item in reports},
        "source_changed_papers": {item.name: float(item.papers) for item in reports},
        "source_overdue": {item.name: float(item.is_overdue) for item in reports},
    }


def count_pending(settings: Settings) -> int | None:
    """Return how many readers wait for a list that includes what they did, None while the broker is away."""
    with closing(PendingReaders(settings.resolved_broker_url)) as pending:
        return pending.count()


def _server(url: str, meanwhile: str) -> Check:
    problem = servers.ping_server(url)
    return Check("ok", "answers") if problem is None else Check("degraded", f"away, {meanwhile}: {problem}")


def _stored(settings: Settings, db: Database, *, now: datetime) -> dict[str, Check]:
    if not is_current(db):
        return {"migrations": Check("failed", "tables of another version: run `paperfeed migrate`", is_needed=True)}
    with db.read() as session:
        found = facts.read_facts(session)
        first_start = read_state(session, "first_start") or {}
        demonstration = read_state(session, "demonstration") or {}
        encoder = settings.sentence_encoder
        problem = read_problem(session, encoder)
        overdue = [source for source in read_sources(session, settings, now=now) if source.is_overdue]
        mail_trouble = find_trouble(session, settings, now=now)
    return {
        "migrations": Check("ok", "tables are of this version", is_needed=True),
        "model": check_model(settings, found, now=now),
        "encoder": check_encoder(encoder, problem),
        "search": Check(*read_search(settings.search_dir)),
        "mails": check_mails(settings, mail_trouble),
        "sources": check_sources(
            settings,
            found,
            is_meant_empty=bool(first_start.get("empty")),
            is_demonstration=bool(demonstration.get("loaded")),
            overdue=overdue,
            now=now,
        ),
    }


def check_model(settings: Settings, found: facts.Facts, *, now: datetime) -> Check:
    """Say whether a model answers and how old it is."""
    if found.serving_version is None or found.model_created_at is None:
        run = f"a training run is {found.run_state}" if found.run_state else "run `paperfeed train`"
        return Check("degraded", f"no model yet, feeds show trending and latest papers: {run}")
    age = _age(found.model_created_at, now)
    days = (now - found.model_created_at).total_seconds() / SECONDS_A_DAY
    if days > settings.model_old_days:
        return Check("degraded", f"{found.serving_version} is {age} old: run `paperfeed train`")
    return Check("ok", f"{found.serving_version} is {age} old")


def check_encoder(encoder: str, problem: str | None) -> Check:
    """Say which sentence encoder is in use and whether it could be, the last time a paper lacked its vector."""
    if not encoder:
        return Check("ok", "words alone (PAPERFEED_TEXT_ENCODER would name a sentence encoder)")
    return Check("ok", encoder) if problem is None else Check("degraded", f"words alone go on: {problem}")


def check_mails(settings: Settings, trouble: str | None) -> Check:
    """Say whether mails leave, and where to."""
    if trouble is not None:
        return Check("degraded", trouble)
    where = f"sent by {settings.smtp_host}" if settings.smtp_host else f"kept in {settings.mails_dir}"
    return Check("ok", where)


def check_vectors(encoder: str, progress: Progress) -> Check:
    """Say which sentence encoder is in use and how many papers have its vectors."""
    coverage = progress.coverage
    detail = f"{encoder}, {coverage.with_vector:,} of {coverage.papers:,} papers have their vector"
    if progress.problem is not None and coverage.with_vector < coverage.papers:
        return Check("degraded", f"{detail}; words alone go on: {progress.problem}")
    if coverage.share < ENOUGH:
        return Check("degraded", f"{detail}: a worker makes the rest, `paperfeed embed` does it now")
    return Check("ok", detail)


def check_sources(
    settings: Settings,
    found: facts.Facts,
    *,
    is_meant_empty: bool,
    is_demonstration: bool,
    now: datetime,
    overdue: Sequence[SourceOut] = (),
) -> Check:
    """Say whether there are papers to list, how old the newest is, and which sources have given none for a day."""
    check = _papers(settings, found, is_meant_empty=is_meant_empty, is_demonstration=is_demonstration, now=now)
    if not overdue:
        return check
    state: State = "failed" if check.state == "failed" else "degraded"
    return replace(check, state=state, detail="; ".join((check.detail, *(_overdue(source, now) for source in overdue))))


def _overdue(source: SourceOut, now: datetime) -> str:
    since = "was never read" if source.success_at is None else f"was last read {_age(source.success_at, now)} ago"
    return f"{source.name} {since} ({source.failure or 'nothing reads it: is its worker running?'})"


def _papers(
    settings: Settings, found: facts.Facts, *, is_meant_empty: bool, is_demonstration: bool, now: datetime
) -> Check:
    if not found.has_papers:
        if is_meant_empty:
            return Check("degraded", "no papers, as asked for with --empty: load some with `paperfeed ingest`")
        return Check("failed", "no papers yet: wait for the first start, or `paperfeed ingest FILE`", is_needed=True)
    kind = "a generated demonstration (`paperfeed demo remove` ends it)" if is_demonstration else "papers"
    if found.newest_paper_at is None:
        return Check("ok", f"{kind}, without dates", is_needed=True)
    days = (now - found.newest_paper_at).total_seconds() / SECONDS_A_DAY
    state: State = "degraded" if is_demonstration or days > settings.source_old_days else "ok"
    return Check(state, f"{kind}, the newest is {_age(found.newest_paper_at, now)} old", is_needed=True)


def _age(then: datetime, now: datetime) -> str:
    seconds = max((now - then).total_seconds(), 0.0)
    if seconds >= 2 * SECONDS_A_DAY:
        return f"{seconds / SECONDS_A_DAY:.0f} days"
    if seconds >= 2 * SECONDS_AN_HOUR:
        return f"{seconds / SECONDS_AN_HOUR:.0f} hours"
    minutes = round(seconds / 60)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
