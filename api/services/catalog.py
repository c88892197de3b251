"""The catalogue: what several sources say about a paper becomes one row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from sqlalchemy.orm import Session

from api.errors import InvalidRequest
from api.ids import TITLE_ID_PREFIX, id_of_title, normalised_id, title_key
from api.services.drafts import Draft, draft_of, draft_of_row, row_of
from api.sources.records import PaperRecord, merged
from api.store.paper_rows import load_rows, lock_papers, write_rows


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """What became of records: each one counts once."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: "IngestCounts") -> "IngestCounts":
        return IngestCounts(
            self.inserted + other.inserted, self.updated + other.updated, self.unchanged + other.unchanged
        )

    @property
    def landed(self) -> int:
        """Records that are in the database now."""
        return self.inserted + self.updated + self.unchanged


class _Fate(Enum):
    INSERTED = "inserted"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


def normalise_external_id(text: str) -> str:
    """Return the form under which a paper is stored: no `arXiv:`, address or version; InvalidRequest if it is no id."""
    try:
        return normalised_id(text)
    except ValueError as error:
        raise InvalidRequest(str(error)) from error


def record_papers(
    session: Session, records: Sequence[PaperRecord], *, now: datetime, is_demo: bool = False
) -> IngestCounts:
    """Write one chunk of records and return what became of them.

    A source that lacks a field leaves it as it was. A record without id belongs to the paper of the same title, and a
    paper that had no id takes the first real one that comes with its title. Demonstration papers give way to real ones.
    """
    lock_papers(session)
    named = [_with_normal_id(record) for record in records]
    stored = load_rows(session, external_ids=_ids_to_load(named), title_keys=_titles_to_load(named), is_demo=is_demo)
    chunk = _Chunk(is_demo, map(draft_of_row, stored))
    fates = [chunk.apply(record) for record in named]
    write_rows(session, [row_of(draft, now=now) for draft in chunk.drafts.values() if draft.is_changed])
    return IngestCounts(*(fates.count(fate) for fate in _Fate))


class _Chunk:
    """The papers that one chunk touches, as they are after the records so far."""

    def __init__(self, is_demo: bool, stored: Iterable[Draft]) -> None:
        self.is_demo = is_demo
        self.drafts = {draft.external_id: draft for draft in stored}
        self._of_title: dict[str, str] = {}  # title key -> id of its first paper
        for draft in self.drafts.values():
            if draft.is_demo == is_demo:
                self._of_title.setdefault(draft.title_key, draft.external_id)

    def apply(self, record: PaperRecord) -> _Fate:
        """Fold one record in and return what became of it."""
        key = title_key(record.title)
        if record.external_id is None:
            external_id = self._of_title.get(key, TITLE_ID_PREFIX + key)
        else:
            external_id = record.external_id
            self._give_real_id(record, external_id=external_id)
        old = self.drafts.get(external_id)
        new = self._next(old, record, external_id=external_id)
        self.drafts[external_id] = new
        if new.is_demo == self.is_demo:
            self._of_title.setdefault(new.title_key, external_id)
        if old is None:
            return _Fate.INSERTED
        return _Fate.UNCHANGED if old.content_hash == new.content_hash else _Fate.UPDATED

    def _next(self, old: Draft | None, record: PaperRecord, *, external_id: str) -> Draft:
        if old is None:
            made_up = record.external_id is None
            return draft_of(record, external_id=external_id, id_from_title=made_up, is_demo=self.is_demo, stored=None)
        if self.is_demo and not old.is_demo:
            return old
        content = merged(old.record, record) if old.is_demo == self.is_demo else record
        return draft_of(
            content, external_id=external_id, id_from_title=old.id_from_title, is_demo=self.is_demo, stored=old.stored
        )

    def _give_real_id(self, record: PaperRecord, *, external_id: str) -> None:
        """Let the paper that had to take its id from this title take the real one."""
        made_up = id_of_title(record.title)
        draft = self.drafts.get(made_up)
        if draft is None or not draft.id_from_title or draft.is_demo != self.is_demo or external_id in self.drafts:
            return
        del self.drafts[made_up]
        # The old fingerprint stays, so that the change of the id alone counts as an update.
        content = replace(draft.record, source=record.source)
        self.drafts[external_id] = replace(draft, external_id=external_id, id_from_title=False, record=content)
        self._of_title[draft.title_key] = external_id


def _with_normal_id(record: PaperRecord) -> PaperRecord:
    if record.external_id is None:
        return record
    external_id = normalise_external_id(record.external_id)
    return record if external_id == record.external_id else replace(record, external_id=external_id)


def _ids_to_load(records: Sequence[PaperRecord]) -> set[str]:
    given = {record.external_id for record in records if record.external_id is not None}
    return given | {id_of_title(record.title) for record in records}


def _titles_to_load(records: Sequence[PaperRecord]) -> set[str]:
    return {title_key(record.title) for record in records if record.external_id is None}
