"""Papers by what bibliographies call them: ids, DOIs, titles."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.store.tables import Paper

NAMES_PER_QUERY: Final = 5_000


@dataclass(frozen=True, slots=True)
class KnownPaper:
    """What tells a paper from others."""

    paper_id: int
    external_id: str
    doi: str | None
    title_key: str
    id_from_title: bool


def papers_by_id(session: Session, external_ids: Collection[str]) -> dict[str, KnownPaper]:
    """Return the papers that have these ids; none that their source removed."""
    return {one.external_id: one for one in _load(session, Paper.external_id, external_ids)}


def papers_by_doi(session: Session, dois: Collection[str]) -> dict[str, KnownPaper]:
    """Return the first paper of each of these DOIs."""
    found: dict[str, KnownPaper] = {}
    for one in _load(session, Paper.doi, dois):
        found.setdefault(one.doi or "", one)
    return found


def papers_by_title(session: Session, title_keys: Collection[str]) -> dict[str, list[KnownPaper]]:
    """Return the papers of each of these titles."""
    found: dict[str, list[KnownPaper]] = defaultdict(list)
    for one in _load(session, Paper.title_key, title_keys):
        found[one.title_key].append(one)
    return found


def _load(session: Session, column: InstrumentedAttribute[Any], names: Collection[str]) -> Iterator[KnownPaper]:
    columns = (Paper.paper_id, Paper.external_id, Paper.doi, Paper.title_key, Paper.id_from_title)
    wanted = sorted(set(names))
    for start in range(0, len(wanted), NAMES_PER_QUERY):
        part = wanted[start : start + NAMES_PER_QUERY]
        query = sa.select(*columns).where(column.in_(part), Paper.deleted_at.is_(None)).order_by(Paper.paper_id)
        for row in session.execute(query):
            yield KnownPaper(*row)
