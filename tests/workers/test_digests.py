"""Digests from the schedule to the table of mails: once per period, nothing twice, and gone with their reader."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from api.runtime.state import Runtime
from api.services import digest_making, digests
from api.services.digest_times import WEEKLY
from api.services.merging import merge_reader
from api.store.tables import Paper, User
from api.store.tables_mails import Digest, MailedPaper, QueuedMail
from tests.mail_world import digest_in, mails_in
from tests.workers.issues import READER, be_due, next_day, papers_in, subscribe
from workers.digests import make_digests


def test_a_period_has_one_mail_however_often_it_is_made(held: Runtime, fresh: list[int]) -> None:
    subscribe(held)
    assert make_digests() == 1
    assert make_digests() == 0
    be_due(held)  # as if the digest had not been moved on
    assert make_digests() == 0
    assert len(mails_in(held.db)) == 1


def test_two_workers_that_compose_one_issue_write_one_mail(held: Runtime, fresh: list[int]) -> None:
    digest_id = subscribe(held)
    now = datetime.now(UTC)
    served = held.serving.poll()
    drafts = []
    for _ in range(2):
        with held.db.read() as session:
            digest = session.get_one(Digest, digest_id)
            drafts.append(digest_making.draft_issue(session, served, held.keys, held.settings, digest, now=now))
    outcomes = []
    for draft in drafts:
        with held.db.write() as session:
            outcomes.append(digest_making.record_issue(session, draft, now=now))
    assert outcomes == ["queued", "meanwhile"]
    assert len(mails_in(held.db)) == 1


def test_a_reader_who_leaves_while_it_is_composed_gets_none(held: Runtime, fresh: list[int]) -> None:
    digest_id = subscribe(held)
    now = datetime.now(UTC)
    with held.db.read() as session:
        digest = session.get_one(Digest, digest_id)
        draft = digest_making.draft_issue(session, held.serving.poll(), held.keys, held.settings, digest, now=now)
    with held.db.write() as session:
        digests.stop(session, session.get_one(Digest, digest_id), now=now)
    with held.db.write() as session:
        assert digest_making.record_issue(session, draft, now=now) == "meanwhile"
    assert mails_in(held.db) == []


def test_no_paper_comes_twice_and_nothing_comes_when_nothing_is_new(held: Runtime, fresh: list[int]) -> None:
    subscribe(held)
    make_digests()
    next_day(held)
    assert make_digests() == 0  # what was left over from the first is no reason to write
    newest = datetime.now(UTC) + timedelta(seconds=1)
    with held.db.write() as session:
        session.execute(sa.update(Paper).where(Paper.paper_id.in_(fresh)).values(created_at=newest))
    next_day(held)
    assert make_digests() == 1
    first, second = mails_in(held.db)
    assert set(papers_in(held, first)).isdisjoint(papers_in(held, second))


def test_papers_of_a_mail_that_was_surely_not_delivered_come_again(held: Runtime, fresh: list[int]) -> None:
    from api.services import outbox

    subscribe(held)
    make_digests()
    with held.db.write() as session:
        later = datetime.now(UTC) + timedelta(days=6)
        assert len(outbox.give_up_useless(session, now=later)) == 1
        assert session.scalars(sa.select(MailedPaper)).all() == []


def test_a_week_of_silence_gives_one_mail(held: Runtime, fresh: list[int]) -> None:
    subscribe(held)
    be_due(held, ago=timedelta(days=7))
    assert make_digests() == 1
    assert make_digests() == 0
    due_at = digest_in(held.db).due_at
    assert due_at is not None
    assert timedelta(0) < due_at - datetime.now(UTC) <= timedelta(days=1)


def test_a_weekly_digest_is_due_in_a_week(held: Runtime, fresh: list[int]) -> None:
    subscribe(held, cadence=WEEKLY)
    make_digests()
    due_at = digest_in(held.db).due_at
    assert due_at is not None
    assert timedelta(days=6) < due_at - datetime.now(UTC) <= timedelta(days=7)


def test_one_digest_that_cannot_be_made_holds_up_none_behind_it(
    held: Runtime, fresh: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    subscribe(held, 1)
    subscribe(held, 2)
    with held.db.write() as session:  # a word that no code writes
        session.execute(sa.update(Digest).where(Digest.user_id == 1).values(cadence="hourly"))
    assert make_digests() == 1
    assert [mail.recipient for mail in mails_in(held.db)] == ["u2@example.org"]
    assert "digest not made" in caplog.text


def test_signing_in_takes_the_digest_along_and_leaves_no_second_one(held: Runtime) -> None:
    now = datetime.now(UTC)
    with held.db.write() as session:
        session.add_all(
            User(user_id=at, external_id=name, created_at=now, last_seq=0, list_seq=0)
            for at, name in ((701, "anon-one"), (702, "anon-two"))
        )
    for user_id in (701, 702):
        subscribe(held, user_id)
    with held.db.write() as session:
        for name in ("anon-one", "anon-two"):
            merge_reader(session, name, external_user="u3", now=now)
    digest = digest_in(held.db)
    assert (digest.user_id, digest.recipient) == (3, "u701@example.org")


def test_erasing_a_reader_leaves_no_mail_and_no_digest(held: Runtime, fresh: list[int]) -> None:
    from api.services.erasure import erase_reader

    subscribe(held)
    make_digests()
    assert mails_in(held.db) != []
    with held.db.write() as session:
        erase_reader(session, READER, by="command", now=datetime.now(UTC))
    with held.db.read() as session:
        left = [session.scalars(sa.select(table)).all() for table in (QueuedMail, Digest, MailedPaper)]
    assert left == [[], [], []]
