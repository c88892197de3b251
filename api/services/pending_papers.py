"""Papers that readers want and nobody has brought yet: asked for where that is possible, saved when they come."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.errors import Conflict
from api.ids import LONGEST_ID, is_arxiv_id, title_key
from api.schemas.events import BatchOutcome, Incoming
from api.services.arrivals import is_news, take_step
from api.services.bibliography import BadReference, Reference, reference_as_json, reference_of_json
from api.services.feedback import record_events
from api.services.merging import find_accounts
from api.services.saving import add_remarks, parse_saves, save_event
from api.sources.records import line_of_text
from api.store import library, paper_matching, wants
from api.store.arrivals import Arrival
from api.store.wants import MISSING, WAITING, FetchState, Want, WantedRow

MOST_WANTED: Final = 10_000  # papers that one reader waits for
IDS_A_REQUEST: Final = 100  # of one question to arXiv
SETTLED_AT_ONCE: Final = 200  # in one transaction
ASKED_AGAIN: Final = timedelta(days=1)  # a missing paper that is wanted anew: it may have been announced meanwhile
FIRST_WAIT: Final = timedelta(minutes=5)  # after a failure; doubled for each further one
LONGEST_WAIT: Final = timedelta(hours=6)
LONGEST_PROBLEM: Final = 300  # characters
# What went wrong in detail is for operators: it is in the log and in the row.
UNREACHED: Final = "arXiv could not be reached, or its answer could not be read: it will be asked again"


@dataclass(frozen=True, slots=True)
class Pending:
    """A paper that a reader waits for, and in words what is done about it."""

    want_id: int
    reference: Reference
    wanted_at: datetime
    state: str  # fetching, missing, kept
    words: str


@dataclass(frozen=True, slots=True)
class Settled:
    """How many papers came, what lists must follow, and whether there may be more."""

    papers: int
    outcomes: Sequence[BatchOutcome]
    is_last: bool


def want_key(reference: Reference) -> str:
    """Return what tells a wanted paper from the reader's others: its id, else its DOI, else its title."""
    if reference.paper_id is not None:
        return f"id:{reference.paper_id}"
    return f"doi:{reference.doi}" if reference.doi is not None else f"title:{title_key(reference.title)}"


def want_papers(session: Session, ids: Collection[str], user_id: int | None, *, now: datetime) -> dict[str, FetchState]:
    """Have arXiv ids fetched, each to be saved for the reader when it comes, whoever brings it; None: for nobody.

    Returns how the search goes for those that are not here. The ids are in their stored form.
    """
    known = paper_matching.papers_by_id(session, ids)
    unknown = [one for one in dict.fromkeys(ids) if one not in known]
    if user_id is not None:
        keep_references(session, user_id, [Reference(paper_id=one) for one in unknown], now=now)
    else:
        _fetch(session, unknown, now=now)
    return wants.load_fetches(session, unknown)


def keep_references(session: Session, user_id: int, references: Sequence[Reference], *, now: datetime) -> int:
    """Keep what a reader wants to have saved once it is here, arXiv ids asked for; return how many found room."""
    by_key = {want_key(one): one for one in references}
    there = wants.wanted_references(session, user_id, by_key)
    new = [key for key in by_key if key not in there]
    room = max(0, MOST_WANTED - wants.count_wanted(session, user_id)) if new else 0
    kept = [*there, *new[:room]]
    rows = [_want(user_id, key, _with_earlier(by_key[key], there.get(key))) for key in kept]
    wants.insert_wants(session, rows, now=now)
    _fetch(session, [one for row in rows if (one := row.external_id) is not None], now=now)
    return len(kept)


def list_pending(
    session: Session, user_id: int | None, *, after: int = 0, limit: int
) -> tuple[list[Pending], int | None]:
    """Return a page of what a reader waits for, and where the next one begins."""
    if user_id is None:
        return [], None
    rows = wants.load_wanted(session, user_id, after=after, limit=limit + 1)
    return [_pending(row) for row in rows[:limit]], rows[limit - 1].want_id if len(rows) > limit else None


def forget_pending(session: Session, user_id: int | None, want_id: int) -> None:
    """Wait for a paper no longer; Conflict for one that the reader does not wait for."""
    if user_id is None or not wants.delete_wants(session, [want_id], user_id=user_id):
        raise Conflict("you do not wait for this paper any more")


def look(session: Session, *, now: datetime) -> tuple[bool, bool]:
    """Return whether papers may have come for those who want them, and whether some are to be asked for now."""
    return is_news(session, now=now), bool(wants.due_fetches(session, now=now, limit=1))


def take_due(session: Session, *, now: datetime) -> list[str]:
    """Return the arXiv ids to ask for next; what another source brought meanwhile is forgotten."""
    wants.delete_known_fetches(session)
    return wants.due_fetches(session, now=now, limit=IDS_A_REQUEST)


