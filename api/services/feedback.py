"""What readers did: events into the log, the library and the readers' change counters, in one transaction."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from api.schemas.events import BatchOutcome, Code, EventAnswer, EventBatch, EventDraft
from api.store import events, library, papers, users
from api.store.tables import EPOCH, ONE_MICROSECOND
from recommender.domain import EventKind

HIDING: Final = frozenset({EventKind.CLICK, EventKind.READ, EventKind.SAVE, EventKind.DISMISS})
SHOWING: Final = frozenset({EventKind.UNSAVE, EventKind.UNDISMISS})
SAVING: Final = frozenset({EventKind.SAVE, EventKind.UNSAVE})
# Having been shown a paper moves no list: an impression alone starts no refresh.
STILL: Final = frozenset({EventKind.IMPRESSION})

_ACCEPTED: Final = "accepted"
_DUPLICATE: Final = "duplicate"


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An event whose paper and reader are known."""

    batch: int
    place: int
    draft: EventDraft
    user_id: int
    paper_id: int
    payload_hash: str

    @property
    def key(self) -> events.EventKey:
        return self.user_id, self.draft.event_id


def record_events(session: Session, batches: Sequence[EventBatch], *, now: datetime) -> list[BatchOutcome]:
    """Store the new events of many requests in a fixed number of statements; return each request's outcome."""
    answers: list[list[EventAnswer | None]] = [_rejected_already(batch) for batch in batches]
    candidates = _find_candidates(session, batches, answers, now=now)
    if not candidates:
        return [_outcome(batch, [], None) for batch in answers]
    user_ids = sorted({candidate.user_id for candidate in candidates})
    events.lock_readers(session, user_ids)
    accepted = _store(session, candidates, answers, now=now)
    _project(session, accepted)
    moved = sorted({candidate.user_id for candidate, _ in accepted if candidate.draft.kind not in STILL})
    if moved:
        users.advance_users(session, moved, now=now)
    if still := sorted({candidate.user_id for candidate, _ in accepted} - set(moved)):
        users.touch_users(session, still, now=now)
    shown = _shown_again(session, [candidate for candidate, _ in accepted])
    of_batch: dict[int, list[_Candidate]] = defaultdict(list)
    for candidate, _ in accepted:
        of_batch[candidate.batch].append(candidate)
    readers = {candidate.batch: candidate.user_id for candidate in candidates}
    return [
        _outcome(batch, of_batch[at], readers.get(at), shown.get(readers.get(at, 0), frozenset()))
        for at, batch in enumerate(answers)
    ]


def payload_hash(
    kind: int, paper_id: int, *, occurred: int | None, position: int | None, value: float | None, slate: str | None
) -> str:
    """Return what tells a replay from another event under the same id: a hash of all that the client said."""
    text = f"{kind}|{paper_id}|{occurred}|{position}|{value}|{slate}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _rejected_already(batch: EventBatch) -> list[EventAnswer | None]:
    return [entry if isinstance(entry, EventAnswer) else None for entry in batch.entries]


def _find_candidates(
    session: Session, batches: Sequence[EventBatch], answers: list[list[EventAnswer | None]], *, now: datetime
) -> list[_Candidate]:
    drafts = [
        (at, place, entry)
        for at, batch in enumerate(batches)
        for place, entry in enumerate(batch.entries)
        if isinstance(entry, EventDraft)
    ]
    paper_ids = papers.paper_ids_of(session, {draft.external_paper_id for _, _, draft in drafts}) if drafts else {}
    known: list[tuple[int, int, EventDraft, int]] = []
    for at, place, draft in drafts:
        paper_id = paper_ids.get(draft.external_paper_id)
        if paper_id is None:
            answers[at][place] = _reject(draft, "unknown_paper", "no paper with this id is known here")
        else:
            known.append((at, place, draft, paper_id))
    if not known:
        return []
    user_ids, _ = users.ensure_users(session, {batches[at].external_user for at, *_ in known}, now=now)
    return [
        _Candidate(at, place, draft, user_ids[batches[at].external_user], paper_id, _hash(draft, paper_id))
        for at, place, draft, paper_id in known
    ]


