"""The task that imports libraries of Zotero, page by page, as politely as sources are read."""

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from api.queue import IMPORT_LIBRARIES
from api.runtime.state import Runtime
from api.schemas.events import EventAnswer
from api.services import import_jobs, library_import
from api.services.bibliography import ReadReferences, zotero
from api.services.bibliography.zotero import ItemsPage, KeyRefused
from api.services.import_jobs import Job
from api.sources.steps import Ask, Got, SourceFailed
from api.store.users import load_user
from workers.app import task
from workers.following import follow_commit
from workers.polite import OutOfTime, PoliteClient
from workers.processes import runtime
from workers.source_plans import zotero_manners

log = logging.getLogger(__name__)

IMPORT_SECONDS: Final = 900.0  # for a library of 40,000 items at its pause, four times over
UNREACHED: Final = "Zotero could not be reached, or its answer could not be read"  # in detail: the log
SPARE_SECONDS: Final = 120.0  # the saves of 20,000 papers take a good part of a minute


@task(IMPORT_LIBRARIES, time_limit=int(IMPORT_SECONDS + SPARE_SECONDS))
def import_libraries() -> int:
    """Import what is due, and return how many libraries that were."""
    held = runtime()
    until = time.monotonic() + IMPORT_SECONDS
    imported = 0
    lasts = timedelta(seconds=IMPORT_SECONDS + SPARE_SECONDS)
    while time.monotonic() < until:
        with held.db.write() as session:
            job = import_jobs.take_job(session, now=datetime.now(UTC), lasts=lasts)
        if job is None:
            break
        imported += _import(held, job, until=until)
    return imported


def _import(held: Runtime, job: Job, *, until: float) -> bool:
    try:
        found = _read(held, job, until=until)
    except KeyRefused as refused:
        with held.db.write() as session:
            import_jobs.give_up_job(session, job, str(refused), now=datetime.now(UTC))
        return False
    except (SourceFailed, OutOfTime) as error:
        _put_off(held, job, error)
        return False
    _save(held, job, found)
    return True


def _read(held: Runtime, job: Job, *, until: float) -> ReadReferences:
    """Return what the library holds."""
    base, items = held.settings.zotero_url, list[Mapping[str, Any]]()
    with PoliteClient(held.db, zotero_manners(held.settings), until=until) as client:
        library = f"groups/{job.group_id}"
        if job.group_id is None:
            got = _ask(client, zotero.ask_owner(job.key, base_url=base))
            library = zotero.read_owner(got, now=datetime.now(UTC))
        while True:
            got = _ask(client, zotero.ask_items(job.key, library, len(items), base_url=base))
            page = zotero.read_items(got, now=datetime.now(UTC))
            items += page.items
            if not page.items or len(items) >= min(page.total, zotero.MOST_ITEMS):
                return zotero.references_of(items, total=page.total)
            _wait(page, until=until)


def _ask(client: PoliteClient, ask: Ask) -> Got:
    return client.fetch(ask)[0]


def _wait(page: ItemsPage, *, until: float) -> None:
    if page.wait_seconds > until - time.monotonic():
        raise OutOfTime(datetime.now(UTC) + timedelta(seconds=page.wait_seconds))
    time.sleep(page.wait_seconds)


def _put_off(held: Runtime, job: Job, error: SourceFailed | OutOfTime) -> None:
    now = datetime.now(UTC)
    wait = (error.free_at - now).total_seconds() if isinstance(error, OutOfTime) else error.retry_after_seconds
    log.warning("library of Zotero cannot be read", extra={"import_id": job.import_id, "problem": str(error)})
    with held.db.write() as session:
        import_jobs.put_off_job(session, job, UNREACHED, retry_after_seconds=wait, now=now)


def _save(held: Runtime, job: Job, found: ReadReferences) -> None:
    references, rejected = found
    with held.db.read() as session:
        user = load_user(session, job.user_id)
        if user is None:  # erased meanwhile, and the import with them
            return
        plan = library_import.plan_import(
            session, user.external_id, job.user_id, references=references, rejected=rejected
        )
    answers: list[EventAnswer] = []
    for saves in library_import.saves_of(plan, now=datetime.now(UTC)):
        with held.db.write() as session:
            outcome = library_import.record_saves(session, saves, now=datetime.now(UTC))
        follow_commit(held, [outcome])
        answers += outcome.answers
    now = datetime.now(UTC)
    with held.db.write() as session:
        outcomes = library_import.finish_import(session, plan, answers=answers, now=now)
        import_jobs.finish_job(session, job, outcomes=outcomes, now=now)
    extra: dict[str, object] = {"import_id": job.import_id}
    extra.update(library_import.count_fates(outcomes).items())
    log.info("library of Zotero imported", extra=extra)
