"""Comments: threads, limits, who may do what, and what each visitor sees of them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.errors import Conflict, InvalidRequest, NotAllowed, NotFound, TooManyRequests
from api.services import comments, moderation
from api.services.comments import ShownComment, Writer
from api.services.erasure import erase_reader
from api.store.comments import load_commented_papers
from api.store.engine import Database
from api.store.tables import Paper
from api.store.tables_comments import CommentReport
from tests.api.hub_world import MONDAY, daily_row, insert_papers, insert_readers

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ADA, GRACE, EDSGER = Writer(1, "Ada"), Writer(2, "Grace"), Writer(3, "Edsger", is_moderator=True)
PAPER, OTHER = 1, 2


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """Return a transaction on a database with two papers and three readers."""
    insert_papers(database, daily_row(PAPER, MONDAY), daily_row(OTHER, MONDAY))
    insert_readers(database, 1, 2, 3)
    with database.write() as session:
        yield session


def say(
    session: Session,
    text: str,
    writer: Writer = ADA,
    *,
    paper_id: int = PAPER,
    parent_id: int | None = None,
    at: datetime = NOW,
    most_hourly: int = 100,
) -> int:
    """Add a comment."""
    return comments.add_comment(
        session, paper_id, text, writer=writer, parent_id=parent_id, most_hourly=most_hourly, now=at
    )


def report(session: Session, comment_id: int, writer: Writer, *, reason: str = "", at: datetime = NOW) -> int:
    """Report a comment."""
    return comments.report_comment(session, comment_id, reason, writer=writer, most_hourly=100, now=at)


def thread(session: Session, writer: Writer | None = None) -> tuple[ShownComment, ...]:
    """Return what a visitor sees."""
    return comments.read_thread(session, PAPER, writer=writer)


def texts(found: tuple[ShownComment, ...]) -> list[str]:
    """Return what is said, in its order, replies in brackets."""
    return [f"{one.text}[{','.join(reply.text for reply in one.replies)}]" for one in found]


def updated_at(session: Session, paper_id: int = PAPER) -> datetime:
    """Return when others were last told that a paper changed."""
    return session.scalars(sa.select(Paper.updated_at).where(Paper.paper_id == paper_id)).one()


def test_a_thread_is_in_order_with_replies_below_what_they_answer(session: Session) -> None:
    first = say(session, "one")
    say(session, "two", GRACE)
    say(session, "to one", GRACE, parent_id=first)
    say(session, "elsewhere", paper_id=OTHER)
    say(session, "to one, too", parent_id=first)
    assert texts(thread(session)) == ["one[to one,to one, too]", "two[]"]
    assert [one.author for one in thread(session)] == ["Ada", "Grace"]


def test_a_reply_has_no_reply(session: Session) -> None:
    reply = say(session, "reply", parent_id=say(session, "one"))
    with pytest.raises(InvalidRequest, match="cannot be replied to"):
        say(session, "deeper", parent_id=reply)


def test_a_reply_answers_a_comment_on_the_same_paper_that_is_there(session: Session) -> None:
    elsewhere, gone, hidden = say(session, "a", paper_id=OTHER), say(session, "b"), say(session, "c")
    comments.take_back_comment(session, gone, writer=ADA, now=NOW)
    comments.hide_comment(session, hidden, moderator=EDSGER, now=NOW)
    for parent in (elsewhere, gone, hidden, 10**12):
        with pytest.raises(NotFound):
            say(session, "reply", GRACE, parent_id=parent)


@pytest.mark.parametrize("text", ["", " \r\n\t ", "x" * (comments.LONGEST_COMMENT + 1)])
def test_a_comment_has_some_text_and_not_too_much(session: Session, text: str) -> None:
    with pytest.raises(InvalidRequest):
        say(session, text)
    number = say(session, "x" * comments.LONGEST_COMMENT)
    with pytest.raises(InvalidRequest):
        comments.edit_comment(session, number, text, writer=ADA, now=NOW)


def test_the_same_words_sent_twice_are_one_comment(session: Session) -> None:
    number = say(session, "once")
    assert say(session, "once", at=NOW + timedelta(minutes=1)) == number
    assert say(session, "once", GRACE) != number
    assert say(session, "once", at=NOW + timedelta(minutes=11)) != number


def test_who_writes_too_much_is_told_when_to_go_on(session: Session) -> None:
    for minute in (0, 10):
        say(session, f"at {minute}", at=NOW + timedelta(minutes=minute), most_hourly=2)
    with pytest.raises(TooManyRequests, match="2 times an hour") as refused:
        say(session, "more", at=NOW + timedelta(minutes=30), most_hourly=2)
    assert refused.value.headers["Retry-After"] == str(30 * 60 + 1)
    say(session, "more", at=NOW + timedelta(minutes=61), most_hourly=2)
    say(session, "somebody else", GRACE, at=NOW + timedelta(minutes=30), most_hourly=2)


def test_an_edit_is_marked_and_the_same_text_is_none(session: Session) -> None:
    number = say(session, "wrnog")
    comments.edit_comment(session, number, " wrnog ", writer=ADA, now=NOW)
    assert thread(session)[0].edits == 0
    comments.edit_comment(session, number, "right", writer=ADA, now=NOW + timedelta(minutes=1))
    [shown] = thread(session)
    assert (shown.text, shown.edits, shown.edited_at) == ("right", 1, NOW + timedelta(minutes=1))


def test_nobody_changes_what_somebody_else_wrote(session: Session) -> None:
    number = say(session, "mine")
    for writer in (GRACE, EDSGER):
        with pytest.raises(NotAllowed):
            comments.edit_comment(session, number, "yours", writer=writer, now=NOW)
        with pytest.raises(NotAllowed):
            comments.take_back_comment(session, number, writer=writer, now=NOW)
    assert texts(thread(session)) == ["mine[]"]


def test_only_moderators_hide_and_show(session: Session) -> None:
    number = say(session, "a")
    for change in (comments.hide_comment, comments.show_comment):
        with pytest.raises(NotAllowed):
            change(session, number, moderator=GRACE, now=NOW)


def test_of_a_deleted_comment_no_word_is_kept(session: Session) -> None:
    number = say(session, "secret")
    say(session, "reply", GRACE, parent_id=number)
    comments.take_back_comment(session, number, writer=ADA, now=NOW)
    [place] = thread(session, EDSGER)
    assert (place.is_gone, place.text, place.html, place.author) == (True, "", "", "")
    assert [reply.text for reply in place.replies] == ["reply"]
    with pytest.raises(NotFound):
        comments.edit_comment(session, number, "again", writer=ADA, now=NOW)


def test_a_deleted_comment_that_nobody_answered_leaves_no_place(session: Session) -> None:
    comments.take_back_comment(session, say(session, "a"), writer=ADA, now=NOW)
    assert thread(session) == ()


def test_a_hidden_comment_is_shown_to_its_author_and_to_moderators_alone(session: Session) -> None:
    number = say(session, "rude")
    comments.hide_comment(session, number, moderator=EDSGER, now=NOW)
    for stranger in (None, GRACE):
        assert thread(session, stranger) == ()
    for other in (ADA, EDSGER):
        [shown] = thread(session, other)
        assert (shown.text, shown.is_hidden, shown.is_gone) == ("rude", True, False)
    with pytest.raises(Conflict):
        comments.edit_comment(session, number, "polite", writer=ADA, now=NOW)
    comments.show_comment(session, number, moderator=EDSGER, now=NOW)
    assert texts(thread(session)) == ["rude[]"]


def counts(session: Session) -> dict[int, int]:
    """Return how many comments everybody sees on each paper."""
    return {paper_id: count for paper_id, (_, count) in load_commented_papers(session, [PAPER, OTHER]).items()}


def test_only_what_everybody_sees_is_counted(session: Session) -> None:
    hidden, deleted = say(session, "a"), say(session, "b")
    say(session, "c", GRACE, parent_id=say(session, "d"))
    assert counts(session) == {PAPER: 4, OTHER: 0}
    comments.hide_comment(session, hidden, moderator=EDSGER, now=NOW)
    comments.take_back_comment(session, deleted, writer=ADA, now=NOW)
    assert counts(session) == {PAPER: 2, OTHER: 0}


def test_every_change_lets_other_processes_read_the_paper_anew(session: Session) -> None:
    number = say(session, "a", at=NOW)
    assert updated_at(session) == NOW
    changes: tuple[Callable[[datetime], int], ...] = (
        lambda at: comments.edit_comment(session, number, "b", writer=ADA, now=at),
        lambda at: comments.hide_comment(session, number, moderator=EDSGER, now=at),
        lambda at: comments.show_comment(session, number, moderator=EDSGER, now=at),
    )
    for minute, change in enumerate(changes, start=1):
        change(NOW + timedelta(minutes=minute))
        assert updated_at(session) == NOW + timedelta(minutes=minute)
    comments.take_back_comment(session, number, writer=ADA, now=NOW + timedelta(minutes=9))
    assert updated_at(session) == NOW + timedelta(minutes=9)
    assert updated_at(session, OTHER) == MONDAY


def test_a_reader_reports_a_comment_once_and_never_their_own(session: Session) -> None:
    number = say(session, "a")
    with pytest.raises(InvalidRequest, match="your own"):
        report(session, number, ADA)
    for reason in ("spam", "spam again"):
        report(session, number, GRACE, reason=reason)
    assert session.scalars(sa.select(CommentReport.reason)).all() == ["spam"]
    with pytest.raises(InvalidRequest):
        report(session, number, GRACE, reason="x" * (comments.LONGEST_REASON + 1))
    with pytest.raises(NotFound):
        report(session, 10**12, GRACE)


def test_moderators_see_what_waits_longest_first_until_they_have_looked(session: Session) -> None:
    early, late, fine = say(session, "a"), say(session, "b"), say(session, "c")
    report(session, late, GRACE, reason="rude", at=NOW + timedelta(minutes=2))
    report(session, early, GRACE, reason="spam", at=NOW + timedelta(minutes=1))
    report(session, early, EDSGER, reason="spam", at=NOW + timedelta(minutes=3))
    found = moderation.list_moderated(session, "reported", moderator=EDSGER, before=None)
    assert [(one.comment.comment_id, one.reports, one.reasons) for one in found] == [
        (early, 2, ("spam",)),
        (late, 1, ("rude",)),
    ]
    assert moderation.count_waiting(session) == 2
    comments.hide_comment(session, early, moderator=EDSGER, now=NOW)
    comments.show_comment(session, late, moderator=EDSGER, now=NOW)
    assert moderation.list_moderated(session, "reported", moderator=EDSGER, before=None) == []
    assert moderation.count_waiting(session) == 0
    latest = moderation.list_moderated(session, "latest", moderator=EDSGER, before=None)
    assert [one.comment.comment_id for one in latest] == [fine, late, early]
    [hidden] = moderation.list_moderated(session, "hidden", moderator=EDSGER, before=None)
    assert (hidden.comment.comment_id, hidden.hidden_by, hidden.paper) == (early, "Edsger", "2512.00001")
    older = moderation.list_moderated(session, "latest", moderator=EDSGER, before=late)
    assert [one.comment.comment_id for one in older] == [early]


def test_who_takes_a_reported_comment_back_leaves_nothing_to_look_at(session: Session) -> None:
    number = say(session, "a")
    report(session, number, GRACE)
    comments.take_back_comment(session, number, writer=ADA, now=NOW)
    assert moderation.count_waiting(session) == 0


def test_an_erased_reader_leaves_no_comment_and_others_keep_their_replies(session: Session) -> None:
    number = say(session, "of Ada")
    say(session, "of Grace", GRACE, parent_id=number)
    report(session, say(session, "of Grace, too", GRACE), ADA, reason="of Ada")
    later = NOW + timedelta(days=1)
    erase_reader(session, ADA.user_id, by="reader", now=later)
    session.expire_all()
    assert texts(thread(session)) == ["of Grace[]", "of Grace, too[]"]
    assert session.scalars(sa.select(CommentReport)).all() == []
    assert updated_at(session) == later


def test_an_erased_writer_cannot_write(session: Session) -> None:
    with pytest.raises(NotAllowed):
        say(session, "a", replace(ADA, user_id=99))
