"""Comments on papers: one level of replies, changed and taken back by their authors, reported, hidden by moderators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.errors import Conflict, InvalidRequest, NotAllowed, NotFound, TooManyRequests
from api.services.auditing import note_audit
from api.services.markdown import as_html
from api.store import comments as rows
from api.store.tables_comments import Comment
from api.store.users import ensure_users

LONGEST_COMMENT: Final = 5_000  # characters
LONGEST_REASON: Final = 500
MOST_SHOWN: Final = 500  # comments on the page of one paper
HOUR: Final = timedelta(hours=1)
SENT_TWICE: Final = timedelta(minutes=10)  # the same words again are the same comment


@dataclass(frozen=True, slots=True)
class Writer:
    """Who comments, reports or moderates."""

    user_id: int
    name: str  # shown where there is no account whose name is shown
    is_moderator: bool = False


@dataclass(frozen=True, slots=True)
class ShownComment:
    """A comment as one visitor sees it."""

    comment_id: int
    author: str
    text: str  # markdown, for those who may change it and for callers of the API
    html: str
    created_at: datetime
    edited_at: datetime | None
    edits: int
    is_hidden: bool
    is_gone: bool  # nothing of it is shown to this visitor: it stands for what answers it
    is_own: bool
    parent_id: int | None
    replies: tuple["ShownComment", ...] = ()


def find_writer(session: Session, name: str, *, now: datetime) -> Writer:
    """Return the reader of a name who writes without an account, made where there is none."""
    return Writer(ensure_users(session, [name], now=now)[0][name], name)


def read_thread(session: Session, paper_id: int, *, writer: Writer | None) -> tuple[ShownComment, ...]:
    """Return the comments on a paper, oldest first, each with what answers it; moderators see hidden ones, too."""
    found = [(row, _shown(row, name, writer)) for row, name in rows.load_thread(session, paper_id, limit=MOST_SHOWN)]
    first = {shown.comment_id: shown for row, shown in found if row.parent_id is None}
    replies: dict[int, list[ShownComment]] = {comment_id: [] for comment_id in first}
    for row, shown in found:
        if row.parent_id in replies and not shown.is_gone:
            replies[row.parent_id].append(shown)
    threads = (_with_replies(shown, replies[comment_id]) for comment_id, shown in first.items())
    return tuple(thread for thread in threads if thread.replies or not thread.is_gone)


def add_comment(
    session: Session,
    paper_id: int,
    text: str,
    *,
    writer: Writer,
    parent_id: int | None,
    most_hourly: int,
    now: datetime,
) -> int:
    """Store a comment and return its number; what was sent twice is stored once.

    Raises InvalidRequest for text that is empty or too long and for a reply to a reply, NotFound for a reply to
    nothing, TooManyRequests beyond the writer's limit.
    """
    text = _checked(text)
    _take_turn(session, writer, rows.times_of_comments, most_hourly=most_hourly, now=now)
    if parent_id is not None:
        _check_parent(rows.load_comment(session, parent_id), paper_id)
    values = {"user_id": writer.user_id, "paper_id": paper_id, "parent_id": parent_id, "text": text}
    same = rows.find_same(session, values, since=now - SENT_TWICE)
    if same is not None:
        return same
    comment_id = rows.insert_comment(session, values | {"author_name": writer.name, "created_at": now})
    rows.touch_papers(session, [paper_id], now=now)
    return comment_id


def edit_comment(session: Session, comment_id: int, text: str, *, writer: Writer, now: datetime) -> int:
    """Replace the text of the writer's own comment and return its paper; the change is marked.

    Raises InvalidRequest for text that is empty or too long, NotFound, NotAllowed for somebody else's, and Conflict for
    one that a moderator has hidden.
    """
    text = _checked(text)
    comment = _own(session, comment_id, writer)
    if comment.hidden_at is not None:
        raise Conflict("a moderator has hidden this comment: it cannot be changed", comment=comment_id)
    if comment.text != text:
        comment.text, comment.edited_at, comment.edits = text, now, comment.edits + 1
        rows.touch_papers(session, [comment.paper_id], now=now)
    return comment.paper_id


def take_back_comment(session: Session, comment_id: int, *, writer: Writer, now: datetime) -> int:
    """Forget the text of the writer's own comment and return its paper; an empty place stays for what answers it."""
    comment = _own(session, comment_id, writer)
    comment.text, comment.author_name, comment.edited_at = "", "", now
    rows.settle_reports(session, comment_id, now=now)
    rows.touch_papers(session, [comment.paper_id], now=now)
    return comment.paper_id


