"""Workers that die with a mail in hand, or meet over one."""

from datetime import UTC, datetime, timedelta

from api.runtime.owner import name_this_process
from api.runtime.state import Runtime
from api.services import outbox
from api.store.engine import Database
from tests.mail_world import mails_in
from tests.workers.mail_server import MailServer
from tests.workers.mails.post import put
from workers.mails import send_mails


def test_two_workers_never_send_one_mail_twice(database: Database) -> None:
    put(database)
    with database.write() as session:
        first = outbox.take_mail(session, owner="a", now=datetime.now(UTC), lease_seconds=60)
        assert first is not None
        assert outbox.take_mail(session, owner="b", now=datetime.now(UTC), lease_seconds=60) is None
    later = datetime.now(UTC) + timedelta(seconds=61)
    with database.write() as session:
        second = outbox.take_mail(session, owner="b", now=later, lease_seconds=60)
        assert second is not None
        assert not outbox.begin_handover(session, first)  # too late: it is somebody else's
        assert outbox.begin_handover(session, second)


def test_a_mail_whose_worker_died_before_the_last_line_is_sent(
    post_office: Runtime, box: MailServer, database: Database
) -> None:
    put(database)
    dead = name_this_process().rsplit("/", 2)[0] + "/999999999/1.00"
    with database.write() as session:
        outbox.take_mail(session, owner=dead, now=datetime.now(UTC), lease_seconds=600)
    send_mails()
    assert mails_in(database)[0].state == "sent"


def test_a_mail_whose_worker_died_after_the_last_line_is_not_sent_again(
    post_office: Runtime, box: MailServer, database: Database
) -> None:
    put(database)
    dead = name_this_process().rsplit("/", 2)[0] + "/999999999/1.00"
    with database.write() as session:
        taken = outbox.take_mail(session, owner=dead, now=datetime.now(UTC), lease_seconds=600)
        assert taken is not None
        outbox.begin_handover(session, taken)
    send_mails()
    (row,) = mails_in(database)
    assert (row.state, row.text, box.received) == ("unknown", "", [])
