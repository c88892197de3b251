"""Mails and digests as they are stored, and papers that came lately, for tests of both."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from api.services.trending import forget_boards
from api.store.engine import Database
from api.store.tables import Paper, PaperCategory
from api.store.tables_mails import Digest, QueuedMail

NEW_PAPERS = 60


def freshen(database: Database, *, now: datetime, count: int = NEW_PAPERS) -> list[int]:
    """Let some papers of all topics have come within the last day, and return which."""
    with database.write() as session:
        paper_ids = list(session.scalars(sa.select(Paper.paper_id).order_by(Paper.paper_id)))[-count:]
        for at, paper_id in enumerate(paper_ids):
            listed_at = now - timedelta(minutes=10 * at + 5)
            times = {"daily_at": listed_at, "created_at": listed_at, "listed_at": listed_at}
            session.execute(sa.update(Paper).where(Paper.paper_id == paper_id).values(times))
            session.execute(
                sa.update(PaperCategory).where(PaperCategory.paper_id == paper_id).values(listed_at=listed_at)
            )
    forget_boards()
    return paper_ids


def mails_in(database: Database) -> list[QueuedMail]:
    """Return the mails that were written, oldest first."""
    with database.read() as session:
        return list(session.scalars(sa.select(QueuedMail).order_by(QueuedMail.mail_id)))


def digest_in(database: Database) -> Digest:
    """Return the only digest there is."""
    with database.read() as session:
        return session.scalars(sa.select(Digest)).one()
