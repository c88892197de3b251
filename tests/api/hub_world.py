"""Papers of a few daily lists, for tests of the papers API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from api.store.engine import Database
from api.store.tables import Event, Paper, User
from recommender.domain import EventKind

MONDAY = datetime(2025, 12, 8, 0, 30, tzinfo=UTC)  # of the 50th ISO week
LAST_WEEK = datetime(2025, 12, 7, 23, 59, 59, 999_999, tzinfo=UTC)


def daily_row(number: int, daily_at: datetime | None, **fields: object) -> dict[str, Any]:
    """Return the row of a paper, with whatever is to be otherwise."""
    published_at = (daily_at or MONDAY) - timedelta(days=2)
    row: dict[str, Any] = {
        "paper_id": number,
        "external_id": f"2512.{number:05d}",
        "title": f"Ladders of kind {number}",
        "title_key": str(number),
        "summary": f"What paper {number} says.",
        "authors": ["Ada Lovelace", "Alan Turing"],
        "categories": ["cs.LG"],
        "keywords": ["ladders"],
        "published_at": published_at,
        "daily_at": daily_at,
        "listed_at": daily_at or published_at,
        "submitted_by": None if daily_at is None else "grace",
        "upvotes": number,
        "num_comments": 2,
        "source": "huggingface",
        "content_hash": "",
        "created_at": MONDAY,
        "updated_at": MONDAY,
    }
    return row | fields


def insert_papers(database: Database, *rows: dict[str, Any]) -> None:
    """Store papers."""
    with database.write() as session:
        for row in rows:  # each with columns of its own
            session.connection().execute(sa.insert(Paper), [row])


def insert_readers(database: Database, *user_ids: int) -> None:
    """Store readers."""
    rows = [{"user_id": user_id, "external_id": f"u{user_id}", "created_at": MONDAY} for user_id in user_ids]
    with database.write() as session:
        session.connection().execute(sa.insert(User), rows)


def vote(
    database: Database, user_id: int, paper_id: int, kind: EventKind, *, at: datetime | None, number: int = 0
) -> None:
    """Store a vote, or one taken back."""
    row = {
        "user_id": user_id,
        "event_id": f"{kind}-{paper_id}-{number}",
        "kind": int(kind),
        "paper_id": paper_id,
        "occurred_at": at,
        "received_at": MONDAY,
        "payload_hash": "",
    }
    with database.write() as session:
        session.connection().execute(sa.insert(Event), [row])
