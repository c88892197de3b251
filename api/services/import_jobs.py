"""Imports that are kept: what became of each entry, and those from Zotero, which a worker makes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, get_args

from sqlalchemy.orm import Session

from api.errors import Conflict, InvalidRequest, NotFound
from api.services.bibliography.zotero import KEY
from api.services.library_import import Fate, Outcome
from api.sources.records import line_of_text
from api.store import imports
from api.store.imports import DONE, FAILED, WAITING
from api.store.tables_shelf import LibraryImport

ZOTERO: Final = "zotero"
KEPT: Final = 10  # reports of one reader
MOST_TRIES: Final = 5
FIRST_WAIT: Final = timedelta(minutes=2)  # after a failure; doubled for each further one
LONGEST_WAIT: Final = timedelta(hours=1)
LONGEST_PROBLEM: Final = 300  # characters
LARGEST_GROUP: Final = 2**53
_FATES: Final[dict[str, Fate]] = {one: one for one in get_args(Fate)}


@dataclass(frozen=True, slots=True)
class Report:
    """An import as its reader sees it."""

    import_id: int
    source: str
    state: str  # waiting, done, failed
    created_at: datetime
    problem: str | None
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """An import that a worker has taken."""

    import_id: int
    user_id: int
    key: str
    group_id: int | None
    tries: int


def keep_report(session: Session, user_id: int, *, source: str, outcomes: Sequence[Outcome], now: datetime) -> int:
    """Keep what became of the entries of an import, and return its number; the oldest reports go."""
    values = {"outcomes": _packed(outcomes), "finished_at": now}
    import_id = imports.insert_import(session, _new(user_id, source, DONE, now=now) | values)
    imports.delete_older(session, user_id, kept=KEPT)
    return import_id


def request_zotero(session: Session, user_id: int, *, key: str, group: str, now: datetime) -> int:
    """Let a worker import a library of Zotero; raises InvalidRequest, and Conflict while another one waits.

    The key is kept until that has happened. `group`: the number of a group's library, empty for the reader's own.
    """
    if not KEY.fullmatch(key):
        raise InvalidRequest("a key of Zotero has letters and digits only: make one under zotero.org/settings/keys")
    is_number = group.isascii() and group.isdecimal() and int(group[:20]) < LARGEST_GROUP
    if group and not is_number:
        raise InvalidRequest("a group is named by the number in its address, zotero.org/groups/NUMBER")
    if imports.has_waiting(session, user_id):
        raise Conflict("an import from Zotero is waiting already")
    values = {"secret": key, "group_id": int(group) if group else None}
    import_id = imports.insert_import(session, _new(user_id, ZOTERO, WAITING, now=now) | values)
    imports.delete_older(session, user_id, kept=KEPT)
    return import_id


def take_job(session: Session, *, now: datetime, lasts: timedelta) -> Job | None:
    """Take the next import that is due, for so long; None without one, or with one whose every try broke off."""
    import_id = imports.find_due(session, now=now)
    row = None if import_id is None else imports.take_import(session, import_id, now=now, until=now + lasts)
    if row is None:
        return None
    job = Job(row.import_id, row.user_id, row.secret or "", row.group_id, row.tries)
    if job.tries > MOST_TRIES:  # workers were lost over it, who noted nothing: its key is not kept for ever
        give_up_job(session, job, f"given up after {MOST_TRIES} tries: each of them broke off", now=now)
        return None
    return job


def finish_job(session: Session, job: Job, *, outcomes: Sequence[Outcome], now: datetime) -> bool:
    """Keep what became of the entries, and the key no longer; False where somebody else has taken it since."""
    values = {"state": DONE, "secret": None, "outcomes": _packed(outcomes), "problem": None, "finished_at": now}
    return imports.update_import(session, job.import_id, tries=job.tries, values=values)


def give_up_job(session: Session, job: Job, problem: str, *, now: datetime) -> None:
    """End an import that cannot be made."""
    values = {"state": FAILED, "secret": None, "problem": _line(problem), "finished_at": now}
    imports.update_import(session, job.import_id, tries=job.tries, values=values)


def put_off_job(session: Session, job: Job, problem: str, *, retry_after_seconds: float | None, now: datetime) -> None:
    """Try it again later, twice as long each time; the last try was the last."""
    if job.tries >= MOST_TRIES:
        give_up_job(session, job, f"given up after {MOST_TRIES} tries: {problem}", now=now)
        return
    wait = min(FIRST_WAIT * 2 ** (job.tries - 1), LONGEST_WAIT)
    wait = max(wait, timedelta(seconds=min(retry_after_seconds or 0.0, 86_400.0)))
    values = {"due_at": now + wait, "problem": _line(problem)}
    imports.update_import(session, job.import_id, tries=job.tries, values=values)


def read_report(session: Session, user_id: int | None, import_id: int) -> Report:
    """Return one import of a reader with what became of its entries; raises NotFound."""
    row = None if user_id is None else imports.load_import(session, user_id, import_id)
    if row is None:
        raise NotFound("there is no such import, or it is too old: its papers are in your library")
    return _report(row, outcomes=tuple(_unpacked(one) for one in row.outcomes or ()))


def list_reports(session: Session, user_id: int | None) -> list[Report]:
    """Return a reader's imports without their entries, the last one first."""
    return [] if user_id is None else [_report(row) for row in imports.load_imports(session, user_id)]


def _new(user_id: int, source: str, state: str, *, now: datetime) -> dict[str, Any]:
    return {"user_id": user_id, "source": source, "state": state, "tries": 0, "created_at": now, "due_at": now}


def _report(row: LibraryImport, *, outcomes: tuple[Outcome, ...] = ()) -> Report:
    return Report(row.import_id, row.source, row.state, row.created_at, row.problem, outcomes)


def _packed(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [{name: value for name, value in asdict(one).items() if value} for one in outcomes]


def _unpacked(row: Mapping[str, Any]) -> Outcome:
    return Outcome(
        _FATES.get(row.get("fate", ""), "unreadable"),
        row.get("line", 0),
        row.get("shown", ""),
        row.get("reason", ""),
        row.get("paper_id"),
        tuple(row.get("remarks", ())),
    )


def _line(text: str) -> str:
    return line_of_text(text, name="problem")[:LONGEST_PROBLEM]
