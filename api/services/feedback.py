"""What readers did: events into the log, the library and the readers' change counters, in one transaction."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.schemas.events import BatchOutcome, EventAnswer, EventBatch
from api.services.dead_letters import MOST_LETTERS, Letter, keep_rejected
from api.services.event_matching import DUPLICATE, Candidate, Group, RememberedIds, is_replay, match_events
from api.services.merging import find_accounts, is_anonymous
from api.store import event_log, library, users
from api.store.event_log import EventRow
from api.store.events import hidden_paper_ids, lock_readers
from api.store.tables import EPOCH
from recommender.domain import EventKind

HIDING: Final = frozenset({EventKind.CLICK, EventKind.READ, EventKind.SAVE, EventKind.DISMISS})
SHOWING: Final = frozenset({EventKind.UNSAVE, EventKind.UNDISMISS})
SAVING: Final = frozenset({EventKind.SAVE, EventKind.UNSAVE})
# Having been shown a paper moves no list: an impression alone starts no refresh.
STILL: Final = EventKind.IMPRESSION

ACCEPTED: Final = "accepted"

_Said: TypeAlias = tuple[str | None, int | None, int | None, float | None, str | None, str | None]
_NOTHING: Final[_Said] = (None,) * 6  # of an event without a slate

_Accepted: TypeAlias = tuple[Candidate, int]  # an event that is in the log now, and its event_pk


def make_recorder(*, most_letters: int) -> Callable[[Session, list[EventBatch]], list[BatchOutcome]]:
    """Return the work of a group commit: `record_events` with the numbers that this process remembers."""
    ids = RememberedIds()

    def record(session: Session, batches: list[EventBatch]) -> list[BatchOutcome]:
        try:
            return record_events(session, batches, now=datetime.now(UTC), ids=ids, most_letters=most_letters)
        except sa.exc.IntegrityError:  # somebody who was remembered is gone; the group is tried again
            ids.forget()
            raise

    return record


def record_events(
    session: Session,
    batches: Sequence[EventBatch],
    *,
    now: datetime,
    ids: RememberedIds | None = None,
    most_letters: int = MOST_LETTERS,
) -> list[BatchOutcome]:
    """Store the new events of many requests in a fixed number of statements; return each request's outcome.

    Rejected ones are kept as dead letters in the same transaction.
    """
    group = Group(batches, [[None] * len(batch.entries) for batch in batches])
    candidates = _lock(session, group, match_events(session, group, ids or RememberedIds(), now=now))
    accepted = _append(session, group, candidates) if candidates else []
    moving: list[_Accepted] = []
    moved: dict[int, list[Candidate]] = defaultdict(list)
    shown: dict[int, list[int]] = defaultdict(list)
    for entry in accepted:
        candidate = entry[0]
        if candidate.draft.kind is STILL:
            shown[candidate.batch].append(candidate.paper_id)
        else:
            moving.append(entry)
            moved[candidate.batch].append(candidate)
    _note(session, accepted, moving, now=now)
    keep_rejected(session, _letters(group), now=now, most=most_letters)
    hidden = _hidden_now(session, moving)
    readers = {candidate.batch: candidate.user_id for candidate in candidates}
    return [
        _outcome(group.answers[at], moved.get(at, ()), readers.get(at), hidden, shown.get(at, ()))
        for at in range(len(batches))
    ]


def _lock(session: Session, group: Group, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Let writers of the same reader follow each other; who became part of an account meanwhile writes for that."""
    if not candidates:
        return candidates
    lock_readers(session, {candidate.user_id for candidate in candidates})
    anonymous = {at for at, batch in enumerate(group.batches) if is_anonymous(batch.incoming.external_user)}
    visitors = {one.user_id for one in candidates if one.batch in anonymous} if anonymous else set()
    accounts = find_accounts(session, visitors)
    if not accounts:
        return candidates
    lock_readers(session, accounts.values())
    return [msgspec.structs.replace(one, user_id=accounts.get(one.user_id, one.user_id)) for one in candidates]


def _note(session: Session, accepted: Sequence[_Accepted], moving: Sequence[_Accepted], *, now: datetime) -> None:
    """Let the library and the readers' counters follow what is new in the log."""
    _project(session, moving)
    moved = {candidate.user_id for candidate, _ in moving}
    if moved:
        users.advance_users(session, sorted(moved), now=now)
    if still := {candidate.user_id for candidate, _ in accepted} - moved:
        users.touch_users(session, sorted(still), now=now)


def _append(session: Session, group: Group, candidates: Sequence[Candidate]) -> list[_Accepted]:
    """Insert what is new, answer every candidate, return the accepted ones."""
    keys = event_log.append_events(session, _rows(group, candidates))
    if len(keys) == len(candidates):
        answers = group.answers
        for candidate in candidates:
            answers[candidate.batch][candidate.place] = EventAnswer(candidate.draft.shown_id, ACCEPTED)
        return list(zip(candidates, keys, strict=True))
    return _sort_out(session, group, candidates, set(keys))


