"""Whose events these are, which papers they name and whether their slates fit: what can be stored, and what not."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec
from sqlalchemy.orm import Session

from api.schemas.events import Code, EventAnswer, EventBatch, EventDraft, OpenedSlate, ShownPaper
from api.services.event_parsing import PROBLEMS
from api.services.merging import find_accounts, is_anonymous
from api.store import event_log, papers, users
from api.store.erasing import erased_among

NOBODY: Final = 0  # whose slates fit any reader
MOST_REMEMBERED: Final = 200_000  # readers, and as many papers: about 20 MB each when full
MOST_SLATES: Final = 1024  # whose hashes are remembered: up to 1 kB each, and 8 at the most
DUPLICATE: Final = "duplicate"


@dataclass(slots=True)
class RememberedIds:
    """Numbers of readers and papers that this process has looked up; forgotten when one of them turns out to be gone.

    Numbers are never given twice, so a row that refers to a removed reader or paper is refused by the database.
    """

    users: dict[str, int] = field(default_factory=dict)
    papers: dict[str, int] = field(default_factory=dict)

    def forget(self) -> None:
        """Look up everything anew."""
        self.users.clear()
        self.papers.clear()


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """An event whose reader and paper are known."""

    batch: int
    place: int
    draft: EventDraft
    user_id: int
    paper_id: int
    shown: ShownPaper | None  # by its slate
    payload_hash: str

    @property
    def key(self) -> event_log.EventKey:
        """What no two events of the log share."""
        return self.user_id, self.draft.event_id


@dataclass(frozen=True, slots=True)
class Group:
    """The requests of one transaction and the answers that are known so far."""

    batches: Sequence[EventBatch]
    answers: list[list[EventAnswer | None]]
    rejected: list[tuple[int, int]] = field(default_factory=list)  # batch and place of each

    def reject(self, batch: int, place: int, code: Code, reason: str) -> None:
        """Refuse one event."""
        entry = self.batches[batch].entries[place]
        shown_id = entry.shown_id if isinstance(entry, EventDraft) else entry.event_id
        self.note_rejected(batch, place, EventAnswer(shown_id, "rejected", code, reason))

    def refuse_removed(self, batch: int, place: int) -> None:
        """Refuse an event of a reader who was removed; nothing of them is kept, as a dead letter neither."""
        entry = self.batches[batch].entries[place]
        shown_id = entry.shown_id if isinstance(entry, EventDraft) else entry.event_id
        reason = "the reader of this batch is no longer known here"
        self.answers[batch][place] = EventAnswer(shown_id, "rejected", "foreign_slate", reason)

    def note_rejected(self, batch: int, place: int, answer: EventAnswer) -> None:
        """Give the answer to an event that is refused."""
        self.answers[batch][place] = answer
        self.rejected.append((batch, place))


def match_events(session: Session, group: Group, ids: RememberedIds, *, now: datetime) -> list[Candidate]:
    """Answer what cannot be stored; return the rest, with readers that were made where somebody was new."""
    paper_ids = _find_papers(session, group, ids)
    readers = _find_readers(session, group, ids)
    accounts = _find_accounts(session, group, readers)
    readers = {at: accounts.get(reader, reader) for at, reader in readers.items()}
    fitting: list[Candidate] = []
    refused: list[tuple[Candidate, Code]] = []
    for at, batch in enumerate(group.batches):
        reader = readers.get(at, NOBODY)
        for place, entry in enumerate(batch.entries):
            if isinstance(entry, EventAnswer):
                group.note_rejected(at, place, entry)
                continue
            paper_id = paper_ids.get(entry.external_paper_id)
            if paper_id is None:
                group.reject(at, place, "unknown_paper", "no paper with this id is known here")
                continue
            shown = None if entry.opened is None else entry.opened.papers.get(paper_id)
            candidate = Candidate(at, place, entry, reader, paper_id, shown, hash_draft(entry, paper_id))
            problem = entry.problem
            if problem is None and entry.opened is not None:
                problem = _misfit(entry.opened.user_id, reader, shown, accounts)
            if problem is None:
                fitting.append(candidate)
            else:
                refused.append((candidate, problem))
    if refused:
        _refuse(session, group, refused)
    without = {candidate.batch for candidate in fitting} - readers.keys()
    if not without:
        return fitting
    _make_readers(session, group, without, readers, ids, now=now)
    return [msgspec.structs.replace(one, user_id=readers[one.batch]) for one in fitting if one.batch in readers]


def payload_hash(
    kind: int, paper_id: int, *, occurred: int | None, position: int | None, value: float | None, slate: str | None
) -> str:
    """Return what tells a replay from another event under the same id: a hash of all that the client said."""
    text = f"{kind}|{paper_id}|{occurred}|{position}|{value}|{slate}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def hash_draft(draft: EventDraft, paper_id: int) -> str:
    """Return the payload hash of an event; when its batch was sent is no part of it, because a retry says otherwise.

    The slate stands in it by its own hash, which the events of a page share.
    """
    slate = None if draft.slate is None else _hash_slate(draft.slate)
    text = f"{int(draft.kind)}|{paper_id}|{draft.raw_occurred}|{draft.position}|{draft.value}|{slate}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def is_replay(candidate: Candidate, stored_hash: str) -> bool:
    """True when what is stored under an event's id is this event; the log may hold hashes over the slate itself."""
    if stored_hash == candidate.payload_hash:
        return True
    draft = candidate.draft
    return draft.slate is not None and stored_hash == payload_hash(
        int(draft.kind),
        candidate.paper_id,
        occurred=draft.raw_occurred,
        position=draft.position,
        value=draft.value,
        slate=draft.slate,
    )


