"""Whether mails leave, and what a monitor wants to watch of them."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.services.outbox import read_server_wait
from api.settings import Settings
from api.store.digests import count_due
from api.store.mails import count_waiting


def find_trouble(session: Session, settings: Settings, *, now: datetime) -> str | None:
    """Return why mails or digests do not leave and what to do, None while all is well."""
    _, oldest_at = count_waiting(session)
    due, due_since = count_due(session, now=now)
    patience = timedelta(minutes=settings.mail_old_minutes)
    if oldest_at is not None and now - oldest_at > patience:
        why = read_server_wait(session, now=now) or "no worker takes the queue `mail`: is the mailer running?"
        return f"mails wait since {oldest_at:%Y-%m-%d %H:%M} UTC: {why}"
    if due_since is not None and now - due_since > patience:
        return (
            f"{due} digests are due since {due_since:%Y-%m-%d %H:%M} UTC: is the worker of the queue `events` running?"
        )
    return None


def read_mail_gauges(session: Session, *, now: datetime) -> dict[str, float]:
    """Return what a monitor wants to watch of mails."""
    waiting, oldest_at = count_waiting(session)
    due, due_since = count_due(session, now=now)
    return {
        "mails_waiting": float(waiting),
        "mail_overdue_seconds": _late(oldest_at, now),
        "digests_due": float(due),
        "digest_overdue_seconds": _late(due_since, now),
    }


def _late(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)