def report_comment(
    session: Session, comment_id: int, reason: str, *, writer: Writer, most_hourly: int, now: datetime
) -> int:
    """Put a comment before the moderators and return its paper; each reader reports a comment once.

    Raises NotFound, InvalidRequest for a long reason or the writer's own comment, TooManyRequests beyond their limit.
    """
    reason = " ".join(reason.split())
    if len(reason) > LONGEST_REASON:
        raise InvalidRequest(f"a reason has {LONGEST_REASON} characters at most", field="reason")
    comment = _present(session, comment_id)
    if comment.user_id == writer.user_id:
        raise InvalidRequest("this comment is your own: change it or take it back", comment=comment_id)
    _take_turn(session, writer, rows.times_of_reports, most_hourly=most_hourly, now=now)
    values = {"comment_id": comment_id, "user_id": writer.user_id, "reason": reason, "created_at": now}
    rows.insert_report(session, values)
    return comment.paper_id


def hide_comment(session: Session, comment_id: int, *, moderator: Writer, now: datetime) -> int:
    """Show a comment to moderators and its author alone from now on, and return its paper; settles its reports."""
    comment = _moderated(session, comment_id, moderator)
    if comment.hidden_at is None:
        comment.hidden_at, comment.hidden_by = now, moderator.name
        note_audit(session, "comment hidden", by="moderator", facts={"comment": comment_id}, now=now)
        rows.touch_papers(session, [comment.paper_id], now=now)
    rows.settle_reports(session, comment_id, now=now)
    return comment.paper_id


def show_comment(session: Session, comment_id: int, *, moderator: Writer, now: datetime) -> int:
    """Show a comment to everybody again, or go on showing it, and return its paper; settles its reports."""
    comment = _moderated(session, comment_id, moderator)
    if comment.hidden_at is not None:
        comment.hidden_at, comment.hidden_by = None, None
        note_audit(session, "comment shown again", by="moderator", facts={"comment": comment_id}, now=now)
        rows.touch_papers(session, [comment.paper_id], now=now)
    rows.settle_reports(session, comment_id, now=now)
    return comment.paper_id


def touch_commented_papers(session: Session, user_id: int, *, now: datetime) -> None:
    """Let the counts of papers follow when a reader is erased; to be called before their rows go."""
    rows.touch_papers(session, rows.papers_commented_by(session, user_id), now=now)


def shown_alone(comment: Comment, author: str, *, writer: Writer | None) -> ShownComment:
    """Return one comment as a visitor sees it, without what answers it."""
    return _shown(comment, author, writer)


def _shown(comment: Comment, author: str, writer: Writer | None) -> ShownComment:
    is_own = writer is not None and writer.user_id == comment.user_id
    is_hidden = comment.hidden_at is not None
    may_see_hidden = is_own or (writer is not None and writer.is_moderator)
    is_gone = comment.text == "" or (is_hidden and not may_see_hidden)
    text = "" if is_gone else comment.text
    return ShownComment(
        comment.comment_id,
        "" if is_gone else author,
        text,
        as_html(text),
        comment.created_at,
        comment.edited_at,
        comment.edits,
        is_hidden,
        is_gone,
        is_own,
        comment.parent_id,
    )


def _with_replies(shown: ShownComment, replies: Sequence[ShownComment]) -> ShownComment:
    return replace(shown, replies=tuple(replies)) if replies else shown


def _checked(text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise InvalidRequest("a comment needs some text", field="text")
    if len(text) > LONGEST_COMMENT:
        raise InvalidRequest(
            f"a comment has {LONGEST_COMMENT} characters at most, this one {len(text)}: nothing was stored",
            field="text",
        )
    return text


def _take_turn(
    session: Session,
    writer: Writer,
    times_of: Callable[..., list[datetime]],
    *,
    most_hourly: int,
    now: datetime,
) -> None:
    """Raise TooManyRequests unless the writer may write once more now; two at once take turns."""
    if not rows.lock_writer(session, writer.user_id):
        raise NotAllowed("this reader is not known here any more: sign in again")
    times = times_of(session, writer.user_id, since=now - HOUR)
    if len(times) >= most_hourly:
        wait = int((times[-most_hourly] + HOUR - now).total_seconds()) + 1
        raise TooManyRequests(
            f"you may do this {most_hourly} times an hour: wait {max(wait // 60, 1)} minutes",
            retry_after_seconds=wait,
        )


def _check_parent(parent: Comment | None, paper_id: int) -> None:
    if parent is None or parent.paper_id != paper_id or parent.text == "" or parent.hidden_at is not None:
        raise NotFound("the comment that this one answers is not here any more")
    if parent.parent_id is not None:
        raise InvalidRequest("a reply cannot be replied to: answer the comment above it", field="parent")


def _present(session: Session, comment_id: int) -> Comment:
    comment = rows.load_comment(session, comment_id)
    if comment is None or comment.text == "":
        raise NotFound("there is no such comment", comment=comment_id)
    return comment


def _own(session: Session, comment_id: int, writer: Writer) -> Comment:
    comment = _present(session, comment_id)
    if comment.user_id != writer.user_id:
        raise NotAllowed("this comment is somebody else's: nothing was changed", comment=comment_id)
    return comment


def _moderated(session: Session, comment_id: int, moderator: Writer) -> Comment:
    if not moderator.is_moderator:
        raise NotAllowed("only moderators may do this: nothing was changed", comment=comment_id)
    return _present(session, comment_id)
