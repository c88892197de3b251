"""Imported history: many rows in one transaction, beside the running service and without refreshing anybody."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from api.services.event_matching import payload_hash
from api.sources.history import HistoryRow
from api.sources.records import RejectedLine
from api.store import event_import, events, papers, users
from api.store.event_import import ImportRow
from api.store.tables import EPOCH, ONE_MICROSECOND

MOST_KNOWN: Final = 500_000  # readers or papers remembered between chunks: about 60 MB each when full


@dataclass(slots=True)
class KnownIds:
    """What one import has looked up already; it is emptied when it grows too large or turns out to be wrong."""

    users: dict[str, int] = field(default_factory=dict)
    papers: dict[str, int] = field(default_factory=dict)
    active: dict[int, int] = field(default_factory=dict)  # user_id: latest activity written, in microseconds

    def clear(self) -> None:
        """Forget everything."""
        for part in (self.users, self.papers, self.active):
            part.clear()


@dataclass(frozen=True, slots=True)
class HistoryCounts:
    """What became of rows: each counts once, in one of the first three."""

    inserted: int = 0
    duplicates: int = 0
    rejected: tuple[RejectedLine, ...] = ()
    readers_created: int = 0


def record_history(
    session: Session,
    rows: Sequence[HistoryRow],
    *,
    now: datetime,
    known: KnownIds | None = None,
    is_demo: bool = False,
) -> HistoryCounts:
    """Append the new ones of these rows to the log and the library; unknown readers are created, papers are not.

    `known` saves look-ups from chunk to chunk; clear it when a transaction fails.
    """
    ids = known or KnownIds()
    placed, rejected = _with_papers(session, rows, ids)
    if not placed:
        return HistoryCounts(rejected=tuple(rejected))
    created = _find_readers(session, {row.external_user for row, _ in placed}, ids, now=now, is_demo=is_demo)
    now_micro = (now - EPOCH) // ONE_MICROSECOND
    prepared = [_prepared(row, ids.users[row.external_user], paper_id, now_micro) for row, paper_id in placed]
    events.lock_readers(session, {new[0] for new in prepared})
    newest = events.newest_event_pk(session)
    inserted = event_import.append_history(session, prepared)
    if inserted < len(prepared):
        rejected += _conflicts(session, placed, prepared)
    if inserted:
        event_import.project_history(session, after_event_pk=newest)
        _note_activity(session, prepared, ids, now_micro)
    landed = len(rows) - len(rejected)
    return HistoryCounts(inserted, landed - inserted, tuple(rejected), created)


def _with_papers(
    session: Session, rows: Sequence[HistoryRow], ids: KnownIds
) -> tuple[list[tuple[HistoryRow, int]], list[RejectedLine]]:
    if len(ids.papers) > MOST_KNOWN:
        ids.papers.clear()
    if missing := {row.external_paper_id for row in rows} - ids.papers.keys():
        ids.papers.update(papers.paper_ids_of(session, missing))
    placed: list[tuple[HistoryRow, int]] = []
    rejected: list[RejectedLine] = []
    for row in rows:
        paper_id = ids.papers.get(row.external_paper_id)
        if paper_id is None:
            rejected.append(RejectedLine(row.line, "no paper with this id is known here", row.text))
        else:
            placed.append((row, paper_id))
    return placed, rejected


def _find_readers(session: Session, names: set[str], ids: KnownIds, *, now: datetime, is_demo: bool) -> int:
    """Make sure that `ids` has all these readers; return how many were created."""
    if len(ids.users) > MOST_KNOWN:
        ids.users.clear()
        ids.active.clear()
    missing = names - ids.users.keys()
    if not missing:
        return 0
    found, created = users.ensure_users(session, missing, now=now, is_demo=is_demo)
    ids.users.update(found)
    return created


def _prepared(row: HistoryRow, user_id: int, paper_id: int, now_micro: int) -> ImportRow:
    payload = payload_hash(row.kind, paper_id, occurred=row.occurred, position=None, value=row.value, slate=None)
    occurred = None if row.occurred is None else min(row.occurred, now_micro)
    return user_id, row.event_id, row.kind, paper_id, occurred, now_micro, row.value, payload


def _conflicts(
    session: Session, placed: Sequence[tuple[HistoryRow, int]], prepared: Sequence[ImportRow]
) -> list[RejectedLine]:
    """Rows whose id, which their source chose, belongs to another event; derived ids cannot."""
    named = [(row, new) for (row, _), new in zip(placed, prepared, strict=True) if row.has_own_id]
    stored = events.payload_hashes(session, {(new[0], new[1]) for _, new in named}) if named else {}
    return [
        RejectedLine(row.line, "another event was stored under this id", row.text)
        for row, new in named
        if stored[new[0], new[1]] != new[7]
    ]


def _note_activity(session: Session, prepared: Sequence[ImportRow], ids: KnownIds, now_micro: int) -> None:
    latest: dict[int, int] = {}
    for user_id, _, _, _, occurred, *_ in prepared:
        time = now_micro if occurred is None else occurred
        if time > ids.active.get(user_id, 0):
            latest[user_id] = ids.active[user_id] = time
    if latest:
        event_import.raise_last_active(session, latest)
