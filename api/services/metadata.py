"""Which papers a source of citations, references and fields is asked about next."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.ids import is_arxiv_id
from api.sources.records import Json
from api.store.sources import first_paper_since, papers_after

RECENT: Final = timedelta(days=30)  # a paper's first citations come in this time, and so does its entry in an index
RECENT_EVERY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Papers to ask about together, none where their ids are known here alone, and the cursor behind them."""

    ids: tuple[str, ...]
    cursor: Json


def find_batch(session: Session, cursor: Json | None, *, size: int, every: timedelta, now: datetime) -> Batch | None:
    """Return the next papers in the order of their arrival, None when all were asked about lately.

    New papers come next, papers of the last month again each day, and all of them every so often.
    """
    place = _number(cursor, "place")
    all_at, recent_at = _time(cursor, "all_at") or now, _time(cursor, "recent_at") or now
    found = papers_after(session, place, limit=size)
    if not found and place and now - all_at >= every:
        all_at = recent_at = now
        found = papers_after(session, 0, limit=size)
    elif not found and now - recent_at >= RECENT_EVERY:
        recent_at = now
        first = first_paper_since(session, now - RECENT)
        found = [] if first is None else papers_after(session, first - 1, limit=size)
    if not found:
        return None
    ids = tuple(external_id for _, external_id in found if is_arxiv_id(external_id))
    behind: Json = {"place": found[-1][0], "all_at": all_at.isoformat(), "recent_at": recent_at.isoformat()}
    return Batch(ids, behind)


def _number(cursor: Json | None, name: str) -> int:
    value = cursor.get(name) if cursor else None
    return value if isinstance(value, int) else 0


def _time(cursor: Json | None, name: str) -> datetime | None:
    value = cursor.get(name) if cursor else None
    return datetime.fromisoformat(value) if isinstance(value, str) else None
