"""Papers in SQL: look-ups by external id, the newest, and the texts that models read."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.ids import TITLE_ID_PREFIX
from api.store.tables import IS_LISTED, Paper, PaperCategory
from recommender.domain import PaperTexts

IDS_PER_QUERY: Final = 5_000  # well under SQLite's 32,766 parameters
ROWS_PER_FETCH: Final = 2_000
DOI_START: Final = "10."

Part = TypeVar("Part", int, str)

Place: TypeAlias = tuple[int, datetime]  # (paper_id, listed_at): a paper's place in "latest"


def paper_ids_of(session: Session, external_ids: Collection[str]) -> dict[str, int]:
    """Return the internal ids of those external ids that exist; the caller has normalised them.

    An id that was made from a title, or a DOI, is found also after its paper took another id. Papers that their source
    removed are found, too: events refer to them.
    """
    found: dict[str, int] = {}
    for part in _parts(list(dict.fromkeys(external_ids))):
        rows = session.execute(sa.select(Paper.external_id, Paper.paper_id).where(Paper.external_id.in_(part)))
        found.update((row.external_id, row.paper_id) for row in rows)
    lost = [name for name in external_ids if name.startswith(TITLE_ID_PREFIX) and name not in found]
    for part in _parts([name.removeprefix(TITLE_ID_PREFIX) for name in lost]):
        query = sa.select(Paper.title_key, sa.func.min(Paper.paper_id)).where(Paper.title_key.in_(part))
        found.update(
            (TITLE_ID_PREFIX + key, paper_id) for key, paper_id in session.execute(query.group_by(Paper.title_key))
        )
    found.update(_by_doi(session, [name for name in external_ids if name.startswith(DOI_START) and name not in found]))
    return found


def _by_doi(session: Session, names: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in _parts([name.lower() for name in names]):
        query = sa.select(Paper.doi, sa.func.min(Paper.paper_id)).where(Paper.doi.in_(part)).group_by(Paper.doi)
        found.update((doi, paper_id) for doi, paper_id in session.execute(query) if doi is not None)
    return {name: found[name.lower()] for name in names if name.lower() in found}


def load_papers(session: Session, paper_ids: Collection[int]) -> dict[int, Paper]:
    """Return the papers that exist among `paper_ids`, by id; what its source removed does not."""
    found: dict[int, Paper] = {}
    for part in _parts(list(paper_ids)):
        query = sa.select(Paper).where(Paper.paper_id.in_(part), Paper.deleted_at.is_(None))
        found.update((paper.paper_id, paper) for paper in session.scalars(query))
    return found


def is_removed(session: Session, paper_id: int) -> bool:
    """True for a paper that its source removed."""
    query = sa.select(Paper.paper_id).where(Paper.paper_id == paper_id, Paper.deleted_at.is_not(None))
    return session.scalar(query) is not None


def latest_paper_ids(
    session: Session,
    *,
    categories: Sequence[str] = (),
    since: datetime | None = None,
    before: Place | None = None,
    limit: int,
) -> list[Place]:
    """Return the newest listed papers with their `listed_at`, newest first, of these categories if any.

    The order is (listed_at, paper_id): the day of the daily list, else of publication, else of arrival. `before` is the
    last place of the page before.
    """
    if not categories:
        return _newest(session, Paper.listed_at, Paper.paper_id, IS_LISTED, since=since, before=before, limit=limit)
    places: set[Place] = set()
    for (
        category
    ) in categories:  # each one is a walk along its index, so the union of their heads is the head of the union
        chosen = PaperCategory.category == category
        at, paper_id = PaperCategory.listed_at, PaperCategory.paper_id
        places.update(_newest(session, at, paper_id, chosen, since=since, before=before, limit=limit))
    return sorted(places, key=lambda place: (place[1], place[0]), reverse=True)[:limit]


def load_texts(session: Session, *, after_paper_id: int = 0, most: int | None = None) -> PaperTexts:
    """Return the texts of listed papers with a higher id, in the order of ids; paper_ids (papers,) int64."""
    query = sa.select(Paper.paper_id, Paper.title, Paper.summary, Paper.keywords, Paper.published_at)
    query = query.where(Paper.paper_id > after_paper_id, IS_LISTED).order_by(Paper.paper_id).limit(most)
    paper_ids: list[int] = []
    titles: list[str] = []
    summaries: list[str] = []
    keywords: list[str] = []
    published: list[float] = []
    for row in session.execute(query.execution_options(yield_per=ROWS_PER_FETCH)):
        paper_ids.append(row.paper_id)
        titles.append(row.title)
        summaries.append(row.summary)
        keywords.append(" ".join(row.keywords))
        published.append(row.published_at.timestamp() if row.published_at else np.nan)
    ids = np.array(paper_ids, dtype=np.int64)
    return PaperTexts(ids, titles, summaries, keywords, np.array(published, dtype=np.float64))


def count_in_category(session: Session, category: str, *, most: int) -> int:
    """Return how many papers have a category, counted up to `most`: a walk along its index."""
    some = sa.select(PaperCategory.paper_id).where(PaperCategory.category == category).limit(most).subquery()
    return session.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()


def categories_of(session: Session, paper_ids: Collection[int]) -> dict[int, list[str]]:
    """Return the categories of each paper that exists, primary first."""
    found: dict[int, list[str]] = {}
    for part in _parts(list(paper_ids)):
        rows = session.execute(sa.select(Paper.paper_id, Paper.categories).where(Paper.paper_id.in_(part)))
        found.update((row.paper_id, row.categories) for row in rows)
    return found


def count_papers(session: Session) -> int:
    """Return how many papers there are; it counts them all."""
    return session.scalar(sa.select(sa.func.count()).select_from(Paper)) or 0


def has_papers(session: Session) -> bool:
    """True if at least one paper can be listed."""
    return session.scalar(sa.select(Paper.paper_id).where(IS_LISTED).limit(1)) is not None


def newest_paper_id(session: Session) -> int:
    """Return the highest id given so far to a paper that exists, 0 without papers."""
    return session.scalar(sa.select(sa.func.max(Paper.paper_id))) or 0


def read_created_at(session: Session, paper_id: int) -> datetime | None:
    """Return when a paper came, None for one that is gone."""
    return session.scalar(sa.select(Paper.created_at).where(Paper.paper_id == paper_id))


def _newest(
    session: Session,
    at: InstrumentedAttribute[datetime],
    paper_id: InstrumentedAttribute[int],
    *conditions: sa.ColumnElement[bool] | sa.TextClause,
    since: datetime | None,
    before: Place | None,
    limit: int,
) -> list[Place]:
    query = sa.select(paper_id, at).where(*conditions).order_by(at.desc(), paper_id.desc()).limit(limit)
    if since is not None:
        query = query.where(at >= since)
    if before is not None:
        place = sa.tuple_(sa.literal(before[1], at.type), sa.literal(before[0], paper_id.type))
        query = query.where(sa.tuple_(at, paper_id) < place)
    return [(row[0], row[1]) for row in session.execute(query)]


def _parts(values: list[Part]) -> Iterator[list[Part]]:
    for start in range(0, len(values), IDS_PER_QUERY):
        yield values[start : start + IDS_PER_QUERY]
