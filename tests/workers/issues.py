"""Readers' digests and the papers of their mails, for tests of issues."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import sqlalchemy as sa

from api.runtime.state import Runtime
from api.services.digest_times import DAILY, Schedule
from api.services.digests import ask_for_reader
from api.store.tables import Paper
from api.store.tables_mails import Digest, QueuedMail

READER = 1


def subscribe(held: Runtime, user_id: int = READER, *, cadence: str = DAILY) -> int:
    """Let a reader have a digest that is due."""
    now = datetime.now(UTC)
    with held.db.write() as session:
        asked = ask_for_reader(
            session,
            user_id,
            address=f"u{user_id}@example.org",
            schedule=Schedule(cadence, now.weekday(), now.hour, "UTC"),
            is_proven=True,
            now=now,
        )
    be_due(held)
    return asked.digest.digest_id


def be_due(held: Runtime, *, ago: timedelta = timedelta(minutes=1)) -> None:
    with held.db.write() as session:
        session.execute(sa.update(Digest).values(due_at=datetime.now(UTC) - ago))


def next_day(held: Runtime) -> None:
    """Let all digests have had their last issue a day or a week before."""
    with held.db.write() as session:
        for digest in session.scalars(sa.select(Digest)):
            digest.last_period = "2020-01-01"
            digest.due_at = datetime.now(UTC) - timedelta(minutes=1)
        for number, mail in enumerate(session.scalars(sa.select(QueuedMail))):
            mail.key = f"an earlier one {number} {mail.mail_id}"


def links_in(mail: QueuedMail) -> list[str]:
    return re.findall(r"http://\S+/papers/\S+", mail.text)


def papers_in(held: Runtime, mail: QueuedMail) -> list[int]:
    """Return the papers of a mail in their order."""
    names = [urlsplit(link).path.removeprefix("/papers/") for link in links_in(mail)]
    with held.db.read() as session:
        rows = session.execute(sa.select(Paper.external_id, Paper.paper_id).where(Paper.external_id.in_(names)))
        numbers = {row.external_id: row.paper_id for row in rows}
    return [numbers[name] for name in names]
