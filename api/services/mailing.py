"""Mails that somebody wants sent: written down once each, in the transaction of what they are about."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from api.services.mail_addresses import read_mail_address
from api.store import mails as rows
from api.store.tables_mails import LONGEST_KEY, QUEUED

LONGEST_SUBJECT: Final = 300  # characters; programs show about 70
LONGEST_BODY: Final = 512 * 1024  # characters of one body: what is longer was made by mistake
LONGEST_VALUE: Final = 900  # characters of a header: a line has 998
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}", re.ASCII)
# What the message itself says; nobody else may say it a second time.
_OWN_HEADERS: Final = frozenset(
    {
        *("from", "to", "cc", "bcc", "sender", "subject", "date", "message-id", "return-path", "received"),
        *("mime-version", "content-type", "content-transfer-encoding", "content-disposition", "resent-to"),
    }
)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to one address; `kind` names what it is about: sign-in, digest, confirm, test."""

    recipient: str
    subject: str
    text: str
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "notice"
    user_id: int | None = None  # the reader it is of: it goes with them
    digest_id: int | None = None  # the digest it is an issue of
    useful_until: datetime | None = None  # nobody wants it later: it is not sent then


def queue_mail(session: Session, mail: Mail, *, key: str, now: datetime) -> bool:
    """Write down a mail to be sent; False when there was one of this key, and nothing changes then.

    After the commit `api.queue.send(SEND_MAILS)` has it sent at once; without that a worker finds it in seconds.
    Raises InvalidRequest for what is no mail address, ValueError for a key, subject or header that no code may make.
    """
    return enqueue(session, mail, key=key, now=now) is not None


def enqueue(session: Session, mail: Mail, *, key: str, now: datetime) -> int | None:
    """Do what `queue_mail` does, and return the number of the new mail."""
    if not key.isprintable() or not 0 < len(key) <= LONGEST_KEY:
        raise ValueError(f"a key of 1 to {LONGEST_KEY} printable characters is needed")
    if len(mail.text) > LONGEST_BODY or len(mail.html) > LONGEST_BODY:
        raise ValueError(f"a mail has at most {LONGEST_BODY} characters")
    values = {
        "key": key,
        "kind": mail.kind,
        "user_id": mail.user_id,
        "digest_id": mail.digest_id,
        "recipient": read_mail_address(mail.recipient),
        "subject": one_line(mail.subject)[:LONGEST_SUBJECT],
        "text": mail.text,
        "html": mail.html,
        "headers": {name: _header(name, value) for name, value in mail.headers.items()},
        "state": QUEUED,
        "created_at": now,
        "due_at": now,
        "useful_until": mail.useful_until,
        "attempts": 0,
        "fencing_token": 0,
    }
    return rows.insert_mail(session, values)


def forget_mails(session: Session, recipient: str) -> int:
    """Remove all mails to an address, waiting ones included, and return how many there were."""
    return rows.delete_mails_to(session, recipient)


def one_line(text: str) -> str:
    """Return text without anything that ends a line or cannot be seen: a title is somebody else's word."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _header(name: str, value: str) -> str:
    if not _HEADER.fullmatch(name) or name.lower() in _OWN_HEADERS:
        raise ValueError(f"{name!r} is no header that a mail may add")
    if not value.isprintable() or not value.isascii() or not 0 < len(value) <= LONGEST_VALUE:
        raise ValueError(f"the header {name} needs one line of printable ASCII")
    return value
