"""A planted world in a database, for tests of training."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import sqlalchemy as sa

from api.store.engine import Database
from api.store.tables import Event, Paper, User
from recommender.domain import Interactions, PaperTexts
from tests.planted import Planted

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def load_world(database: Database, world: Planted, *, active_at: datetime | None) -> None:
    """Store the papers, readers and saves of a world; readers were last active at `active_at`."""
    load_papers(database, world.texts)
    load_log(database, world.interactions, active_at=active_at)


def load_papers(database: Database, texts: PaperTexts) -> None:
    """Store papers under the ids they have."""
    rows = zip(texts.paper_ids.tolist(), texts.titles, texts.published_at.tolist(), strict=True)
    papers = [
        {
            "paper_id": paper_id,
            "external_id": f"p{paper_id}",
            "title": title or f"paper {paper_id}",
            "title_key": str(paper_id),
            "published_at": None if np.isnan(published) else datetime.fromtimestamp(published, UTC),
            "source": "test",
            "content_hash": "",
            "created_at": LONG_AGO,
            "updated_at": LONG_AGO,
        }
        for paper_id, title, published in rows
    ]
    with database.write() as session:
        session.execute(sa.insert(Paper), papers)


def load_log(database: Database, log: Interactions, *, active_at: datetime | None) -> None:
    """Store the readers and events of a log."""
    readers = [
        {
            "user_id": user_id,
            "external_id": f"u{user_id}",
            "created_at": LONG_AGO,
            "last_active_at": active_at,
            "last_seq": 1,
            "list_seq": 0,
        }
        for user_id in np.unique(log.user_ids).tolist()
    ]
    with database.write() as session:
        session.execute(sa.insert(User), readers)
        session.execute(sa.insert(Event), list(_events(log)))


def _events(log: Interactions) -> Iterator[dict[str, object]]:
    columns = (log.user_ids, log.paper_ids, log.kinds, log.occurred_at)
    for number, (user_id, paper_id, kind, at) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        yield {
            "user_id": user_id,
            "event_id": f"e{number}",
            "kind": kind,
            "paper_id": paper_id,
            "occurred_at": None if np.isnan(at) else datetime.fromtimestamp(at, UTC),
            "received_at": LONG_AGO,
            "payload_hash": "",
            "is_import": False,
        }
