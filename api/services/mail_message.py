"""A mail as mail programs read it: headers, text and HTML, the same bytes whenever it is made."""

import hashlib
from datetime import datetime
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from api.settings import Settings
from api.store.tables_mails import QueuedMail

NOWHERE: Final = "paperfeed.invalid"  # mails of an installation that sends none


class _Whole(UnstructuredHeader):
    """A header in one line: an address that is folded or encoded is none for programs that look for it."""

    def fold(self, *, policy: Policy) -> str:
        """Return the header as it is; what mails may add fits into the 998 characters that a line can have."""
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined] # the registry mixes BaseHeader in


_POLICY: Final = SMTP.clone(max_line_length=78, header_factory=HeaderRegistry(default_class=_Whole))


def build_message(mail: QueuedMail, settings: Settings) -> bytes:
    """Return the message, its lines ended by CRLF; raises ValueError where a header would hold more than its line."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = _address(settings.mail_sender_name, sender_of(settings))
    message["To"] = _address("", mail.recipient)
    message["Subject"] = _as_words(mail.subject)
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = message_id(mail.key, sender_of(settings))
    message["Auto-Submitted"] = "auto-generated"  # nobody's absence answers it (RFC 3834)
    for name, value in mail.headers.items():
        message[name] = value
    message.set_content(mail.text, cte="quoted-printable")
    if mail.html:
        message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
        boundary = hashlib.sha256(f"boundary\0{mail.key}".encode()).hexdigest()[:32]
        message.set_boundary(f"=_{boundary}")  # text of a mail cannot hold what its key hashes to
    return message.as_bytes()


def message_id(key: str, sender: str) -> str:
    """Return the same id for the same mail, whoever sends it how often: programs drop what they have seen."""
    digest = hashlib.sha256(f"message\0{key}".encode()).hexdigest()[:32]
    return f"<{digest}@{sender.rpartition('@')[2]}>"


def sender_of(settings: Settings) -> str:
    """Return the address that mails come from."""
    host = urlsplit(settings.public_url).hostname if settings.public_url else None
    return settings.mail_sender or f"papers@{host or NOWHERE}"


def file_name(mail: QueuedMail) -> str:
    """Return the name under which a mail is kept as a file: the same whenever it is written."""
    return f"{_stamp(mail.created_at)}-{mail.mail_id}.eml"


def _as_words(text: str) -> str:
    """Return a subject in which nothing is an encoded word of RFC 2047: it would be decoded, line ends and all."""
    return text.replace("=?", "= ?")


def _stamp(time: datetime) -> str:
    return f"{time:%Y%m%dT%H%M%SZ}"


def _address(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(display_name=name, username=local, domain=domain)