def _sort_out(session: Session, group: Group, candidates: Sequence[Candidate], new: set[int]) -> list[_Accepted]:
    """Tell the events that are `new` from those whose id was there before or stands twice in the group."""
    stored = event_log.find_stored(session, {candidate.key for candidate in candidates})
    accepted: list[_Accepted] = []
    for candidate in candidates:
        event_pk, known = stored[candidate.key]
        shown_id = candidate.draft.shown_id
        if event_pk in new:
            new.remove(event_pk)
            accepted.append((candidate, event_pk))
            group.answers[candidate.batch][candidate.place] = EventAnswer(shown_id, ACCEPTED)
        elif is_replay(candidate, known):
            group.answers[candidate.batch][candidate.place] = EventAnswer(shown_id, DUPLICATE)
        else:
            reason = "another event was stored under this id: make a new id for each event"
            group.reject(candidate.batch, candidate.place, "conflict", reason)
    return accepted


def _project(session: Session, accepted: Iterable[_Accepted]) -> None:
    library.project_changes(
        session,
        [
            library.LibraryChange(
                candidate.user_id,
                candidate.paper_id,
                candidate.draft.kind == EventKind.SAVE,
                _time(candidate.draft.occurred),
                event_pk,
            )
            for candidate, event_pk in accepted
            if candidate.draft.kind in SAVING
        ],
    )


def _letters(group: Group) -> list[Letter]:
    """Return what was rejected, as it came; a letter that is replayed is kept already."""
    return [
        _letter(group.batches[at], place, answer)
        for at, place in sorted(group.rejected)
        if group.batches[at].incoming.received_at is None and (answer := group.answers[at][place]) is not None
    ]


def _letter(batch: EventBatch, place: int, answer: EventAnswer) -> Letter:
    incoming = batch.incoming
    return Letter(
        external_user=incoming.external_user,
        user_id=incoming.user_id if incoming.external_user is None else None,
        event_id=answer.event_id,
        code=answer.code or "",
        reason=answer.reason or "",
        raw=json.dumps(incoming.events[place], ensure_ascii=False).encode("utf-8", "surrogatepass"),
        sent_at_raw=incoming.sent_at if isinstance(incoming.sent_at, str) else None,
        received_at=EPOCH + timedelta(microseconds=batch.received),
        batch_slate=incoming.slate,
    )


def _hidden_now(session: Session, moving: Sequence[_Accepted]) -> set[tuple[int, int]]:
    """Return those (reader, paper) of these events that must not be shown, whatever order the events came in."""
    hidden: set[tuple[int, int]] = set()
    undone: dict[int, set[int]] = defaultdict(set)
    for candidate, _ in moving:
        if candidate.draft.kind in SHOWING:
            undone[candidate.user_id].add(candidate.paper_id)
    done = [candidate for candidate, _ in moving if candidate.draft.kind in HIDING]
    hidden |= _hidden_of(session, undone)
    done = [candidate for candidate in done if candidate.user_id not in undone]
    if saved := {(one.user_id, one.paper_id) for one in done if one.draft.kind == EventKind.SAVE}:
        hidden |= library.saved_among(session, saved)
    if others := [one for one in done if one.draft.kind != EventKind.SAVE]:
        pairs = {(one.user_id, one.paper_id) for one in others}
        back = event_log.brought_back_since(session, pairs, since=_time(min(one.draft.occurred for one in others)))
        hidden |= (pairs - back) | (back & _hidden_of(session, {user_id for user_id, _ in back}))
    return hidden


def _hidden_of(session: Session, user_ids: Iterable[int]) -> set[tuple[int, int]]:
    """Everything that must not be shown to these readers."""
    return {(user_id, paper_id) for user_id in user_ids for paper_id in hidden_paper_ids(session, user_id).tolist()}


def _outcome(
    answers: Sequence[EventAnswer | None],
    moved: Collection[Candidate],
    user_id: int | None,
    hidden: set[tuple[int, int]],
    shown: Collection[int],
) -> BatchOutcome:
    if not moved:
        return BatchOutcome(_answered(answers), user_id, (), (), None, tuple(shown))
    pairs = {(one.user_id, one.paper_id) for one in moved if one.draft.kind in HIDING}
    back = {(one.user_id, one.paper_id) for one in moved if one.draft.kind in SHOWING}
    return BatchOutcome(
        answers=_answered(answers),
        user_id=user_id,
        hide=tuple(sorted(paper_id for _, paper_id in pairs & hidden)),
        unhide=tuple(sorted(paper_id for _, paper_id in back - hidden)),
        latest=_time(max(one.draft.occurred for one in moved)),
        shown=tuple(shown),
    )


def _answered(answers: Iterable[EventAnswer | None]) -> tuple[EventAnswer, ...]:
    return tuple([answer for answer in answers if answer is not None])


def _rows(group: Group, candidates: Iterable[Candidate]) -> list[EventRow]:
    batches = group.batches
    rows: list[EventRow] = []
    for candidate in candidates:
        draft, batch, shown, said = candidate.draft, batches[candidate.batch], candidate.shown, _NOTHING
        if draft.opened is not None and shown is not None:
            slate = draft.opened
            said = (slate.slate_id, shown.position, int(shown.source), shown.propensity, slate.version, slate.variant)
        rows.append(
            (
                candidate.user_id,
                draft.event_id,
                int(draft.kind),  # SQLite's driver asks each value that is not of a plain type to adapt itself
                candidate.paper_id,
                draft.occurred,
                batch.received,
                draft.raw_occurred,
                batch.raw_sent,
                draft.position,
                draft.value,
                *said,
                candidate.payload_hash,
            )
        )
    return rows


def _time(occurred: int) -> datetime:
    return EPOCH + timedelta(microseconds=occurred)
