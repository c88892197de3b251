"""The life of a digest: asked for, confirmed by its address, moved on from issue to issue, ended by one press."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hmac import compare_digest
from typing import Any, Final

from sqlalchemy.orm import Session

from api.services.digest_times import Schedule, next_occasion
from api.services.mail_addresses import fold_mail_address, read_mail_address
from api.store import digests as rows
from api.store.tables_mails import Digest

CONFIRM_TIME: Final = timedelta(days=3)  # a confirmation mail may be found in a folder of unwanted mails after a day
SECRET_BYTES: Final = 16
STOPPED_BY_READER: Final = "reader"
STOPPED_BY_BOUNCES: Final = "bounced"


@dataclass(frozen=True, slots=True)
class Asked:
    """A digest that somebody asked for, and what its confirmation mail has to carry: None where none is needed."""

    digest: Digest
    confirm_token: str | None


def schedule_of(digest: Digest) -> Schedule:
    """Return when a digest is due."""
    return Schedule(digest.cadence, digest.weekday, digest.hour, digest.zone)


def ask_for_reader(
    session: Session, user_id: int, *, address: str, schedule: Schedule, is_proven: bool, now: datetime
) -> Asked:
    """Give a reader a digest, or change theirs; an address that nobody has proven to be theirs must be confirmed."""
    recipient = read_mail_address(address)
    held = rows.ensure_digest(session, _new_row(user_id, recipient, schedule, now=now))
    is_same = fold_mail_address(held.recipient) == fold_mail_address(recipient)
    is_proven = is_proven or (is_same and held.confirmed_at is not None)
    values: dict[str, Any] = {"recipient": recipient, **_times(schedule)}
    values |= {"stopped_at": None, "stop_reason": None, "bounces": 0}
    if not is_same:
        rows.delete_queued_issues(session, held.digest_id)
    if is_proven:
        values |= {"confirmed_at": held.confirmed_at if is_same and held.confirmed_at else now}
        values |= {"confirm_hash": None, "confirm_until": None, "due_at": _next_due(held, schedule, now=now)}
        rows.update_digest(session, held.digest_id, values)
        return Asked(rows.reload_digest(session, held.digest_id), None)
    rows.update_digest(session, held.digest_id, values | {"confirmed_at": None, "due_at": None})
    return Asked(rows.reload_digest(session, held.digest_id), _make_token(held))


def ask_for_address(session: Session, *, address: str, schedule: Schedule, now: datetime) -> Asked:
    """Let an address without a reader ask for what is trending; one that is confirmed already is left as it is."""
    recipient = fold_mail_address(read_mail_address(address))
    held = rows.ensure_digest(session, _new_row(None, recipient, schedule, now=now))
    if held.confirmed_at is not None and held.stopped_at is None:
        return Asked(held, None)
    return Asked(held, _make_token(held))


def expect_confirmation(
    session: Session, digest: Digest, token: str, *, schedule: Schedule | None, now: datetime
) -> None:
    """Note what the confirmation mail on its way carries; what an earlier one carried counts no more."""
    values: dict[str, Any] = {"confirm_hash": _hash(token, digest.recipient), "confirm_until": now + CONFIRM_TIME}
    rows.update_digest(session, digest.digest_id, values | (_times(schedule) if schedule else {}))


def find_unconfirmed(session: Session, token: str, *, now: datetime) -> Digest | None:
    """Return the digest that a confirmation mail is about; None for one that is too old or not ours."""
    digest = _find(session, token)
    if digest is None or digest.confirm_hash is None or digest.confirm_until is None or digest.confirm_until < now:
        return None
    return digest if compare_digest(digest.confirm_hash, _hash(token, digest.recipient)) else None


def confirm(session: Session, token: str, *, now: datetime) -> Digest | None:
    """Begin a digest whose address has proven itself; None as for `find_unconfirmed`, again too for a second press."""
    digest = find_unconfirmed(session, token, now=now)
    if digest is None:
        return None
    values = {
        "confirmed_at": now,
        "confirm_hash": None,
        "confirm_until": None,
        "due_at": _next_due(digest, schedule_of(digest), now=now),
        "bounces": 0,
        "stopped_at": None,
        "stop_reason": None,
    }
    rows.update_digest(session, digest.digest_id, values)
    return rows.reload_digest(session, digest.digest_id)


def stop_token(digest: Digest) -> str:
    """Return what the link that ends a digest carries: it works as long as there is something to end."""
    return f"{digest.digest_id}.{digest.secret}"


def find_by_stop_token(session: Session, token: str) -> Digest | None:
    """Return the digest that a link in one of its mails would end, None when there is nothing to end."""
    digest = _find(session, token)
    if digest is None or not compare_digest(stop_token(digest).encode(), token.encode()):
        return None
    return digest


def stop(session: Session, digest: Digest, *, now: datetime) -> None:
    """End a digest: issues that wait are not sent; an address without a reader is forgotten altogether."""
    rows.delete_queued_issues(session, digest.digest_id)
    if digest.user_id is None:
        rows.delete_digest(session, digest.digest_id)
        return
    ended = {"due_at": None, "stopped_at": now, "stop_reason": STOPPED_BY_READER}
    rows.update_digest(session, digest.digest_id, ended | {"confirm_hash": None, "confirm_until": None})


def reschedule(session: Session, digest: Digest, schedule: Schedule, *, now: datetime) -> None:
    """Let a digest that runs come at other times."""
    due_at = _next_due(digest, schedule, now=now) if is_running(digest) else None
    rows.update_digest(session, digest.digest_id, {**_times(schedule), "due_at": due_at})


def is_running(digest: Digest) -> bool:
    """True while issues are sent."""
    return digest.due_at is not None and digest.confirmed_at is not None


def note_delivery(session: Session, digest_id: int) -> None:
    """Note that an address takes mails."""
    rows.update_digest(session, digest_id, {"bounces": 0})


def note_bounce(session: Session, digest_id: int, *, most: int, now: datetime) -> None:
    """Note that an address refuses mails for good; after so many in a row the digest stops."""
    rows.update_digest(session, digest_id, {"bounces": Digest.bounces + 1})
    digest = rows.load_digest(session, digest_id)
    if digest is not None and digest.bounces >= most:
        rows.delete_queued_issues(session, digest_id)
        rows.update_digest(session, digest_id, {"due_at": None, "stopped_at": now, "stop_reason": STOPPED_BY_BOUNCES})


def drop_second_digest(session: Session, user_id: int) -> None:
    """End what was left behind with a reader who became part of an account that has a digest of its own."""
    held = rows.find_digest(session, user_id)
    if held is not None:
        rows.delete_digest(session, held.digest_id)


def _next_due(digest: Digest, schedule: Schedule, *, now: datetime) -> datetime:
    last_day = None if digest.last_period is None else date.fromisoformat(digest.last_period)
    return next_occasion(schedule, after=now, last_day=last_day).at


def _new_row(user_id: int | None, recipient: str, schedule: Schedule, *, now: datetime) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "recipient": recipient,
        "secret": secrets.token_urlsafe(SECRET_BYTES),
        "created_at": now,
        "confirm_until": now + CONFIRM_TIME,
        "bounces": 0,
        **_times(schedule),
    }


def _times(schedule: Schedule) -> dict[str, Any]:
    return {
        "cadence": schedule.cadence,
        "weekday": schedule.weekday,
        "hour": schedule.hour,
        "zone": schedule.zone,
    }


def _make_token(digest: Digest) -> str:
    return f"{digest.digest_id}.{secrets.token_urlsafe(SECRET_BYTES)}"


def _find(session: Session, token: str) -> Digest | None:
    number, dot, secret = token.partition(".")
    if not dot or not secret or not token.isascii() or not number.isdigit() or len(number) > 18:
        return None
    return rows.load_digest(session, int(number))


def _hash(token: str, recipient: str) -> str:
    """Of the address, too: a mail to one address confirms no other that was named since."""
    return hashlib.sha256(f"{token}\0{recipient}".encode()).hexdigest()
