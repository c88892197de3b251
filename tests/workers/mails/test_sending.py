"""Mails from the table to a real mail server: as they were written, and once each."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.runtime.state import Runtime
from api.services.mail_message import message_id
from api.services.mailing import queue_mail
from api.store.engine import Database
from tests.mail_world import mails_in
from tests.workers.mail_server import MailServer
from tests.workers.mails.post import MAIL, NOW, SENDER, put
from workers.mails import send_mails


def test_a_mail_arrives_as_it_was_written_and_its_words_are_forgotten(
    post_office: Runtime, box: MailServer, database: Database
) -> None:
    put(database, mail=replace(MAIL, headers={"List-Unsubscribe": "<https://papers.test/digest/stop/1.x>"}))
    assert send_mails() == 1
    (received,) = box.received
    message = received.message
    assert (received.sender, received.recipient) == (SENDER, "ada@example.org")
    assert (message["Subject"], message["From"]) == (MAIL.subject, f"Paperfeed <{SENDER}>")
    assert message["Message-ID"] == message_id("k1", SENDER)
    assert message["List-Unsubscribe"] == "<https://papers.test/digest/stop/1.x>"
    parts = {part.get_content_type(): part.get_content() for part in message.iter_parts()}
    assert parts == {"text/plain": MAIL.text.replace("\n", "\r\n"), "text/html": "<p>Hello, α</p>\r\n"} or parts == {
        "text/plain": MAIL.text,
        "text/html": "<p>Hello, α</p>\n",
    }
    (row,) = mails_in(database)
    assert (row.state, row.code, row.text, row.html, row.headers) == ("sent", 250, "", "", {})


def test_one_key_is_one_mail_whatever_is_repeated(post_office: Runtime, box: MailServer, database: Database) -> None:
    assert put(database)
    assert not put(database)
    send_mails()
    assert not put(database)
    send_mails()
    assert box.taken_by == ["ada@example.org"]


def test_what_is_rolled_back_is_not_sent(post_office: Runtime, box: MailServer, database: Database) -> None:
    with database.read() as session:
        queue_mail(session, MAIL, key="k1", now=NOW)
        session.rollback()
    assert (send_mails(), box.received) == (0, [])


@pytest.mark.parametrize("recipient", ["ada", "ada@", "a@b@c", "ada@example.org, eve@example.org", "a\r\nb@c.org", ""])
def test_what_is_no_address_gets_no_mail(database: Database, recipient: str) -> None:
    with pytest.raises(Exception, match="no mail address"):
        put(database, mail=replace(MAIL, recipient=recipient))


@pytest.mark.parametrize(
    "headers", [{"Bcc": "eve@example.org"}, {"X-A": "1\r\nBcc: eve@example.org"}, {"X A": "1"}, {"X-A": ""}]
)
def test_no_header_smuggles_another_in(database: Database, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="header"):
        put(database, mail=replace(MAIL, headers=headers))


def test_a_title_with_line_breaks_is_one_line_of_the_subject(
    post_office: Runtime, box: MailServer, database: Database
) -> None:
    put(database, mail=replace(MAIL, subject="One\r\nBcc: eve@example.org\u2028two"))
    send_mails()
    assert box.received[0].message["Subject"] == "One Bcc: eve@example.org two"
    assert box.offered == ["ada@example.org"]


def test_a_mail_that_nobody_wants_any_more_is_not_sent(
    post_office: Runtime, box: MailServer, database: Database
) -> None:
    now = datetime.now(UTC)
    put(database, mail=replace(MAIL, useful_until=now - timedelta(seconds=1)), at=now - timedelta(minutes=5))
    assert (send_mails(), box.received) == (0, [])
    (row,) = mails_in(database)
    assert (row.state, row.text) == ("failed", "")


def test_what_somebody_waits_for_goes_before_digests(post_office: Runtime, box: MailServer, database: Database) -> None:
    put(database, key="a", mail=replace(MAIL, recipient="digest@example.org", kind="digest"))
    put(database, key="b", mail=replace(MAIL, recipient="waits@example.org", kind="sign-in"))
    send_mails()
    assert box.taken_by == ["waits@example.org", "digest@example.org"]
