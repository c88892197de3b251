"""Without a mail server mails become files."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from api.runtime.state import Runtime
from api.services.mail_folder import list_mails, read_mail
from api.store.engine import Database
from api.store.tables_mails import QueuedMail
from tests.mail_world import mails_in
from tests.workers.mails.post import MAIL, put
from workers.mails import send_mails, tidy_mails


def test_without_a_mail_server_mails_become_files_that_only_their_owner_reads(
    post_office: Runtime, database: Database
) -> None:
    post_office.settings.__dict__["smtp_host"] = ""
    put(database)
    assert send_mails() == 1
    folder = post_office.settings.mails_dir
    (mail,) = list_mails(folder)
    assert (mail.recipient, mail.subject) == ("ada@example.org", MAIL.subject)
    assert read_mail(folder, mail.name).text.replace("\r\n", "\n") == MAIL.text
    assert ((folder / mail.name).stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert mails_in(database)[0].state == "sent"


def test_old_mails_and_their_files_go(post_office: Runtime, database: Database) -> None:
    post_office.settings.__dict__["smtp_host"] = ""
    put(database, key="old")
    put(database, key="new")
    send_mails()
    with database.write() as session:
        old = datetime.now(UTC) - timedelta(days=31)
        session.execute(sa.update(QueuedMail).where(QueuedMail.key == "old").values(finished_at=old))
    assert tidy_mails() == 1
    assert [row.key for row in mails_in(database)] == ["new"]
    assert len(list_mails(post_office.settings.mails_dir)) == 1


def test_a_folder_that_cannot_be_written_lets_mails_wait(post_office: Runtime, database: Database) -> None:
    post_office.settings.__dict__["smtp_host"] = ""
    post_office.settings.data_dir.mkdir(parents=True, exist_ok=True)
    post_office.settings.mails_dir.write_text("a file where the folder should be")
    put(database)
    send_mails()
    assert (mails_in(database)[0].state, mails_in(database)[0].attempts) == ("queued", 1)
