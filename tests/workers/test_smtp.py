"""Talking to a real mail server: encryption, logins, refusals at every step, silence and lost connections."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr, ValidationError

from api.settings import Settings
from tests.shared import free_port
from tests.workers.mail_server import MailServer, Received, mail_server, never
from workers.smtp import Outcome, Post, ServerAway

MESSAGE = b"Subject: a mail\r\n\r\nHello.\r\n.a dot at the start\r\n.\r\nthe end\r\n"
SENDER, RECIPIENT = "papers@example.org", "ada@example.org"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a certificate of this machine and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """Return how a server uses that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def box() -> Iterator[MailServer]:
    """Return a mail server without encryption."""
    with mail_server() as found:
        yield found


def settings_of(box: MailServer, **others: object) -> Settings:
    values: dict[str, object] = {
        "smtp_host": "127.0.0.1",
        "smtp_port": box.port,
        "smtp_security": "none",
        "smtp_seconds": 5.0,
        "mail_sender": SENDER,
    }
    return Settings.model_validate(values | others)


def deliver(
    settings: Settings, *, seconds: float = 5.0, recipient: str = RECIPIENT, is_ours: bool = True
) -> tuple[Outcome, int]:
    """Hand over one message; return what became of it and how often it was about to be handed over."""
    calls = []

    def begin() -> bool:
        calls.append(1)
        return is_ours

    with Post(settings, last_answer_seconds=seconds) as post:
        outcome = post.deliver(MESSAGE, sender=SENDER, recipient=recipient, begin_handover=begin)
    return outcome, len(calls)


def test_a_message_arrives_as_it_was_written_dots_included(box: MailServer) -> None:
    assert deliver(settings_of(box)) == (Outcome("sent", 250), 1)
    assert box.received == [Received(SENDER, RECIPIENT, MESSAGE)]


def test_one_connection_takes_several_mails(box: MailServer) -> None:
    with Post(settings_of(box)) as post:
        for at in range(3):
            outcome = post.deliver(MESSAGE, sender=SENDER, recipient=f"r{at}@example.org", begin_handover=lambda: True)
            assert outcome.kind == "sent"
    assert (box.connections, box.taken_by) == (1, ["r0@example.org", "r1@example.org", "r2@example.org"])


def test_after_a_refusal_the_same_connection_takes_the_next_mail(box: MailServer) -> None:
    box.on_recipient = lambda address: "550 5.1.1 unknown" if address.startswith("nobody") else "250 OK"
    with Post(settings_of(box)) as post:
        for recipient in ("nobody@example.org", "ada@example.org"):
            post.deliver(MESSAGE, sender=SENDER, recipient=recipient, begin_handover=lambda: True)
    assert (box.connections, box.taken_by) == (1, ["ada@example.org"])


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("550 5.1.1 no such user", Outcome("refused", 550, "550 5.1.1 no such user", is_bounce=True)),
        ("550 5.7.1 blocked by policy", Outcome("refused", 550, "550 5.7.1 blocked by policy", is_bounce=False)),
        ("450 4.2.1 come back later", Outcome("later", 450, "450 4.2.1 come back later")),
        ("421 4.3.2 shutting down", Outcome("later", 421, "421 4.3.2 shutting down")),
    ],
)
def test_an_answer_to_the_recipient_says_whether_to_try_again(box: MailServer, answer: str, wanted: Outcome) -> None:
    box.on_recipient = lambda _: answer
    assert deliver(settings_of(box)) == (wanted, 0)


@pytest.mark.parametrize(("answer", "kind"), [("554 5.6.0 spam", "refused"), ("451 4.3.0 disk full", "later")])
def test_an_answer_to_the_last_line_says_whether_to_try_again(box: MailServer, answer: str, kind: str) -> None:
    async def refuse(_mail: Received) -> str:
        return answer

    box.on_message = refuse
    outcome, handovers = deliver(settings_of(box))
    assert (outcome.kind, outcome.code, handovers) == (kind, int(answer[:3]), 1)


