"""Servers that refuse, hang up, are slow or away, and digests that end for it."""

from dataclasses import replace
from datetime import UTC, datetime

from api.runtime.state import Runtime
from api.services import outbox
from api.store.engine import Database
from tests.mail_world import digest_in, mails_in
from tests.shared import free_port
from tests.workers.mail_server import MailServer, Received
from tests.workers.mails.post import MAIL, hurry, put, subscribe
from workers.mails import send_mails


def test_a_mail_that_is_put_off_comes_again_ever_later_and_is_given_up_in_the_end(
    post_office: Runtime, box: MailServer, database: Database
) -> None:
    box.on_recipient = lambda _: "450 4.2.1 greylisted"
    put(database)
    rests = []
    for _ in range(3):
        assert send_mails() == 1
        (row,) = mails_in(database)
        rests.append((row.due_at - datetime.now(UTC)).total_seconds() / 60)
        assert send_mails() == 0  # it rests
        hurry(database)
    assert 0.8 < rests[0] < 1.2
    assert 3.2 < rests[1] < 4.8
    (row,) = mails_in(database)
    assert (row.state, row.attempts, row.code, row.text) == ("failed", 3, 450, "")
    assert send_mails() == 0


def test_a_mail_is_taken_after_it_was_put_off(post_office: Runtime, box: MailServer, database: Database) -> None:
    box.on_recipient = lambda _: "450 4.2.1 greylisted"
    put(database)
    send_mails()
    box.on_recipient = lambda _: "250 OK"
    hurry(database)
    send_mails()
    assert (box.taken_by, mails_in(database)[0].state) == (["ada@example.org"], "sent")


def test_one_that_is_refused_holds_up_nobody_behind_it(
    post_office: Runtime, box: MailServer, database: Database
) -> None:
    box.on_recipient = lambda address: "550 5.1.1 no such user" if address.startswith("eve") else "250 OK"
    put(database, key="a", mail=replace(MAIL, recipient="eve@example.org"))
    put(database, key="b")
    assert send_mails() == 2
    assert [row.state for row in mails_in(database)] == ["failed", "sent"]
    assert box.connections == 1


def test_a_server_that_hangs_up_before_the_last_line_gets_the_mail_again(
    post_office: Runtime, box: MailServer, database: Database
) -> None:
    box.on_recipient = lambda _: None
    put(database)
    send_mails()
    assert (mails_in(database)[0].state, mails_in(database)[0].attempts) == ("queued", 1)
    box.on_recipient = lambda _: "250 OK"
    hurry(database)
    send_mails()
    assert box.taken_by == ["ada@example.org"]


def test_a_server_that_hangs_up_after_the_last_line_gets_the_mail_no_second_time(
    post_office: Runtime, box: MailServer, database: Database
) -> None:
    box.after_taking = lambda _: None
    put(database)
    send_mails()
    assert mails_in(database)[0].state == "unknown"
    hurry(database)
    send_mails()
    assert box.taken_by == ["ada@example.org"]


def test_a_server_that_is_slow_is_waited_for(post_office: Runtime, box: MailServer, database: Database) -> None:
    async def slowly(_mail: Received) -> str | None:
        import asyncio

        await asyncio.sleep(0.7)
        return "250 OK"

    box.on_message = slowly
    put(database)
    send_mails()
    assert mails_in(database)[0].state == "sent"


def test_a_server_that_is_away_costs_no_attempt_and_is_left_alone_for_a_while(
    post_office: Runtime, box: MailServer, database: Database
) -> None:
    post_office.settings.__dict__["smtp_port"] = free_port()
    put(database, key="a")
    put(database, key="b")
    assert send_mails() == 1
    assert send_mails() == 0
    assert [(row.state, row.attempts) for row in mails_in(database)] == [("queued", 0)] * 2
    with database.read() as session:
        assert "refused" in str(outbox.read_server_wait(session, now=datetime.now(UTC)))
    post_office.settings.__dict__["smtp_port"] = box.port
    hurry(database)
    assert send_mails() == 2
    assert len(box.received) == 2


def test_a_digest_stops_after_its_address_has_refused_it_three_times_in_a_row(
    post_office: Runtime, box: MailServer, database: Database
) -> None:
    issue = replace(MAIL, kind="digest", digest_id=subscribe(database))
    answers = iter(["550 5.1.1 gone", "250 OK", *["550 5.1.1 gone"] * 3])
    box.on_recipient = lambda _: next(answers)
    bounces = []
    for number in range(5):
        put(database, key=f"issue {number}", mail=issue)
        send_mails()
        bounces.append(digest_in(database).bounces)
    assert bounces == [1, 0, 1, 2, 3]
    stopped = digest_in(database)
    assert (stopped.due_at, stopped.stop_reason) == (None, "bounced")


def test_a_refusal_by_policy_says_nothing_about_the_address(
    post_office: Runtime, box: MailServer, database: Database
) -> None:
    box.on_recipient = lambda _: "550 5.7.1 our server is on a list"
    put(database, mail=replace(MAIL, kind="digest", digest_id=subscribe(database)))
    send_mails()
    assert (mails_in(database)[0].state, digest_in(database).bounces) == ("failed", 0)
