"""What readers were shown: too often without a click, and last; of several readers in as many statements as of one."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import EPOCH, ONE_MICROSECOND, Event
from recommender.domain import EventKind, Interactions

MICROSECONDS: Final = 1e6
# Of one reader, the newest: what a list costs to build stays bounded, and nobody looks at this many papers in a month.
MOST_SHOWINGS: Final = 10_000
START_OF_TIME: Final = float("-inf")  # where an event of unknown time stands

# Written out, one part for each reader (#: which): the index on a reader's times ends each part where its limit is
# reached, and no statement is put together anew. An impression is of kind 0.
_NEWEST: Final = """
  SELECT paper_id, kind, occurred_at FROM events WHERE user_id = :reader# AND occurred_at >= :since
  ORDER BY occurred_at DESC, event_pk DESC LIMIT :most
"""
_OFTEN: Final = f"""
  SELECT # AS place, paper_id, max(occurred_at) AS last FROM ({_NEWEST}) AS newest# WHERE kind = 0
  GROUP BY paper_id HAVING count(*) >= :least
"""  # noqa: S608 - our own text
_TIMES: Final = f"SELECT # AS place, paper_id, occurred_at FROM ({_NEWEST}) AS newest# WHERE kind = 0 AND paper_id "  # noqa: S608 - our own text
_AMONG: Final = {"sqlite": "IN (SELECT value FROM json_each(:papers#))", "postgresql": "= ANY(:papers#)"}


def load_shown_often(
    session: Session, user_ids: Sequence[int], *, acts: Interactions, since: datetime, least: int
) -> dict[int, dict[int, datetime]]:
    """Return the papers shown to each reader at least so many times since, and when they were last shown.

    Only what was shown after the reader's last event on a paper counts; `acts` are these readers' events. Of all that
    was shown, the newest `MOST_SHOWINGS` are looked at. One statement, a second one where `acts` meets its answer.
    """
    parameters = _parameters(user_ids, since) | {"least": least}
    found: dict[int, dict[int, int]] = {user_id: {} for user_id in user_ids}
    for at, paper_id, last in session.connection().execute(_united(_OFTEN, len(user_ids)), parameters).all():
        found[user_ids[at]][paper_id] = last
    touched = {
        user_id: {paper_id: at for paper_id, at in last_acts(acts, user_id).items() if paper_id in papers}
        for user_id, papers in found.items()
        if papers
    }
    again = _count_after(session, {user_id: papers for user_id, papers in touched.items() if papers}, since=since)
    return {
        user_id: {
            paper_id: EPOCH + last * ONE_MICROSECOND
            for paper_id, last in papers.items()
            if paper_id not in touched[user_id] or again[user_id][paper_id] >= least
        }
        for user_id, papers in found.items()
    }


def load_latest_shown(session: Session, user_ids: Collection[int]) -> Interactions:
    """Return the latest impression of each paper by each reader; for weights that count impressions."""
    times = sa.type_coerce(Event.occurred_at, sa.BigInteger)
    # One of unknown time does not age: it stands for all of its paper.
    latest = sa.case((sa.func.count() > sa.func.count(times), None), else_=sa.func.max(times))
    query = sa.select(Event.user_id, Event.paper_id, latest).where(
        Event.user_id.in_(user_ids), Event.kind == int(EventKind.IMPRESSION)
    )
    rows = [(reader, paper, at) for reader, paper, at in session.execute(query.group_by(Event.user_id, Event.paper_id))]
    return Interactions(
        np.array([reader for reader, _, _ in rows], dtype=np.int64),
        np.array([paper_id for _, paper_id, _ in rows], dtype=np.int64),
        np.full(len(rows), EventKind.IMPRESSION, dtype=np.uint8),
        np.array([at for _, _, at in rows], dtype=np.float64) / MICROSECONDS,
        np.full(len(rows), np.nan, dtype=np.float32),
    )


def last_acts(acts: Interactions, user_id: int) -> dict[int, float]:
    """Return the time (epoch seconds) of the reader's last event on each paper that has any."""
    own = acts.select(acts.user_ids == user_id)
    times = np.nan_to_num(own.occurred_at, nan=START_OF_TIME)
    papers, where = np.unique(own.paper_ids, return_inverse=True)
    last = np.full(len(papers), START_OF_TIME)
    np.maximum.at(last, where, times)
    return dict(zip(papers.tolist(), last.tolist(), strict=True))


def _count_after(
    session: Session, acts: Mapping[int, Mapping[int, float]], *, since: datetime
) -> dict[int, dict[int, int]]:
    """How often each of these papers was shown to a reader after the act on it."""
    counts = {user_id: dict.fromkeys(papers, 0) for user_id, papers in acts.items()}
    if not acts:
        return counts
    user_ids, connection = list(acts), session.connection()
    name = connection.dialect.name
    parameters = _parameters(user_ids, since)
    for at, user_id in enumerate(user_ids):
        papers = list(acts[user_id])
        parameters[f"papers{at}"] = json.dumps(papers) if name == "sqlite" else papers
    for at, paper_id, occurred in connection.execute(_united(_TIMES + _AMONG[name], len(user_ids)), parameters):
        user_id = user_ids[at]
        counts[user_id][paper_id] += occurred / MICROSECONDS > acts[user_id][paper_id]
    return counts


def _parameters(user_ids: Sequence[int], since: datetime) -> dict[str, Any]:
    readers = {f"reader{at}": user_id for at, user_id in enumerate(user_ids)}
    return readers | {"since": (since - EPOCH) // ONE_MICROSECOND, "most": MOST_SHOWINGS}


@lru_cache(maxsize=256)
def _united(part: str, count: int) -> sa.TextClause:
    parts = (f"SELECT * FROM ({part}) AS part#".replace("#", str(at)) for at in range(count))  # noqa: S608 - our own text
    return sa.text(" UNION ALL ".join(parts))
