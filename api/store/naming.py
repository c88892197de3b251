"""Papers by who wrote them: the names of some, and the newest papers where no index knows who wrote what."""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import IS_LISTED, Paper


class Named(NamedTuple):
    """Who is behind a paper."""

    paper_id: int
    authors: list[str]
    organizations: list[str]  # short and full name


def load_named(session: Session, paper_ids: Sequence[int]) -> list[Named]:
    """Return the names of those of these papers that are listed, in this order."""
    query = _names().where(Paper.paper_id.in_(paper_ids), IS_LISTED)
    found = {row[0]: _named(row) for row in session.execute(query)}
    return [found[paper_id] for paper_id in paper_ids if paper_id in found]


def load_newest_named(session: Session, *, limit: int) -> list[Named]:
    """Return the names of the newest papers, newest first."""
    query = _names().where(IS_LISTED).order_by(Paper.listed_at.desc(), Paper.paper_id.desc()).limit(limit)
    return [_named(row) for row in session.execute(query)]


def _names() -> sa.Select[int, list[str], dict[str, str] | None]:
    return sa.select(Paper.paper_id, Paper.authors, Paper.organization)


def _named(row: sa.Row[int, list[str], dict[str, str] | None]) -> Named:
    paper_id, authors, organization = row
    names = [] if organization is None else [organization.get("name"), organization.get("fullname")]
    return Named(paper_id, [name for name in authors if isinstance(name, str)], [name for name in names if name])
