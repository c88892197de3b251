"""A read bibliography into a visitor's library, whichever page it was given to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from starlette.concurrency import run_in_threadpool

from api import queue
from api.routes.events import take_events
from api.routes.site.visiting import Visit
from api.runtime.state import Runtime
from api.schemas.events import EventAnswer
from api.services import import_jobs, library_import
from api.services.bibliography import ReadReferences
from api.services.library_import import ImportPlan, Outcome


@dataclass(frozen=True, slots=True)
class Imported:
    """An import that is done: the number of its report, and what became of each entry."""

    import_id: int
    outcomes: Sequence[Outcome]


async def import_into_library(runtime: Runtime, visit: Visit, found: ReadReferences, *, source: str) -> Imported:
    """Save what is here, keep or fetch what is not, and keep a report; all of it is committed when this returns.

    `source`: the name of the format. Again it changes nothing.
    """
    plan = await run_in_threadpool(_plan, runtime, visit, found)
    answers: list[EventAnswer] = []
    for saves in library_import.saves_of(plan, now=datetime.now(UTC)):
        answers += (await take_events(runtime, saves)).answers
    return await run_in_threadpool(partial(_finish, runtime, plan, answers=answers, source=source))


def _plan(runtime: Runtime, visit: Visit, found: ReadReferences) -> ImportPlan:
    references, rejected = found
    with runtime.db.read() as session:
        return library_import.plan_import(session, visit.name, visit.user_id, references=references, rejected=rejected)


def _finish(runtime: Runtime, plan: ImportPlan, *, answers: Sequence[EventAnswer], source: str) -> Imported:
    now = datetime.now(UTC)
    with runtime.db.write() as session:
        outcomes = library_import.finish_import(session, plan, answers=answers, now=now)
        user_id = library_import.find_reader(session, plan.reader, now=now)
        import_id = import_jobs.keep_report(session, user_id, source=source, outcomes=outcomes, now=now)
    if runtime.settings.asks_arxiv and any(one.fate == "fetching" for one in outcomes):
        queue.send(queue.FETCH_WANTED)
    return Imported(import_id, outcomes)