@lru_cache(MOST_SLATES)
def _hash_slate(token: str) -> str:
    return hashlib.blake2b(token.encode(), digest_size=16).hexdigest()


def _misfit(shown_to: int, reader: int, shown: ShownPaper | None, accounts: Mapping[int, int]) -> Code | None:
    if shown_to not in (reader, NOBODY) and accounts.get(shown_to) != reader:
        return "foreign_slate"
    return "not_on_slate" if shown is None else None


def _find_accounts(session: Session, group: Group, readers: Mapping[int, int]) -> dict[int, int]:
    """Return the account of each reader and slate that became part of one; only where somebody anonymous is about."""
    asked = {reader for at, reader in readers.items() if is_anonymous(group.batches[at].incoming.external_user)}
    for at, batch in enumerate(group.batches):
        own = (readers.get(at, NOBODY), NOBODY)
        seen: OpenedSlate | None = None  # most often the slate of them all
        for entry in batch.entries:
            if isinstance(entry, EventAnswer) or entry.opened is seen or entry.opened is None:
                continue
            seen = entry.opened
            if seen.user_id not in own:
                asked.add(seen.user_id)
    return find_accounts(session, asked)


def _refuse(session: Session, group: Group, refused: Sequence[tuple[Candidate, Code]]) -> None:
    """Reject these, except what was taken before: a late retry of an accepted event is a duplicate whatever else."""
    stored = event_log.find_stored(session, {candidate.key for candidate, _ in refused if candidate.user_id != NOBODY})
    for candidate, problem in refused:
        known = stored.get(candidate.key)
        if known is not None and is_replay(candidate, known.payload_hash):
            group.answers[candidate.batch][candidate.place] = EventAnswer(candidate.draft.shown_id, DUPLICATE)
        else:
            group.reject(candidate.batch, candidate.place, problem, PROBLEMS[problem])


def _find_papers(session: Session, group: Group, ids: RememberedIds) -> dict[str, int]:
    if missing := _unknown_papers(group, ids.papers):
        if len(ids.papers) > MOST_REMEMBERED:
            ids.papers.clear()
            missing = _unknown_papers(group, ids.papers)
        ids.papers.update(papers.paper_ids_of(session, list(missing)))
    return ids.papers


def _unknown_papers(group: Group, known: Mapping[str, int]) -> set[str]:
    return {
        entry.external_paper_id
        for batch in group.batches
        for entry in batch.entries
        if isinstance(entry, EventDraft) and entry.external_paper_id not in known
    }


def _find_readers(session: Session, group: Group, ids: RememberedIds) -> dict[int, int]:
    """Return the reader of each batch by its place, where there is one already."""
    with_drafts = [
        at for at, batch in enumerate(group.batches) if any(isinstance(entry, EventDraft) for entry in batch.entries)
    ]
    names = {at: name for at in with_drafts if (name := group.batches[at].incoming.external_user) is not None}
    found = _find_named(session, set(names.values()), ids)
    readers = {at: found[name] for at, name in names.items() if name in found}
    numbers = {at: number for at in with_drafts if at not in names and (number := group.batches[at].incoming.user_id)}
    if numbers:
        existing = users.existing_users(session, set(numbers.values()))
        readers |= {at: number for at, number in numbers.items() if number in existing}
    return readers


def _find_named(session: Session, names: Collection[str], ids: RememberedIds) -> dict[str, int]:
    missing = [name for name in names if name not in ids.users]
    if not missing:
        return ids.users
    found = users.find_user_ids(session, missing)
    return {name: ids.users[name] for name in names if name in ids.users} | _remember(ids, found)


def _remember(ids: RememberedIds, found: dict[str, int]) -> dict[str, int]:
    if len(ids.users) > MOST_REMEMBERED:
        ids.users.clear()
    ids.users.update((name, number) for name, number in found.items() if not is_anonymous(name))
    return found


def _make_readers(
    session: Session,
    group: Group,
    without: Collection[int],
    readers: dict[int, int],
    ids: RememberedIds,
    *,
    now: datetime,
) -> None:
    """Add to `readers` those that are new to us; only a batch by a number of nobody stays without."""
    names = {at: name for at in without if (name := group.batches[at].incoming.external_user) is not None}
    refused = erased_among(session, set(names.values()))
    names = {at: name for at, name in names.items() if name not in refused}
    if names:
        made, _ = users.add_users(session, set(names.values()), now=now)
        _remember(ids, made)
        readers.update((at, made[name]) for at, name in names.items())
    for at in without - names.keys():
        for place, answer in enumerate(group.answers[at]):
            if answer is None:
                group.refuse_removed(at, place)
