"""Which source is believed about which field, and the best that two records of one paper say together."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, time
from typing import Final

from api.sources.records import PaperRecord

# Most trusted first. A file given by hand is an operator's word; sources that are not named come last.
_TEXT: Final = ("file", "arxiv", "semanticscholar", "openalex", "huggingface")
_DAILY: Final = ("file", "huggingface", "semanticscholar", "openalex", "arxiv")
_GRAPH: Final = ("file", "semanticscholar", "openalex", "arxiv", "huggingface")

DELETED: Final = "deleted_at"  # the name under which provenance keeps who said that a paper is gone

TRUST: Final[Mapping[str, tuple[str, ...]]] = {
    "title": _TEXT,
    "summary": _TEXT,
    "authors": _TEXT,
    "num_authors": _TEXT,
    "categories": _TEXT,
    "published_at": _TEXT,
    "version": _TEXT,
    "revised_at": _TEXT,
    "is_withdrawn": _TEXT,
    "doi": _TEXT,
    "journal_ref": _TEXT,
    DELETED: _TEXT,
    "keywords": _DAILY,
    "organization": _DAILY,
    "daily_at": _DAILY,
    "submitted_by": _DAILY,
    "upvotes": _DAILY,
    "num_comments": _DAILY,
    "project_page": _DAILY,
    "github_repo": _DAILY,
    "github_stars": _DAILY,
    "thumbnail": _DAILY,
    "ai_summary": _DAILY,
    "citations": _GRAPH,
    "references": _GRAPH,
    "fields": _GRAPH,
}

_FIELDS: Final = tuple(field.name for field in fields(PaperRecord) if field.name not in {"external_id", "source"})
# What a version of a text is made of: an older version never replaces a newer one's.
_OF_VERSION: Final = frozenset(
    {"title", "summary", "authors", "num_authors", "categories", "version", "revised_at", "is_withdrawn"}
)
# Columns that hold 0 where nobody said anything.
_ZERO_IS_SILENCE: Final = frozenset({"upvotes", "num_comments"})


@dataclass(frozen=True, slots=True)
class Known:
    """A paper as it is known, and who said so: `givers` names the sources of fields other than the record's own."""

    record: PaperRecord
    givers: Mapping[str, str]

    def giver(self, name: str) -> str:
        """Return the source of a field."""
        return self.givers.get(name, self.record.source)

    @property
    def named(self) -> tuple[str, ...]:
        """The fields that somebody said something about."""
        return tuple(name for name in _FIELDS if not _was_silent(name, getattr(self.record, name)))


def is_trusted(source: str, *, over: str, name: str) -> bool:
    """True if `source` may replace what `over` said about the field `name`."""
    return _rank(name, source) <= _rank(name, over)


def best_of(old: Known, new: PaperRecord) -> Known:
    """Return what `old` and `new` say together; what `new` lacks stays, and so do the id and the source."""
    is_older = _is_older(old.record, new)
    values: dict[str, object] = {"external_id": old.record.external_id, "source": old.record.source}
    givers = dict(old.givers)
    for name in _FIELDS:
        before, value = getattr(old.record, name), getattr(new, name)
        if _is_silent(value) or not _may_replace(old, new, name=name, is_older=is_older):
            values[name] = before
            continue
        values[name] = _finer(before, value) if isinstance(value, datetime) else value
        if new.source == old.record.source:
            givers.pop(name, None)
        else:
            givers[name] = new.source
    is_later_text = new.version is None and _is_later(old.record, new)
    if is_later_text and _may_replace(old, new, name="version", is_older=False):
        values["version"] = None  # nobody said which one it is
        givers.pop("version", None)
    return Known(PaperRecord(**values), givers)  # type: ignore[arg-type]  # each value comes from the same field


def _may_replace(old: Known, new: PaperRecord, *, name: str, is_older: bool) -> bool:
    before = getattr(old.record, name)
    if _was_silent(name, before):
        return True
    if is_older and name in _OF_VERSION:
        return False
    return is_trusted(new.source, over=old.giver(name), name=name)


def _is_older(old: PaperRecord, new: PaperRecord) -> bool:
    if old.version is not None and new.version is not None:
        return new.version < old.version
    if old.revised_at is not None and new.revised_at is not None:
        return new.revised_at.date() < old.revised_at.date()  # some sources give only the day
    return False


def _is_later(old: PaperRecord, new: PaperRecord) -> bool:
    if old.revised_at is None or new.revised_at is None:
        return False
    return new.revised_at.date() > old.revised_at.date()


def _finer(before: datetime | None, value: datetime) -> datetime:
    """Return the one of two times of a day that is more than the day."""
    is_only_day = before is not None and before.date() == value.date() and value.time() == time()
    return before if before is not None and is_only_day else value


def _is_silent(value: object) -> bool:
    return value is None or value in ("", ())


def _was_silent(name: str, value: object) -> bool:
    return _is_silent(value) or (name in _ZERO_IS_SILENCE and value == 0)


def _rank(name: str, source: str) -> int:
    trusted = TRUST[name]
    return trusted.index(source) if source in trusted else len(trusted)