def _store(
    session: Session, candidates: list[_Candidate], answers: list[list[EventAnswer | None]], *, now: datetime
) -> list[tuple[_Candidate, int]]:
    """Insert what is new, answer every candidate, return the accepted ones with their event_pk."""
    first: dict[events.EventKey, _Candidate] = {}
    for candidate in candidates:
        first.setdefault(candidate.key, candidate)
    inserted = events.insert_events(session, [_row(candidate, now=now) for candidate in first.values()])
    stored = events.payload_hashes(session, first.keys() - inserted.keys()) if len(inserted) < len(first) else {}
    accepted: list[tuple[_Candidate, int]] = []
    for candidate in candidates:
        key, draft = candidate.key, candidate.draft
        answer = EventAnswer(draft.shown_id, _DUPLICATE)
        if key in inserted and first[key] is candidate:
            accepted.append((candidate, inserted[key]))
            answer = EventAnswer(draft.shown_id, _ACCEPTED)
        elif candidate.payload_hash != stored.get(key, first[key].payload_hash):
            answer = _reject(draft, "conflict", "another event was stored under this id: make a new id for each event")
        answers[candidate.batch][candidate.place] = answer
    return accepted


def _project(session: Session, accepted: Iterable[tuple[_Candidate, int]]) -> None:
    library.project_changes(
        session,
        [
            library.LibraryChange(
                candidate.user_id,
                candidate.paper_id,
                candidate.draft.kind == EventKind.SAVE,
                candidate.draft.occurred_at,
                event_pk,
            )
            for candidate, event_pk in accepted
            if candidate.draft.kind in SAVING
        ],
    )


def _shown_again(session: Session, accepted: Iterable[_Candidate]) -> dict[int, frozenset[int]]:
    """Return, for readers who took something back, those of its papers that nothing else hides."""
    undone: dict[int, set[int]] = defaultdict(set)
    for candidate in accepted:
        if candidate.draft.kind in SHOWING:
            undone[candidate.user_id].add(candidate.paper_id)
    return {
        user_id: frozenset(paper_ids.difference(events.hidden_paper_ids(session, user_id).tolist()))
        for user_id, paper_ids in undone.items()
    }


def _outcome(
    answers: list[EventAnswer | None],
    accepted: list[_Candidate],
    user_id: int | None,
    shown: frozenset[int] = frozenset(),
) -> BatchOutcome:
    hide = {candidate.paper_id for candidate in accepted if candidate.draft.kind in HIDING}
    undone = {candidate.paper_id for candidate in accepted if candidate.draft.kind in SHOWING}
    return BatchOutcome(
        answers=tuple(answer for answer in answers if answer is not None),
        user_id=user_id,
        hide=tuple(sorted(hide - shown)),
        unhide=tuple(sorted(undone & shown)),
        is_change=any(candidate.draft.kind not in STILL for candidate in accepted),
    )


def _row(candidate: _Candidate, *, now: datetime) -> dict[str, Any]:
    draft = candidate.draft
    return {
        "user_id": candidate.user_id,
        "event_id": draft.event_id,
        "kind": int(draft.kind),
        "paper_id": candidate.paper_id,
        "occurred_at": draft.occurred_at,
        "received_at": now,
        "position": draft.position,
        "value": draft.value,
        "slate": draft.slate,
        "payload_hash": candidate.payload_hash,
        "is_import": False,
    }


def _hash(draft: EventDraft, paper_id: int) -> str:
    return payload_hash(
        int(draft.kind),
        paper_id,
        occurred=(draft.raw_occurred_at - EPOCH) // ONE_MICROSECOND,
        position=draft.position,
        value=draft.value,
        slate=draft.slate,
    )


def _reject(draft: EventDraft, code: Code, reason: str) -> EventAnswer:
    return EventAnswer(draft.shown_id, "rejected", code, reason)
