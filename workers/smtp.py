"""One conversation with a mail server: everything can be tried again up to the line that ends a mail."""

import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias

from api.settings import Settings

# RFC 5321 gives a server ten minutes for its last answer; what is not heard by then counts as unknown.
LAST_ANSWER_SECONDS: Final = 120.0
LONGEST_WHY: Final = 300  # characters of a server's words that are kept
DATA_GOES_ON: Final = 354
SERVICE_GOES_AWAY: Final = 421
_POLICY: Final = re.compile(r"\b5\.7\.\d+\b")  # enhanced codes of RFC 3463: about rules, not about the mailbox

Kind: TypeAlias = Literal["sent", "refused", "later", "unknown", "taken"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mail: sent, refused for good, to be tried later, unknown, or taken by another worker."""

    kind: Kind
    code: int | None = None
    why: str = ""
    is_bounce: bool = False  # the refusal is about the mailbox


class ServerAway(Exception):
    """The mail server cannot be used at all: not reached, not trusted, or it does not let us in."""


class Post:
    """A connection to the mail server of these settings, kept for the next mail while all goes well."""

    def __init__(self, settings: Settings, *, last_answer_seconds: float = LAST_ANSWER_SECONDS) -> None:
        self._settings = settings
        self._last_answer_seconds = last_answer_seconds
        self._server: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def deliver(self, message: bytes, *, sender: str, recipient: str, begin_handover: Callable[[], bool]) -> Outcome:
        """Hand over one message; `begin_handover` runs just before the line after which a server may have taken it.

        Raises ServerAway when it did not come to talking about this mail.
        """
        server = self._connect()
        try:
            refusal = self._offer(server, sender=sender, recipient=recipient)
            if refusal is not None:
                return refusal
            server.send(_stuffed(message))
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return Outcome("later", why=_told(error))
        return self._finish(server, begin_handover)

    def close(self) -> None:
        """Leave: politely where the server still listens."""
        server, self._server = self._server, None
        if server is None:
            return
        try:
            server.quit()
        except (OSError, smtplib.SMTPException):
            server.close()

    def _finish(self, server: smtplib.SMTP, begin_handover: Callable[[], bool]) -> Outcome:
        """The last line and its answer; without the line a server may not deliver anything."""
        if not begin_handover():
            self._drop(server)
            return Outcome("taken")
        try:
            if server.sock is not None:
                server.sock.settimeout(max(self._last_answer_seconds, self._settings.smtp_seconds))
            server.send(b".\r\n")
            code, words = server.getreply()
            if server.sock is not None:
                server.sock.settimeout(self._settings.smtp_seconds)
        except (OSError, smtplib.SMTPException) as error:
            self._drop(server)
            return Outcome("unknown", why=f"no answer to the last line: {_told(error)}")
        return self._judge(code, words)

    def _offer(self, server: smtplib.SMTP, *, sender: str, recipient: str) -> Outcome | None:
        """Name sender and recipient and open the message; what was refused, None when the message may follow."""
        code, words = server.mail(sender)
        if not _is_good(code):
            # Whose fault a refused sender is, the operator has to find out: the mail waits meanwhile.
            outcome = self._judge(code, words)
            return Outcome("later", code, f"the sender was refused: {outcome.why}")
        code, words = server.rcpt(recipient)
        if not _is_good(code):
            return self._judge(code, words)
        code, words = server.docmd("DATA")
        return None if code == DATA_GOES_ON else self._judge(code, words)

    def _judge(self, code: int, words: bytes) -> Outcome:
        """What an answer to a mail means, leaving the connection ready for the next one, or closed."""
        why = f"{code} {words.decode('ascii', 'replace')}".replace("\n", " ")[:LONGEST_WHY]
        if _is_good(code):
            return Outcome("sent", code)
        if code == SERVICE_GOES_AWAY or code < 400:
            self.close()
            return Outcome("later", code if code > 0 else None, why)
        if self._server is not None:
            self._reset(self._server)
        if code >= 500:
            return Outcome("refused", code, why, is_bounce=_POLICY.search(why) is None)
        return Outcome("later", code, why)

    def _reset(self, server: smtplib.SMTP) -> None:
        try:
            code, _words = server.rset()
        except (OSError, smtplib.SMTPException):
            code = -1
        if not _is_good(code):
            self.close()

    def _drop(self, server: smtplib.SMTP) -> None:
        """Cut the line without a word: a QUIT inside a message would be part of it."""
        self._server = None
        server.close()

    def _connect(self) -> smtplib.SMTP:
        if self._server is not None:
            return self._server
        server = None
        try:
            server = _open(self._settings)
            _let_in(server, self._settings)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            if server is not None:
                server.close()
            raise ServerAway(_told(error)) from error
        self._server = server
        return server


def _open(settings: Settings) -> smtplib.SMTP:
    name = _own_name(settings)
    host, port, seconds = settings.smtp_host, settings.resolved_smtp_port, settings.smtp_seconds
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, port, local_hostname=name, timeout=seconds, context=_tls(settings))
    return smtplib.SMTP(host, port, local_hostname=name, timeout=seconds)


def _let_in(server: smtplib.SMTP, settings: Settings) -> None:
    """Greet, encrypt and log in; nothing is ever said unencrypted that the settings want encrypted."""
    server.ehlo_or_helo_if_needed()
    if settings.smtp_security == "starttls":
        server.starttls(context=_tls(settings))
        server.ehlo()
    if settings.smtp_user:
        password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
        server.login(settings.smtp_user, password)


def _tls(settings: Settings) -> ssl.SSLContext:
    """Certificates and names are checked."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.smtp_ca_file:
        context.load_verify_locations(settings.smtp_ca_file)
    return context


def _own_name(settings: Settings) -> str:
    """What we call ourselves in the greeting: the domain that mails come from, else this machine's name."""
    return settings.mail_sender.rpartition("@")[2] or socket.gethostname()


def _stuffed(message: bytes) -> bytes:
    """A message as DATA wants it: lines end in CRLF, and none of them is a dot alone."""
    lines = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    return b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)


def _is_good(code: int) -> bool:
    return 200 <= code < 300


def _told(error: Exception) -> str:
    """An error in a line, without the password that a login may repeat."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"{error.smtp_code} the mail server refused the login"
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:LONGEST_WHY]
