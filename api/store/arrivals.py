"""Which wanted papers are here: what to look at among papers and wants, and what matches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from api.store.tables import Paper
from api.store.tables_shelf import WantedPaper

# PostgreSQL reads the whole table of papers, by its guess the cheaper way, when it is asked about thousands at once.
WANTS_PER_QUERY: Final = 500

Reach: TypeAlias = tuple[datetime, datetime]  # written after the first and until the second


@dataclass(frozen=True, slots=True)
class Arrival:
    """A want whose paper is here."""

    want_id: int
    user_id: int
    paper_id: int
    external_id: str
    reference: dict[str, Any]


def oldest_want_at(session: Session) -> datetime | None:
    """Return since when somebody waits for a paper, None when nobody does."""
    return session.scalar(sa.select(sa.func.min(WantedPaper.wanted_at)))


def is_paper_written_after(session: Session, after: datetime) -> bool:
    """True when a paper came or changed after that time."""
    return _is_any_after(session, Paper.updated_at, after)


def is_want_made_after(session: Session, after: datetime) -> bool:
    """True when somebody wants a paper since a time after that."""
    return _is_any_after(session, WantedPaper.wanted_at, after)


def reach_of_papers(session: Session, after: datetime, *, limit: int) -> Reach:
    """Return the times in which the next `limit` papers were written; both the same when there are none.

    More than `limit` only where many were written at once.
    """
    return _reach(session, Paper.updated_at, after, limit=limit)


def reach_of_wants(session: Session, after: datetime, *, limit: int) -> Reach:
    """Return the times since which the next `limit` wants are waited for, as for papers."""
    return _reach(session, WantedPaper.wanted_at, after, limit=limit)


def wants_like_papers(session: Session, reach: Reach) -> set[int]:
    """Return the wants that share an id, a DOI or a title with a paper written then, be it removed since."""
    after, until = reach
    found: set[int] = set()
    for same in (
        WantedPaper.external_id == Paper.external_id,
        WantedPaper.doi == Paper.doi,
        WantedPaper.title_key == Paper.title_key,
    ):
        query = sa.select(WantedPaper.want_id).select_from(Paper).join(WantedPaper, same)
        found.update(session.scalars(query.where(Paper.updated_at > after, Paper.updated_at <= until)))
    return found


def wants_made(session: Session, reach: Reach) -> set[int]:
    """Return what is waited for since then."""
    after, until = reach
    query = sa.select(WantedPaper.want_id).where(WantedPaper.wanted_at > after, WantedPaper.wanted_at <= until)
    return set(session.scalars(query))


def next_wants(session: Session, want_id: int, *, limit: int) -> list[int]:
    """Return the wants behind this one, in the order of their numbers."""
    query = sa.select(WantedPaper.want_id).where(WantedPaper.want_id > want_id)
    return list(session.scalars(query.order_by(WantedPaper.want_id).limit(limit)))


def find_arrivals(session: Session, want_ids: Sequence[int], *, limit: int) -> list[Arrival]:
    """Return those of these wants whose paper is here: by its id, else its DOI, else a title that one paper alone has.

    No more than `limit`, those that come first.
    """
    found: list[Arrival] = []
    for start in range(0, len(want_ids), WANTS_PER_QUERY):
        found += _arrived(session, want_ids[start : start + WANTS_PER_QUERY])
        if len(found) >= limit:
            break
    return found[:limit]


def _arrived(session: Session, want_ids: Sequence[int]) -> list[Arrival]:
    found: dict[int, Arrival] = {}
    for query in _MATCHES:
        rows = session.execute(query.where(WantedPaper.want_id.in_(want_ids)).order_by(WantedPaper.want_id))
        for row in rows:
            found.setdefault(row[0], Arrival(*row))
    return list(found.values())


def _is_any_after(session: Session, at: InstrumentedAttribute[datetime], after: datetime) -> bool:
    return session.scalar(sa.select(at).where(at > after).limit(1)) is not None


def _reach(session: Session, at: InstrumentedAttribute[datetime], after: datetime, *, limit: int) -> Reach:
    ordered = sa.select(at).where(at > after).order_by(at)
    until = session.scalar(ordered.offset(limit - 1).limit(1))
    if until is None:
        until = session.scalar(sa.select(sa.func.max(at)).where(at > after))
    return after, until or after


def _matches() -> "tuple[sa.Select[*tuple[Any, ...]], ...]":
    by_id = Paper.external_id == WantedPaper.external_id
    by_doi = Paper.doi == WantedPaper.doi
    by_title = Paper.title_key == WantedPaper.title_key
    other = aliased(Paper)
    is_alone = ~sa.exists().where(
        other.title_key == WantedPaper.title_key, other.paper_id != Paper.paper_id, other.deleted_at.is_(None)
    )
    agrees = sa.or_(WantedPaper.doi.is_(None), Paper.doi.is_(None)) & sa.or_(
        WantedPaper.external_id.is_(None), Paper.id_from_title
    )
    columns = (WantedPaper.want_id, WantedPaper.user_id, Paper.paper_id, Paper.external_id, WantedPaper.reference)
    here = Paper.deleted_at.is_(None)
    return (
        sa.select(*columns).join(Paper, by_id & here),
        sa.select(*columns).join(Paper, by_doi & here),
        sa.select(*columns).join(Paper, by_title & here & agrees).where(is_alone),
    )


_MATCHES: Final = _matches()
