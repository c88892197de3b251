"""Mails in the table, for tests of what becomes of them."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from api.services import outbox
from api.services.digest_times import DAILY, Schedule
from api.services.digests import ask_for_reader
from api.services.mailing import Mail, queue_mail
from api.store.engine import Database
from api.store.tables_mails import QueuedMail
from tests.api.feed_world import add_reader

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SENDER = "papers@papers.test"
MAIL = Mail("ada@example.org", "A subject – with a dash", "Hello,\nmath: α ≤ β\n.\nthe end\n", "<p>Hello, α</p>")


def put(database: Database, *, key: str = "k1", mail: Mail = MAIL, at: datetime | None = None) -> bool:
    with database.write() as session:
        return queue_mail(session, mail, key=key, now=at or datetime.now(UTC))


def hurry(database: Database) -> None:
    """Let the time pass that a mail or the server rests."""
    with database.write() as session:
        session.execute(sa.update(QueuedMail).values(due_at=datetime.now(UTC) - timedelta(seconds=1)))
        outbox.note_server_back(session)


def subscribe(database: Database) -> int:
    add_reader(database, 7)
    with database.write() as session:
        schedule = Schedule(DAILY, 0, 7, "UTC")
        asked = ask_for_reader(session, 7, address="ada@example.org", schedule=schedule, is_proven=True, now=NOW)
        return asked.digest.digest_id