def test_a_refused_sender_is_the_operators_affair_and_waits(box: MailServer) -> None:
    box.on_sender = lambda: "553 5.7.1 not your address"
    outcome, _ = deliver(settings_of(box))
    assert (outcome.kind, outcome.code) == ("later", 553)
    assert "sender was refused" in outcome.why


def test_a_connection_lost_inside_the_message_is_tried_again_and_nothing_was_taken(box: MailServer) -> None:
    box.hangs_up_inside = True
    with Post(settings_of(box)) as post:
        big = MESSAGE + b"x" * 70 + b"\r\n" * 2_000_000  # more than the system keeps for a peer that is gone
        outcome = post.deliver(big, sender=SENDER, recipient=RECIPIENT, begin_handover=lambda: True)
    assert outcome.kind == "later"
    assert box.received == []


def test_silence_after_the_last_line_leaves_it_unknown(box: MailServer) -> None:
    box.on_message = never
    outcome, handovers = deliver(settings_of(box, smtp_seconds=0.3), seconds=0.3)
    assert (outcome.kind, handovers) == ("unknown", 1)


def test_a_connection_lost_after_the_last_line_leaves_it_unknown(box: MailServer) -> None:
    box.after_taking = lambda _: None
    outcome, _ = deliver(settings_of(box))
    assert (outcome.kind, len(box.received)) == ("unknown", 1)


def test_a_mail_that_another_worker_has_taken_is_not_handed_over(box: MailServer) -> None:
    outcome, handovers = deliver(settings_of(box), is_ours=False)
    assert (outcome.kind, handovers, box.received) == ("taken", 1, [])


def test_a_server_that_is_not_there_is_away() -> None:
    box = MailServer(free_port())
    with pytest.raises(ServerAway, match="refused"):
        deliver(settings_of(box))


def test_a_server_that_turns_us_away_at_once_is_away(box: MailServer) -> None:
    box.greeting = "421 4.3.2 too busy"
    with pytest.raises(ServerAway, match="421"):
        deliver(settings_of(box))


def test_nothing_is_said_to_a_server_that_cannot_encrypt(box: MailServer) -> None:
    with pytest.raises(ServerAway, match="STARTTLS"):
        deliver(settings_of(box, smtp_security="starttls"))
    assert box.offered == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_encrypted_login_is_let_in(tls: ssl.SSLContext, certificate: Path, security: str) -> None:
    with mail_server(tls=tls, is_implicit=security == "tls", needs_login=True) as box:
        login = {"smtp_user": "papers", "smtp_password": SecretStr("a password")}
        settings = settings_of(box, smtp_security=security, smtp_ca_file=str(certificate), **login)
        assert deliver(settings)[0].kind == "sent"
    assert [name for name, _ in box.logins] == ["papers"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(tls: ssl.SSLContext, security: str) -> None:
    with mail_server(tls=tls, is_implicit=security == "tls") as box, pytest.raises(ServerAway, match="certificate"):
        deliver(settings_of(box, smtp_security=security))
    assert box.offered == []


def test_a_wrong_password_is_told_without_the_password(tls: ssl.SSLContext, certificate: Path) -> None:
    with mail_server(tls=tls, needs_login=True) as box:
        box.password = "another one"
        login = {"smtp_user": "papers", "smtp_password": SecretStr("a password")}
        settings = settings_of(box, smtp_security="starttls", smtp_ca_file=str(certificate), **login)
        with pytest.raises(ServerAway, match="refused the login") as caught:
            deliver(settings)
    assert "a password" not in str(caught.value)


def test_a_login_without_encryption_is_no_setting() -> None:
    with pytest.raises(ValidationError, match="unencrypted"):
        Settings(smtp_host="mail.example.org", smtp_security="none", smtp_user="me", mail_sender=SENDER)


def test_a_mail_server_without_a_sender_is_no_setting() -> None:
    with pytest.raises(ValidationError, match="PAPERFEED_MAIL_SENDER"):
        Settings(smtp_host="mail.example.org")
