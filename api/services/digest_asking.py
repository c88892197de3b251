"""Asking for a digest by form: what is kept, and the mail that lets an address say that it wants it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.services import digests
from api.services.digest_rendering import write_confirmation
from api.services.digest_times import Schedule
from api.services.digests import CONFIRM_TIME, Asked
from api.services.mail_addresses import fold_mail_address
from api.services.mailing import enqueue
from api.settings import Settings
from api.store.mails import count_keys
from api.store.tables_mails import Digest

MOST_CONFIRMATIONS: Final = 5  # mails in a day that ask one address: whoever owns it may not be who asks
PAUSE: Final = timedelta(minutes=10)  # between two of them
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Subscribed:
    """What became of a form."""

    digest: Digest
    is_confirmed: bool  # issues come from now on: nothing else is needed
    is_mailed: bool  # a mail that asks the address is on its way


def subscribe_reader(
    session: Session,
    settings: Settings,
    user_id: int,
    *,
    address: str,
    schedule: Schedule,
    is_proven: bool,
    now: datetime,
) -> Subscribed:
    """Give a reader a digest or change theirs; raises InvalidRequest for what is no address."""
    asked = digests.ask_for_reader(session, user_id, address=address, schedule=schedule, is_proven=is_proven, now=now)
    return _ask_owner(session, settings, asked, schedule=None, now=now)


def subscribe_address(
    session: Session, settings: Settings, *, address: str, schedule: Schedule, now: datetime
) -> Subscribed:
    """Ask an address whether it wants what is trending; raises InvalidRequest for what is no address.

    Nothing is mailed to one that has it already, and nothing of it changes: who asked may be somebody else.
    """
    asked = digests.ask_for_address(session, address=address, schedule=schedule, now=now)
    return _ask_owner(session, settings, asked, schedule=schedule, now=now)


def _ask_owner(
    session: Session, settings: Settings, asked: Asked, *, schedule: Schedule | None, now: datetime
) -> Subscribed:
    digest, token = asked.digest, asked.confirm_token
    if token is None:
        return Subscribed(digest, is_confirmed=True, is_mailed=False)
    key, *before = _keys(digest.recipient, now=now)
    if count_keys(session, before) >= MOST_CONFIRMATIONS:
        return Subscribed(digest, is_confirmed=False, is_mailed=False)
    mail = write_confirmation(settings, digest, token=token, until=now + CONFIRM_TIME)
    if enqueue(session, mail, key=key, now=now) is None:
        return Subscribed(digest, is_confirmed=False, is_mailed=False)
    digests.expect_confirmation(session, digest, token, schedule=schedule, now=now)
    return Subscribed(digest, is_confirmed=False, is_mailed=True)


def _keys(address: str, *, now: datetime) -> list[str]:
    """Return the keys of mails that asked an address within a day, that of now first: one in ten minutes.

    Whoever asked, as whichever reader, however the address was spelt: its owner is the one who gets them.
    """
    slot = int(now.timestamp() // PAUSE.total_seconds())
    whose = hashlib.sha256(fold_mail_address(address).encode()).hexdigest()[:32]
    return [f"confirm/{whose}/{slot - back}" for back in range(DAY // PAUSE)]
