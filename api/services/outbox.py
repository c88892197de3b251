"""The life of a mail: taken by one worker, tried ever further apart, handed over once, and what became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from api.services.digests import note_bounce, note_delivery
from api.settings import Settings
from api.store import mails as rows
from api.store.mails import EMPTIED, MailLease
from api.store.state import delete_state, read_state, write_state
from api.store.tables import EPOCH
from api.store.tables_mails import FAILED, HANDING_OVER, QUEUED, SENT, UNKNOWN, QueuedMail

FIRST_BACKOFF: Final = timedelta(minutes=1)
LONGEST_BACKOFF: Final = timedelta(hours=12)
GROWTH: Final = 4
JITTER: Final = 0.2  # mails that failed together do not come back together
LONGEST_TEXT: Final = 500  # characters of a failure that are kept
SERVER: Final = "mail_server"  # the row of `service_state` that says the mail server is away
FIRST_SERVER_BACKOFF: Final = timedelta(seconds=10)
LONGEST_SERVER_BACKOFF: Final = timedelta(minutes=10)
MOST_LISTED: Final = 100
LONGEST_WAIT: Final = timedelta(days=5)  # for a mail server that is away: as long as mail servers wait themselves


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that this process may send."""

    lease: MailLease
    mail: QueuedMail


@dataclass(frozen=True, slots=True)
class Unsent:
    """What an operator may have to help with."""

    mails: list[QueuedMail]
    server_wait: str | None


def settle_lost(session: Session, *, now: datetime, is_dead: Callable[[str], bool]) -> list[int]:
    """Free the mails of dead workers; return those that were being handed over: they are never sent again."""
    for lease, owner in rows.owners_in_force(session, now=now):
        if is_dead(owner):
            for state in (QUEUED, HANDING_OVER):
                rows.update_held_mail(session, lease, {"lease_until": EPOCH}, state=state)
    return rows.settle_lost(session, now=now)


def give_up_useless(session: Session, *, now: datetime) -> list[int]:
    """Give up the mails that nobody wants any more, and return which."""
    dropped = rows.drop_useless(session, now=now, waiting_since=now - LONGEST_WAIT)
    rows.release_papers(session, dropped)
    return dropped


def take_mail(session: Session, *, owner: str, now: datetime, lease_seconds: float) -> Taken | None:
    """Take the next mail that is due; None when there is none or the mail server is to be left alone."""
    if read_server_wait(session, now=now) is not None:
        return None
    mail = rows.claim_mail(session, owner=owner, now=now, lease_until=now + timedelta(seconds=lease_seconds))
    return None if mail is None else Taken(MailLease(mail.mail_id, mail.fencing_token), mail)


def begin_handover(session: Session, taken: Taken) -> bool:
    """Note before the last line that the mail is handed over; False when it is not ours any more: nothing is sent."""
    return rows.update_held_mail(session, taken.lease, {"state": HANDING_OVER}, state=QUEUED)


def record_sent(session: Session, taken: Taken, *, code: int | None, now: datetime, state: str = HANDING_OVER) -> bool:
    """Note that the mail was taken; False when it was settled without us."""
    values = {**EMPTIED, "state": SENT, "finished_at": now, "code": code, "failure": None}
    is_noted = rows.update_held_mail(session, taken.lease, values, state=state)
    if is_noted and taken.mail.digest_id is not None:
        note_delivery(session, taken.mail.digest_id)
    return is_noted


def record_unknown(session: Session, taken: Taken, why: str, *, now: datetime) -> bool:
    """Note that nobody knows whether the mail was taken: it is not sent again."""
    values = {**EMPTIED, "state": UNKNOWN, "finished_at": now, "failure": why[:LONGEST_TEXT]}
    return rows.update_held_mail(session, taken.lease, values, state=HANDING_OVER)


