"""The catalogue: what several sources say about a paper becomes one row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from sqlalchemy.orm import Session

from api.errors import InvalidRequest
from api.ids import TITLE_ID_PREFIX, id_of_title, normalised_id, title_key
from api.services.drafts import Draft, draft_of_row, row_of, with_fingerprints
from api.services.provenance import DELETED, Known, best_of, is_trusted
from api.sources.records import ARXIV_DOI, Deletion, PaperRecord, doi_of
from api.store.paper_rows import load_rows, lock_papers, write_rows
from api.store.papers import DOI_START


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """What became of records: each one counts once."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0

    def __add__(self, other: "IngestCounts") -> "IngestCounts":
        return IngestCounts(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.deleted + other.deleted,
        )

    @property
    def landed(self) -> int:
        """Records that are in the database now."""
        return self.inserted + self.updated + self.unchanged


class _Fate(Enum):
    INSERTED = "inserted"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"


def normalise_external_id(text: str) -> str:
    """Return the form under which a paper is stored: no `arXiv:`, address or version; InvalidRequest if it is no id."""
    try:
        return normalised_id(text)
    except ValueError as error:
        raise InvalidRequest(str(error)) from error


def record_papers(
    session: Session, records: Sequence[PaperRecord | Deletion], *, now: datetime, is_demo: bool = False
) -> IngestCounts:
    """Write one chunk of records and return what became of them.

    Each field is the best that any source said (services/provenance.py). A record without id belongs to the paper of
    the same title, and a paper that had no id takes the first real one that comes with its title. Demonstration papers
    give way to real ones. A deleted paper keeps its row and comes back with a later record of it.
    """
    lock_papers(session)
    named = [_with_normal_id(record) for record in records]
    stored = load_rows(
        session,
        external_ids=_ids_to_load(named),
        title_keys=_titles_to_load(named),
        dois=_dois_to_load(named),
        is_demo=is_demo,
    )
    chunk = _Chunk(is_demo, map(draft_of_row, stored))
    fates = [chunk.remove(record) if isinstance(record, Deletion) else chunk.apply(record) for record in named]
    write_rows(session, [row_of(draft, now=now) for draft in chunk.drafts.values() if draft.is_changed])
    return IngestCounts(*(fates.count(fate) for fate in _Fate))


