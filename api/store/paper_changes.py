"""Which papers changed or went away: what caches of papers ask."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import Paper

_EXISTING: Final = sa.text("SELECT paper_id FROM papers WHERE paper_id = ANY(:ids)")
_EXISTING_ON_SQLITE: Final = sa.text(
    "SELECT paper_id FROM papers WHERE paper_id IN (SELECT value FROM json_each(:ids))"
)
_UNLISTED: Final = sa.text(
    "SELECT DISTINCT paper_id FROM unnest(:ids) AS named (paper_id) "
    "WHERE NOT EXISTS (SELECT 1 FROM papers WHERE papers.paper_id = named.paper_id) OR EXISTS (SELECT 1 FROM papers "
    "WHERE papers.paper_id = named.paper_id AND (deleted_at IS NOT NULL OR withdrawn_at IS NOT NULL))"
)
_UNLISTED_ON_SQLITE: Final = sa.text(
    "SELECT DISTINCT value FROM json_each(:ids) WHERE value NOT IN (SELECT paper_id FROM papers) "
    # Without a word SQLite would look into each paper's row instead of into an index that is next to empty.
    "OR EXISTS (SELECT 1 FROM papers INDEXED BY ix_papers_unlisted WHERE paper_id = value AND "
    "(deleted_at IS NOT NULL OR withdrawn_at IS NOT NULL))"
)
COUNTED_BELOW: Final = 200  # ids below the newest one among which a late commit may still appear
MOST_CHANGES: Final = 10_000  # more than that and everything cached counts as changed


def changed_paper_ids(session: Session, *, since: datetime, among: Sequence[int]) -> list[int]:
    """Return those of `among` (ascending) that may have been written since; after a flood of writes all of them."""
    query = sa.select(Paper.paper_id).where(Paper.updated_at >= since).limit(MOST_CHANGES)
    changed = set(session.scalars(query))
    if len(changed) == MOST_CHANGES:
        return list(among)
    return [paper_id for paper_id in among if paper_id in changed]


def newest_papers_mark(session: Session) -> str:
    """Return a text that changes when papers come, also below the newest id: writers commit out of their order."""
    newest = sa.select(sa.func.max(Paper.paper_id)).scalar_subquery()
    query = sa.select(sa.func.max(Paper.paper_id), sa.func.count()).where(Paper.paper_id > newest - COUNTED_BELOW)
    paper_id, count = session.execute(query).one()
    return "" if paper_id is None else f"{paper_id}:{count}"


def existing_paper_ids(session: Session, paper_ids: Collection[int]) -> set[int]:
    """Return those of `paper_ids` that exist; for hundreds of them, with every list that is built: one parameter."""
    if not paper_ids:
        return set()
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        rows = connection.execute(_EXISTING_ON_SQLITE, {"ids": json.dumps(list(paper_ids))})
    else:
        rows = connection.execute(_EXISTING, {"ids": list(paper_ids)})
    return {paper_id for (paper_id,) in rows}


def unlisted_paper_ids(session: Session, paper_ids: Sequence[int]) -> set[int]:
    """Return those of `paper_ids` that do not exist, were removed by their source or withdrawn by their authors.

    Mostly none of thousands, so next to nothing is read.
    """
    if not paper_ids:
        return set()
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        rows = connection.execute(_UNLISTED_ON_SQLITE, {"ids": json.dumps(paper_ids)})
    else:
        rows = connection.execute(_UNLISTED, {"ids": paper_ids})
    return {paper_id for (paper_id,) in rows}


def listed_at_of(session: Session, paper_ids: Collection[int]) -> dict[int, datetime]:
    """Return when each paper that exists was listed."""
    if not paper_ids:
        return {}
    rows = session.execute(sa.select(Paper.paper_id, Paper.listed_at).where(Paper.paper_id.in_(paper_ids)))
    return {row.paper_id: row.listed_at for row in rows}