def record_refused(
    session: Session, taken: Taken, settings: Settings, *, code: int | None, why: str, is_bounce: bool, now: datetime
) -> bool:
    """Note that the mail will never be taken; after so many bounces in a row its digest stops."""
    values = {**EMPTIED, "state": FAILED, "finished_at": now, "code": code, "failure": why[:LONGEST_TEXT]}
    if not _write_waiting(session, taken, values):
        return False
    rows.release_papers(session, [taken.mail.mail_id])
    if is_bounce and taken.mail.digest_id is not None:
        note_bounce(session, taken.mail.digest_id, most=settings.mail_bounces, now=now)
    return True


def put_off(
    session: Session, taken: Taken, settings: Settings, *, code: int | None, why: str, now: datetime, chance: float
) -> str:
    """Note that the mail was not taken this time and return its state: to be tried again, or failed at last."""
    failure = {"code": code, "failure": why[:LONGEST_TEXT]}
    if taken.mail.attempts >= settings.mail_attempts:
        values = {**EMPTIED, "state": FAILED, "finished_at": now, **failure}
        if _write_waiting(session, taken, values):
            rows.release_papers(session, [taken.mail.mail_id])
        return FAILED
    due_at = now + backoff(taken.mail.attempts, chance=chance)
    _write_waiting(session, taken, {"state": QUEUED, "due_at": due_at, **_FREE, **failure})
    return QUEUED


def leave_for_later(session: Session, taken: Taken, why: str, *, now: datetime) -> datetime:
    """Give the mail back untried because the mail server is away; return when that is asked again."""
    held = read_state(session, SERVER, is_held=True) or {}
    failures = int(held.get("failures", 0)) + 1
    doubled: int = 2 ** min(failures - 1, 10)
    again_at = now + min(FIRST_SERVER_BACKOFF * doubled, LONGEST_SERVER_BACKOFF)
    since = held.get("since") or now.isoformat()
    note = {"failures": failures, "again_at": again_at.isoformat(), "since": since, "why": why[:LONGEST_TEXT]}
    write_state(session, SERVER, note, now=now)
    untried = {"attempts": QueuedMail.attempts - 1, "failure": why[:LONGEST_TEXT], **_FREE}
    rows.update_held_mail(session, taken.lease, untried, state=QUEUED)
    return again_at


def note_server_back(session: Session) -> None:
    """Forget that the mail server was away."""
    delete_state(session, SERVER)


def read_server_wait(session: Session, *, now: datetime) -> str | None:
    """Return why the mail server is left alone for now, None when it may be asked."""
    held = read_state(session, SERVER)
    if held is None or datetime.fromisoformat(held["again_at"]) <= now:
        return None
    return str(held["why"])


def list_unsent(session: Session, *, now: datetime) -> Unsent:
    """Return the mails that were not sent and why the mail server is left alone, None while it may be asked."""
    return Unsent(rows.list_waiting(session, limit=MOST_LISTED), read_server_wait(session, now=now))


def try_now(session: Session, mail_id: int, *, now: datetime) -> bool:
    """Let a waiting mail, and the mail server, be tried now; False when the mail does not wait."""
    note_server_back(session)
    return rows.queue_again(session, mail_id, now=now)


def backoff(attempts: int, *, chance: float) -> timedelta:
    """Return how long a mail rests after so many attempts; `chance`, 0 to 1, spreads them."""
    grown: int = GROWTH ** min(max(attempts, 1) - 1, 10)
    return min(FIRST_BACKOFF * grown, LONGEST_BACKOFF) * (1 + JITTER * (chance - 0.5))


_FREE: Final[dict[str, Any]] = {"lease_owner": None, "lease_until": None}


def _write_waiting(session: Session, taken: Taken, values: dict[str, Any]) -> bool:
    """Write to a mail that was answered before or after its last line."""
    return any(rows.update_held_mail(session, taken.lease, values, state=state) for state in (HANDING_OVER, QUEUED))
