"""A real mail server on this machine that does what a test tells it: take, refuse, wait, hang up, at any step."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.shared import free_port

OK = "250 OK"


@dataclass(frozen=True, slots=True)
class Received:
    """A mail that the server took."""

    sender: str
    recipient: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail, read."""
        parsed = BytesParser(policy=default).parsebytes(self.content)
        assert isinstance(parsed, EmailMessage)
        return parsed


@dataclass(slots=True)
class MailServer:
    """What the server took, and how it answers; `None` as an answer hangs up without a word."""

    port: int
    received: list[Received] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)  # recipients that were named
    logins: list[tuple[str, bool]] = field(default_factory=list)  # name, and whether it came encrypted
    connections: int = 0
    greeting: str | None = None  # said in place of the usual one
    password: str = "a password"
    on_sender: Callable[[], str | None] = lambda: OK
    on_recipient: Callable[[str], str | None] = lambda _recipient: OK
    hangs_up_inside: bool = False  # after the first line of a message
    on_message: Callable[[Received], Awaitable[str | None]] | None = None  # before it counts as taken
    after_taking: Callable[[Received], str | None] = lambda _received: OK

    @property
    def taken_by(self) -> list[str]:
        """To whom the taken mails are."""
        return [mail.recipient for mail in self.received]


class _Conversation(SMTP):
    """aiosmtpd's own, which may hang up."""

    box: MailServer
    has_greeted = False

    async def push(self, status: str | bytes) -> None:
        words = status if isinstance(status, str) else status.decode()
        if self.box.greeting is not None and words.startswith("220 ") and not self.has_greeted:
            words = self.box.greeting
        self.has_greeted = True
        await super().push(words)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - the library's name
        if not self.box.hangs_up_inside:
            await super().smtp_DATA(arg)
            return
        await self.push("354 go on")
        await self._reader.readuntil(b"\r\n")
        self.hang_up()

    def hang_up(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()


class _Handler:
    def __init__(self, box: MailServer) -> None:
        self.box = box

    async def handle_MAIL(  # noqa: N802 - the library's name
        self, server: _Conversation, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.box.on_sender()
        if answer is None:
            server.hang_up()
            return OK
        if answer.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: _Conversation, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.box.offered.append(address)
        answer = self.box.on_recipient(address)
        if answer is None:
            server.hang_up()
            return OK
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802 - the library's name
        self, server: _Conversation, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content or b""
        mail = Received(envelope.mail_from or "", envelope.rcpt_tos[0], content)
        answer: str | None = OK
        if self.box.on_message is not None:
            answer = await self.box.on_message(mail)
        if answer is not None and not answer.startswith("250"):
            return answer
        self.box.received.append(mail)
        if answer is not None:
            answer = self.box.after_taking(mail)
        if answer is None:
            server.hang_up()
            return OK
        return answer


class _Controller(Controller):
    def __init__(self, box: MailServer, **options: Any) -> None:
        self.box = box
        super().__init__(_Handler(box), hostname="127.0.0.1", port=box.port, **options)

    def factory(self) -> SMTP:
        self.box.connections += 1
        made = _Conversation(self.handler, **self.SMTP_kwargs)
        made.box = self.box
        return made


@contextmanager
def mail_server(
    *, tls: ssl.SSLContext | None = None, is_implicit: bool = False, needs_login: bool = False, port: int | None = None
) -> Iterator[MailServer]:
    """Run a mail server until the block ends."""
    box = MailServer(port or free_port())

    def check(server: SMTP, session: Session, _envelope: Envelope, _mechanism: str, login: object) -> AuthResult:
        assert isinstance(login, LoginPassword)
        box.logins.append((login.login.decode(), server.session is not None and server.session.ssl is not None))
        return AuthResult(success=login.password.decode() == box.password, handled=False)

    options: dict[str, Any] = {}
    if tls is not None and not is_implicit:
        options |= {"tls_context": tls, "require_starttls": True}
    if tls is not None and is_implicit:
        options |= {"ssl_context": tls}
    if needs_login:
        # The library takes TLS from the first byte on for no encryption at all.
        options |= {"authenticator": check, "auth_required": not is_implicit, "auth_require_tls": not is_implicit}
    controller = _Controller(box, **options)
    controller.start()
    box.connections = 0  # the library has tried its own door
    try:
        yield box
    finally:
        controller.stop()


async def never(_mail: Received) -> str | None:
    """Answer to a message after everybody has given up."""
    await asyncio.sleep(30)
    return None
