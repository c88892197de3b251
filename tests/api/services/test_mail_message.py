"""Mails as bytes: nothing that a title says becomes a header, and addresses stay whole."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from api.services.digest_rendering import issue_headers
from api.services.mail_message import build_message
from api.services.mailing import one_line
from api.settings import Settings
from api.store.tables_mails import QueuedMail

SETTINGS = Settings(public_url="https://papers.department-of-computer-science.university.example.org")
HEADERS = issue_headers(SETTINGS, f"123.{'a' * 22}")
NAMES = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", *HEADERS, "MIME-Version", "Content-Type"]


def built(subject: str) -> bytes:
    """Return the bytes of a mail with this subject."""
    mail = QueuedMail(
        mail_id=1,
        key="k1",
        recipient="ada@example.org",
        subject=one_line(subject),
        text="Hello",
        html="<p>Hello</p>",
        headers=HEADERS,
        created_at=datetime(2026, 5, 4, 12, tzinfo=UTC),
    )
    return build_message(mail, SETTINGS)


def read(message: bytes) -> EmailMessage:
    """Return a mail as a mail program reads it."""
    found = message_from_bytes(message, policy=default)
    assert isinstance(found, EmailMessage)
    return found


@pytest.mark.parametrize(
    "title",
    [
        "=?utf-8?q?=0D=0ABcc:_eve=40example.org?=",
        "=?utf-8?q?a=0Ab?= = ?x",
        "=?utf-8?b?DQoNCmJvZHk=?= and more",
        "=?us-ascii?q?=E9?= \u00e9 " * 5,
        "=?utf-8*en?q?=0d=0a?= Title",
        "=?utf-8?q?=00?=",
    ],
)
def test_an_encoded_word_in_a_title_adds_no_header(title: str) -> None:
    message = read(built(title))
    assert message.keys() == NAMES
    assert message["Subject"] == one_line(title).replace("=?", "= ?")


@pytest.mark.parametrize("title", ["x" * 300, "\u00fc" * 300, "A plain title", "1 = 2? (no)", "\U0001f600" * 100])
def test_any_other_title_arrives_as_it_was(title: str) -> None:
    assert read(built(title))["Subject"] == title


def test_the_address_that_ends_a_digest_is_in_one_piece_however_long_it_is() -> None:
    lines = built("Your papers").partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert f"List-Unsubscribe: {HEADERS['List-Unsubscribe']}".encode() in lines
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines
