"""A plain search of titles in SQL, for as long as there is no index."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.search_query import Filters
from api.store.tables import Paper, PaperCategory

MOST_WORDS: Final = 8
_ESCAPE: Final = "\\"


def plain_search(session: Session, words: Sequence[str], filters: Filters, *, limit: int) -> list[int]:
    """Return papers whose titles have all these words, in any case and as part of others too, the newest first.

    It reads titles in the order of "latest" until enough are found: rare words make it read all of them.
    """
    query = sa.select(Paper.paper_id).where(Paper.deleted_at.is_(None))
    for word in words[:MOST_WORDS]:
        query = query.where(Paper.title.icontains(word, autoescape=True, escape=_ESCAPE))
    for condition in _conditions(filters):
        query = query.where(condition)
    return list(session.scalars(query.order_by(Paper.listed_at.desc(), Paper.paper_id.desc()).limit(limit)))


def _conditions(filters: Filters) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if filters.listed_from is not None:
        found.append(Paper.listed_at >= filters.listed_from)
    if filters.listed_before is not None:
        found.append(Paper.listed_at < filters.listed_before)
    if filters.categories:
        chosen = sa.select(PaperCategory.paper_id).where(PaperCategory.category.in_(filters.categories))
        found.append(Paper.paper_id.in_(chosen))
    if filters.organizations:
        names = [name.strip().lower() for name in filters.organizations]
        keys = [sa.func.lower(Paper.organization[key].as_string()) for key in ("name", "fullname")]
        found.append(sa.or_(*(key.in_(names) for key in keys)))
    if filters.with_code is not None:
        has_code = sa.func.coalesce(Paper.github_repo, "") != ""
        found.append(has_code if filters.with_code else ~has_code)
    if filters.paper_ids is not None:
        found.append(Paper.paper_id.in_(filters.paper_ids))
    if filters.without_withdrawn:
        found.append(Paper.withdrawn_at.is_(None))
    return found
