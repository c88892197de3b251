"""Which papers changed or went away: what caches of papers ask."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import Paper

MOST_CHANGES: Final = 10_000  # more than that and everything cached counts as changed


def changed_paper_ids(session: Session, *, since: datetime, among: Sequence[int]) -> list[int]:
    """Return those of `among` (ascending) that may have been written since; after a flood of writes all of them."""
    query = sa.select(Paper.paper_id).where(Paper.updated_at >= since).limit(MOST_CHANGES)
    changed = set(session.scalars(query))
    if len(changed) == MOST_CHANGES:
        return list(among)
    return [paper_id for paper_id in among if paper_id in changed]


def existing_paper_ids(session: Session, paper_ids: Collection[int]) -> set[int]:
    """Return those of `paper_ids` that exist."""
    if not paper_ids:
        return set()
    return set(session.scalars(sa.select(Paper.paper_id).where(Paper.paper_id.in_(paper_ids))))


def listed_at_of(session: Session, paper_ids: Collection[int]) -> dict[int, datetime]:
    """Return when each paper that exists was listed."""
    if not paper_ids:
        return {}
    rows = session.execute(sa.select(Paper.paper_id, Paper.listed_at).where(Paper.paper_id.in_(paper_ids)))
    return {row.paper_id: row.listed_at for row in rows}