class _Chunk:
    """The papers that one chunk touches, as they are after the records so far."""

    def __init__(self, is_demo: bool, stored: Iterable[Draft]) -> None:
        self.is_demo = is_demo
        self.drafts = {draft.external_id: draft for draft in stored}
        self._of_title: dict[str, str] = {}  # title key -> id of its first paper
        self._of_doi: dict[str, str] = {}  # DOI -> id of the paper that was published under it
        for draft in self.drafts.values():
            self._note(draft)

    def apply(self, record: PaperRecord) -> _Fate:
        """Fold one record in and return what became of it."""
        external_id = self._place_of(record)
        old = self.drafts.get(external_id)
        new = self._next(old, record, external_id=external_id)
        self.drafts[external_id] = new
        self._note(new)
        if old is None:
            return _Fate.INSERTED
        return _Fate.UNCHANGED if old.content_hash == new.content_hash else _Fate.UPDATED

    def remove(self, deletion: Deletion) -> _Fate:
        """Mark a paper as gone where its source may say so."""
        old = self.drafts.get(deletion.external_id)
        if old is None or old.is_demo or old.is_deleted:
            return _Fate.UNCHANGED
        if not is_trusted(deletion.source, over=old.known.giver("title"), name=DELETED):
            return _Fate.UNCHANGED
        givers = {**old.givers, DELETED: deletion.source}
        self.drafts[deletion.external_id] = with_fingerprints(replace(old, is_deleted=True, givers=givers))
        return _Fate.DELETED

    def _place_of(self, record: PaperRecord) -> str:
        """Return the id of the paper that a record is about."""
        if record.external_id is None:
            key = title_key(record.title)
            by_doi = self._of_doi.get(record.doi or "")
            return by_doi or self._of_title.get(key, TITLE_ID_PREFIX + key)
        if record.external_id not in self.drafts:
            published = self._of_doi.get(record.external_id.lower())
            if published is not None:
                return published
            self._give_real_id(record, external_id=record.external_id)
        return record.external_id

    def _next(self, old: Draft | None, record: PaperRecord, *, external_id: str) -> Draft:
        if old is not None and self.is_demo and not old.is_demo:
            return old
        if old is None or old.is_demo != self.is_demo:
            id_from_title = record.external_id is None if old is None else old.id_from_title
            stored = None if old is None else old.stored
            return with_fingerprints(Draft(external_id, id_from_title, self.is_demo, record, "", "", stored))
        known = best_of(old.known, record)
        is_deleted = old.is_deleted and not is_trusted(record.source, over=old.known.giver(DELETED), name=DELETED)
        givers = known.givers if is_deleted else {name: by for name, by in known.givers.items() if name != DELETED}
        return with_fingerprints(replace(old, record=known.record, givers=givers, is_deleted=is_deleted))

    def _give_real_id(self, record: PaperRecord, *, external_id: str) -> None:
        """Let the paper that is known by this title or DOI alone take the real id."""
        draft = self._without_arxiv_id(record)
        if draft is None or draft.is_demo != self.is_demo:
            return
        del self.drafts[draft.external_id]
        # The old fingerprint stays, so that the change of the id alone counts as an update.
        known = _named_by(record.source, draft.known)
        self.drafts[external_id] = replace(
            draft, external_id=external_id, id_from_title=False, record=known.record, givers=known.givers
        )
        self._of_title[draft.title_key] = external_id

    def _without_arxiv_id(self, record: PaperRecord) -> Draft | None:
        by_title = self.drafts.get(id_of_title(record.title))
        if by_title is not None and by_title.id_from_title:
            return by_title
        return None if record.doi is None else self.drafts.get(record.doi)

    def _note(self, draft: Draft) -> None:
        if draft.is_demo == self.is_demo:
            self._of_title.setdefault(draft.title_key, draft.external_id)
            if draft.record.doi is not None:
                self._of_doi.setdefault(draft.record.doi, draft.external_id)


def _named_by(source: str, known: Known) -> Known:
    """Return what is known with `source` as the one that names the paper, and with it its title."""
    given = {name: known.giver(name) for name in known.named if name != "title"}
    givers = {name: giver for name, giver in given.items() if giver != source}
    return Known(replace(known.record, source=source), givers)


def _with_normal_id(record: PaperRecord | Deletion) -> PaperRecord | Deletion:
    external_id = record.external_id
    if isinstance(record, PaperRecord) and record.doi is not None:
        if external_id is None and record.doi.lower().find(ARXIV_DOI) >= 0:
            external_id = record.doi
        doi = doi_of(record.doi)
        record = record if doi == record.doi else replace(record, doi=doi)
    if external_id is None:
        return record
    external_id = normalise_external_id(external_id)
    return record if external_id == record.external_id else replace(record, external_id=external_id)


def _ids_to_load(records: Sequence[PaperRecord | Deletion]) -> set[str]:
    wanted = {record.external_id for record in records if record.external_id is not None}
    for record in records:
        if isinstance(record, PaperRecord):
            wanted.add(id_of_title(record.title))
            if record.doi is not None:
                wanted.add(record.doi)
    return wanted


def _titles_to_load(records: Sequence[PaperRecord | Deletion]) -> set[str]:
    return {
        title_key(record.title) for record in records if isinstance(record, PaperRecord) and record.external_id is None
    }


def _dois_to_load(records: Sequence[PaperRecord | Deletion]) -> set[str]:
    ids = (record.external_id or "" for record in records)
    unnamed = (record for record in records if isinstance(record, PaperRecord) and record.external_id is None)
    by_id = {external_id.lower() for external_id in ids if external_id.startswith(DOI_START)}
    return by_id | {record.doi for record in unnamed if record.doi is not None}