def note_answer(
    session: Session, asked: Collection[str], *, found: Collection[str], now: datetime, problem: str | None = None
) -> None:
    """Note what arXiv answered: what it did not give does not exist there."""
    wants.delete_fetches(session, found)
    missing = sorted(set(asked) - set(found))
    reason = problem or "arXiv has no paper of this id"
    wants.update_fetches(session, missing, {"state": MISSING, "asked_at": now, "problem": reason[:LONGEST_PROBLEM]})


def note_failure(
    session: Session, asked: Collection[str], problem: str, *, retry_after_seconds: float | None, now: datetime
) -> None:
    """Put off ids because the source did not answer, twice as long each time."""
    by_tries: dict[int, list[str]] = defaultdict(list)
    for state in wants.load_fetches(session, asked).values():
        by_tries[state.tries].append(state.external_id)
    for tries, ids in by_tries.items():
        wait = min(FIRST_WAIT * 2 ** min(tries, 10), LONGEST_WAIT)
        wait = max(wait, timedelta(seconds=min(retry_after_seconds or 0.0, 86_400.0)))
        text = line_of_text(problem, name="problem")[:LONGEST_PROBLEM]
        wants.update_fetches(session, ids, {"tries": tries + 1, "asked_at": now, "due_at": now + wait, "problem": text})


def settle(session: Session, *, now: datetime) -> Settled:
    """Save the papers that have come for those who wanted them, with tags and notes.

    A part of them: `SETTLED_AT_ONCE` at most. In one transaction, so each is saved once.
    """
    step = take_step(session, limit=SETTLED_AT_ONCE, now=now)
    arrivals = step.arrivals
    if not arrivals:
        return Settled(0, [], step.is_last)
    accounts = find_accounts(session, {one.user_id for one in arrivals})
    by_reader: dict[int, list[Arrival]] = defaultdict(list)
    for one in arrivals:
        by_reader[accounts.get(one.user_id, one.user_id)].append(one)
    outcomes = _save(session, by_reader, now=now)
    for user_id, theirs in by_reader.items():
        add_remarks(session, user_id, {one.paper_id: _reference(one.reference) for one in theirs}, now=now)
    wants.delete_wants(session, [one.want_id for one in arrivals])
    wants.delete_fetches(session, [one.external_id for one in arrivals])
    return Settled(len(arrivals), outcomes, step.is_last)


def _save(session: Session, by_reader: Mapping[int, Sequence[Arrival]], *, now: datetime) -> list[BatchOutcome]:
    pairs = {(user_id, one.paper_id) for user_id, theirs in by_reader.items() for one in theirs}
    saved = library.saved_among(session, pairs)
    changed = library.changes_among(session, pairs)
    batches = []
    for user_id, theirs in by_reader.items():
        events = {
            one.paper_id: save_event(
                str(user_id), one.external_id, occurred_at=now, after_pk=changed.get((user_id, one.paper_id), 0)
            )
            for one in theirs
            if (user_id, one.paper_id) not in saved
        }
        if events:
            incoming = Incoming(list(events.values()), None, user_id=user_id)
            batches.append(parse_saves(incoming, now=now))
    return record_events(session, batches, now=now) if batches else []


def _fetch(session: Session, ids: Collection[str], *, now: datetime) -> None:
    arxiv = [one for one in ids if is_arxiv_id(one)]
    wants.insert_fetches(session, arxiv, now=now, asked_before=now - ASKED_AGAIN)


def _want(user_id: int, key: str, reference: Reference) -> Want:
    return Want(
        user_id,
        key,
        external_id=reference.paper_id,
        doi=reference.doi[:LONGEST_ID] if reference.doi else None,
        title_key=title_key(reference.title) if reference.title else None,
        reference=reference_as_json(reference),
    )


def _with_earlier(reference: Reference, earlier: Mapping[str, object] | None) -> Reference:
    """Return what is said now, with what was said before where it says nothing now."""
    if earlier is None:
        return reference
    said = reference_as_json(reference)
    tags = [*_list(earlier.get("tags")), *_list(said.get("tags"))]
    return _reference({**earlier, **said, "tags": tags})


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _reference(kept: Mapping[str, object]) -> Reference:
    try:
        return reference_of_json(kept)
    except BadReference:  # kept by a version that took what this one refuses
        return Reference(title="an entry that cannot be read any more")


def _pending(row: WantedRow) -> Pending:
    fetch = row.fetch
    if fetch is None:
        state, words = "kept", "kept until a paper of this DOI or title comes"
    elif fetch.state == MISSING:
        state, words = "missing", fetch.problem or "arXiv has no paper of this id"
    elif fetch.state == WAITING and fetch.problem:
        state, words = "fetching", UNREACHED
    else:
        state, words = "fetching", "to be fetched from arXiv"
    return Pending(row.want_id, _reference(row.reference), row.wanted_at.astimezone(UTC), state, words)
