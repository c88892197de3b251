"""An imported bibliography: which of its papers are here, what is to be saved, and what became of each entry."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, TypeAlias

from sqlalchemy.orm import Session

from api.ids import LONGEST_ID, title_key
from api.schemas.events import BatchOutcome, EventAnswer, Incoming
from api.services.bibliography import Reference, RejectedReference
from api.services.feedback import record_events
from api.services.merging import find_accounts
from api.services.pending_papers import MOST_WANTED, keep_references, want_key
from api.services.saving import add_remarks, parse_saves, save_event
from api.store import library, paper_matching, users
from api.store.paper_matching import KnownPaper

EVENTS_AT_ONCE: Final = 250  # of one batch: the requests of others wait for one at most

Fate: TypeAlias = Literal["saved", "there", "fetching", "pending", "unreadable"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one entry."""

    fate: Fate
    line: int
    shown: str
    reason: str = ""
    paper_id: str | None = None  # external, of a paper that is here
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Match:
    reference: Reference
    paper: KnownPaper
    is_saved: bool
    changed_pk: int


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import is to do."""

    reader: str
    matches: tuple[_Match, ...]  # of each paper its first entry
    repeated: tuple[tuple[Reference, int], ...]  # entries that stand twice, with the line of the first
    unknown: tuple[Reference, ...]
    rejected: tuple[RejectedReference, ...]


def plan_import(
    session: Session,
    reader: str,
    user_id: int | None,
    *,
    references: Sequence[Reference],
    rejected: Sequence[RejectedReference],
) -> ImportPlan:
    """Find the papers of references by arXiv id, then DOI, then title; a fixed number of statements per 5,000."""
    found = _find_papers(session, references)
    pairs = {(user_id, one.paper_id) for one in found.values()} if user_id is not None else set()
    saved, changed = library.saved_among(session, pairs), library.changes_among(session, pairs)
    matches: list[_Match] = []
    repeated: list[tuple[Reference, int]] = []
    unknown: list[Reference] = []
    first: dict[int | str, int] = {}
    for at, reference in enumerate(references):
        paper = found.get(at)
        name = want_key(reference) if paper is None else paper.paper_id
        if name in first:
            repeated.append((reference, first[name]))
        elif paper is None:
            unknown.append(reference)
        else:
            key = (user_id or 0, paper.paper_id)
            matches.append(_Match(reference, paper, key in saved, changed.get(key, 0)))
        first.setdefault(name, reference.line)
    return ImportPlan(reader, tuple(matches), tuple(repeated), tuple(unknown), tuple(rejected))


def saves_of(plan: ImportPlan, *, now: datetime) -> list[Incoming]:
    """Return the events that save what is not saved yet, in batches; the first of a list is the last saved."""
    events = [
        _save(plan.reader, match, place, now=now) for place, match in enumerate(plan.matches) if not match.is_saved
    ]
    starts = range(0, len(events), EVENTS_AT_ONCE)
    return [Incoming(events[start : start + EVENTS_AT_ONCE], plan.reader) for start in starts]


def record_saves(session: Session, saves: Incoming, *, now: datetime) -> BatchOutcome:
    """Record a batch of them in this transaction."""
    return record_events(session, [parse_saves(saves, now=now)], now=now)[0]


def finish_import(
    session: Session, plan: ImportPlan, *, answers: Sequence[EventAnswer], now: datetime
) -> list[Outcome]:
    """Write tags, notes and what is waited for, once the saves are in; return what became of each entry, in order."""
    user_id = find_reader(session, plan.reader, now=now)
    refused = _refused(plan, answers)
    landed = [match for match in plan.matches if match.paper.paper_id not in refused]
    said = {match.paper.paper_id: match.reference for match in landed}
    for match, again in _repeated_matches(plan):
        if match.paper.paper_id in said:
            said[match.paper.paper_id] = _both(said[match.paper.paper_id], again)
    lost = add_remarks(session, user_id, said, now=now)
    room = keep_references(session, user_id, plan.unknown, now=now)
    outcomes = [_landed(match, lost.get(match.paper.paper_id, ())) for match in landed]
    outcomes += [
        Outcome("unreadable", one.reference.line, one.reference.shown, refused[one.paper.paper_id])
        for one in plan.matches
        if one.paper.paper_id in refused
    ]
    outcomes += _waiting(plan.unknown, room)
    outcomes += [
        Outcome("there", one.line, one.shown, f"the same paper as in line {line}", remarks=one.remarks)
        for one, line in plan.repeated
    ]
    outcomes += [Outcome("unreadable", one.line, one.text, one.reason) for one in plan.rejected]
    return sorted(outcomes, key=lambda one: one.line)


def find_reader(session: Session, reader: str, *, now: datetime) -> int:
    """Return the number under which a reader's papers are kept: the account's for one who became part of it."""
    user_id = users.ensure_users(session, [reader], now=now)[0][reader]
    return find_accounts(session, [user_id]).get(user_id, user_id)


def count_fates(outcomes: Collection[Outcome]) -> dict[Fate, int]:
    """Return how many entries had each fate."""
    counts: dict[Fate, int] = {"saved": 0, "there": 0, "fetching": 0, "pending": 0, "unreadable": 0}
    for one in outcomes:
        counts[one.fate] += 1
    return counts


def _find_papers(session: Session, references: Sequence[Reference]) -> dict[int, KnownPaper]:
    """Return the paper of each reference that is here, by its place."""
    names = {name for one in references for name in (one.paper_id, one.doi) if name and len(name) <= LONGEST_ID}
    by_id = paper_matching.papers_by_id(session, names)
    dois = {one.doi for one in references if one.doi}
    by_doi = paper_matching.papers_by_doi(session, dois)
    keys = {title_key(one.title) for one in references if one.title}
    by_title = paper_matching.papers_by_title(session, keys)
    found: dict[int, KnownPaper] = {}
    for at, one in enumerate(references):
        paper = by_id.get(one.paper_id or "") or by_doi.get(one.doi or "") or by_id.get(one.doi or "")
        if paper is None and one.title:
            paper = _of_title(one, by_title.get(title_key(one.title), []))
        if paper is not None:
            found[at] = paper
    return found


def _of_title(reference: Reference, papers: Sequence[KnownPaper]) -> KnownPaper | None:
    """Return the one paper of a title, unless an id or a DOI says that it is another one."""
    if len(papers) != 1:
        return None
    [paper] = papers
    if reference.doi and paper.doi and reference.doi != paper.doi:
        return None
    return None if reference.paper_id is not None and not paper.id_from_title else paper


def _save(reader: str, match: _Match, place: int, *, now: datetime) -> dict[str, object]:
    told = match.reference.saved_at
    name, after_pk = match.paper.external_id, match.changed_pk
    if told is None or told > now or after_pk:  # a save before the word that took the paper out would change nothing
        return save_event(reader, name, occurred_at=now, after_pk=after_pk, place=place)
    return save_event(reader, name, occurred_at=told, after_pk=after_pk)


def _refused(plan: ImportPlan, answers: Sequence[EventAnswer]) -> dict[int, str]:
    """Return the papers whose save was refused and why, such as one that its source removed in this moment."""
    tried = [match for match in plan.matches if not match.is_saved]
    return {
        match.paper.paper_id: answer.reason or "the save was refused"
        for match, answer in zip(tried, answers, strict=True)
        if answer.status == "rejected"
    }


def _repeated_matches(plan: ImportPlan) -> list[tuple[_Match, Reference]]:
    by_line = {match.reference.line: match for match in plan.matches}
    return [(by_line[line], one) for one, line in plan.repeated if line in by_line]


def _both(first: Reference, again: Reference) -> Reference:
    note = first.note if again.note in first.note else f"{first.note}\n\n{again.note}".strip()
    return replace(first, tags=(*first.tags, *again.tags), note=note)


def _landed(match: _Match, lost: tuple[str, ...]) -> Outcome:
    one = match.reference
    fate: Fate = "there" if match.is_saved else "saved"
    return Outcome(fate, one.line, one.shown, paper_id=match.paper.external_id, remarks=(*one.remarks, *lost))


def _waiting(unknown: Sequence[Reference], room: int) -> list[Outcome]:
    outcomes = []
    for place, one in enumerate(unknown):
        if place >= room:
            reason = f"you wait for {MOST_WANTED:,} papers already: remove some of those from the library's page"
            outcomes.append(Outcome("unreadable", one.line, one.shown, reason))
        elif one.arxiv_id is not None:
            reason = "to be fetched from arXiv, and saved when it has come"
            outcomes.append(Outcome("fetching", one.line, one.shown, reason, remarks=one.remarks))
        else:
            reason = "there is no arXiv id in it: saved when a paper of this DOI or title comes"
            outcomes.append(Outcome("pending", one.line, one.shown, reason, remarks=one.remarks))
    return outcomes
